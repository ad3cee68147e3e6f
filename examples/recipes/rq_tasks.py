"""RQ: `rq worker --job-class tokentrail.propagation.rq.Job`, then `python rq_tasks.py`. A job runs under the attribution of who enqueued it."""

import os

from openai import OpenAI
from redis import Redis
from rq import Queue, Retry

from tokentrail import OPERATION_SUMMARIZE, track_tokens
from tokentrail.propagation.rq import Job


@track_tokens(operation=OPERATION_SUMMARIZE)
def summarize(text: str) -> str:
    messages = [{"role": "user", "content": f"Summarize: {text}"}]
    completion = OpenAI(max_retries=0).chat.completions.create(model="gpt-4o-mini", messages=messages)
    return completion.choices[0].message.content or ""


def main() -> None:
    queue = Queue(connection=Redis.from_url(os.environ.get("RQ_REDIS_URL", "redis://localhost")), job_class=Job)
    for tenant in ("acme", "globex", "initech"):
        with track_tokens(tenant_id=tenant, operation_id=f"digest-{tenant}"):
            queue.enqueue("rq_tasks.summarize", f"the news of {tenant}", retry=Retry(max=3))
    queue.enqueue("rq_tasks.summarize", "the news of nobody")


if __name__ == "__main__":
    main()
