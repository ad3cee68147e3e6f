"""Actors of Dramatiq beside the recipe's, and what sends them messages: `python -m dramatiq_probe NAME`."""

import os
import signal
import sys
import time
from pathlib import Path

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AsyncIO, SkipMessage, default_middleware
from openai import OpenAI

from tokentrail import track_tokens
from tokentrail.propagation.dramatiq import AttributionMiddleware

ACME = {"operation": "batch", "tenant_id": "acme", "operation_id": "op1", "metadata": {"a": 1}}
GLOBEX = {"operation": "query", "tenant_id": "globex", "operation_id": "op2"}


class Skips(dramatiq.Middleware):
    def before_process_message(self, broker, message):
        if message.args and "skipped" in str(message.args[0]):
            raise SkipMessage


own = [AttributionMiddleware()]
others = [*(kind() for kind in default_middleware), AsyncIO(), Skips()]
broker = RedisBroker(
    url=os.environ["DRAMATIQ_REDIS_URL"],
    middleware=[*others, *own] if os.environ.get("LAST") else [*own, *others],
    heartbeat_timeout=1000,
    maintenance_chance=1_000_000,
)
dramatiq.set_broker(broker)


def ask(text):
    return OpenAI(max_retries=0).chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": text}]).id


@dramatiq.actor(max_retries=0)
def step(text, before=None):
    ask(text)


@dramatiq.actor(max_retries=0)
async def awaited(text):
    ask(text)


@dramatiq.actor(max_retries=1, min_backoff=10, max_backoff=20)
def fails(text):
    ask(text)
    raise ValueError(text)


@dramatiq.actor(max_retries=0)
def exhausted(message, retries):
    ask("exhausted")


@dramatiq.actor(max_retries=0)
def after(message, result):
    ask("after")


@dramatiq.actor(max_retries=0, time_limit=1000)
def too_long(text):
    ask(text)
    for _ in range(300):
        time.sleep(0.1)


@dramatiq.actor(max_retries=0)
def sends(text):
    with track_tokens("classification", tenant_id="sub"):
        step.send(f"{text} within")
    ask(text)


@dramatiq.actor(max_retries=0)
def killed_once(text):
    ask(text)
    if not Path("killed").exists():
        Path("killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)


def everything():
    with track_tokens(**ACME):
        step.send("plain")
        awaited.send("awaited")
        (step.message("pipe 1") | step.message_with_options(args=["pipe 2"], pipe_ignore=True) | step.message("pipe 3")).run()
        dramatiq.group([step.message("group 1"), step.message("group 2")]).run()
        step.send_with_options(args=["followed"], on_success=after)
        step.send("skipped")
    step.send("nobody's")
    with track_tokens(**GLOBEX):
        fails.send_with_options(args=["failing"], on_retry_exhausted="exhausted")
        step.send_with_options(args=["later"], delay=500)
        too_long.send("long")
    sends.send("nobody's")
    message = step.message("reused")
    for block in (ACME, GLOBEX):
        with track_tokens(**block):
            broker.enqueue(message)
    step.send("nobody's")


def killed():
    with track_tokens(**ACME):
        killed_once.send("killed")


if __name__ == "__main__":
    import dramatiq_probe

    getattr(dramatiq_probe, sys.argv[1])()
