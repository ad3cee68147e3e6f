"""Jobs of RQ beside the recipe's, and what enqueues them: `python -m rq_probe NAME`."""

import datetime as dt
import os
import signal
import sys
from pathlib import Path

from openai import OpenAI
from redis import Redis
from rq import Callback, Queue, Repeat, Retry

from tokentrail import track_tokens
from tokentrail.propagation.rq import Job

ACME = {"operation": "batch", "tenant_id": "acme", "operation_id": "op1", "metadata": {"a": 1}}
GLOBEX = {"operation": "query", "tenant_id": "globex", "operation_id": "op2"}


def ask(text):
    return OpenAI(max_retries=0).chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": text}]).id


async def ask_from_a_coroutine(text):
    return ask(text)


def fails(text):
    ask(text)
    raise ValueError(text)


def fails_once(text, name):
    from rq import get_current_job

    job = get_current_job()
    job.meta = {"mine": "only"}
    job.save_meta()
    ask(text)
    if not Path(name).exists():
        Path(name).touch()
        raise ValueError(text)


def killed_once(text):
    ask(text)
    if not Path("killed").exists():
        Path("killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)


def enqueues(text):
    queue = queue_of(Job)
    with track_tokens("classification", tenant_id="sub"):
        queue.enqueue(ask, f"{text} within")
    return ask(text)


def when_done(job, connection, result):
    ask("when done")


def when_failed(job, connection, *error):
    ask("when failed")


def queue_of(job_class, **more):
    return Queue(connection=Redis.from_url(os.environ["RQ_REDIS_URL"]), job_class=job_class, **more)


def everything():
    queue = queue_of(Job)
    with track_tokens(**ACME):
        meta = {"mine": 1}
        first = queue.enqueue(ask, "first", meta=meta)
        queue.enqueue(ask, "dependent", depends_on=first)
        queue.enqueue(ask_from_a_coroutine, "coroutine", on_success=Callback(when_done))
        queue.enqueue(fails_once, "retried", "retried", retry=Retry(max=2))
        queue.enqueue(killed_once, "killed", retry=Retry(max=1))
        queue.enqueue_many([Queue.prepare_data(ask, ["many"]), Queue.prepare_data(ask, ["many"])])
        assert meta == {"mine": 1}
    queue.enqueue(ask, "nobody's")
    with track_tokens(**GLOBEX):
        queue.enqueue(fails, "failing", on_failure=Callback(when_failed))
        queue.enqueue_in(dt.timedelta(seconds=1), ask, "later")
        queue.enqueue(ask, "repeated", repeat=Repeat(times=1, interval=1))
    queue.enqueue(enqueues, "nobody's")
    queue.enqueue(ask, "nobody's")


def at_once():
    queue = queue_of(Job, is_async=False)
    with track_tokens(**ACME):
        queue.enqueue(ask, "at once", on_success=Callback(when_done))
        job = Job.create(ask, ["later"], connection=queue.connection)
    with track_tokens(**GLOBEX):
        queue.enqueue_job(job)
        ask("after")
    queue.enqueue(ask, "nobody's")


def mixed():
    with track_tokens(**ACME):
        queue_of(Job).enqueue(ask, "of a queue with attribution")
        queue_of(None).enqueue(ask, "of a queue without")


if __name__ == "__main__":
    import rq_probe

    getattr(rq_probe, sys.argv[1])()
