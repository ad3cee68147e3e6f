"""Celery: `celery -A celery_tasks worker`, then `python celery_tasks.py`. A task runs under the attribution of who sent it, as does each retry."""

import os

from celery import Celery
from openai import OpenAI, RateLimitError

from tokentrail import OPERATION_SUMMARIZE, track_tokens
from tokentrail.propagation.celery import connect_signals

app = Celery("celery_tasks", broker=os.environ.get("CELERY_BROKER_URL", "redis://localhost"))
connect_signals()


@app.task(autoretry_for=(RateLimitError,), retry_backoff=True, acks_late=True)
@track_tokens(operation=OPERATION_SUMMARIZE)
def summarize(text: str) -> str:
    messages = [{"role": "user", "content": f"Summarize: {text}"}]
    completion = OpenAI(max_retries=0).chat.completions.create(model="gpt-4o-mini", messages=messages)
    return completion.choices[0].message.content or ""


def main() -> None:
    for tenant in ("acme", "globex", "initech"):
        with track_tokens(tenant_id=tenant, operation_id=f"digest-{tenant}"):
            summarize.delay(f"the news of {tenant}")
    summarize.delay("the news of nobody")


if __name__ == "__main__":
    main()
