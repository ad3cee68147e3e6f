"""Dramatiq: `dramatiq dramatiq_tasks`, then `python dramatiq_tasks.py`. A message is processed under the attribution of who sent it."""

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from openai import OpenAI

from tokentrail import OPERATION_SUMMARIZE, track_tokens
from tokentrail.propagation.dramatiq import AttributionMiddleware

broker = RedisBroker(url=os.environ.get("DRAMATIQ_REDIS_URL", "redis://localhost"))
broker.add_middleware(AttributionMiddleware())
dramatiq.set_broker(broker)


@dramatiq.actor(max_retries=3, min_backoff=1000)
@track_tokens(operation=OPERATION_SUMMARIZE)
def summarize(text: str) -> None:
    messages = [{"role": "user", "content": f"Summarize: {text}"}]
    completion = OpenAI(max_retries=0).chat.completions.create(model="gpt-4o-mini", messages=messages)
    print(completion.choices[0].message.content)


def main() -> None:
    for tenant in ("acme", "globex", "initech"):
        with track_tokens(tenant_id=tenant, operation_id=f"digest-{tenant}"):
            summarize.send(f"the news of {tenant}")
    summarize.send("the news of nobody")


if __name__ == "__main__":
    main()
