"""Tasks of a Celery application beside the recipe's, and what sends them: `python -m celery_probe NAME`."""

import os
import signal
import sys
import time
from pathlib import Path

from celery import chain, chord, group
from celery_tasks import app
from openai import OpenAI

from tokentrail import track_tokens
from tokentrail.propagation import inject

FOLDER = Path.cwd()
if app.conf.broker_url == "filesystem://":
    (FOLDER / "messages").mkdir(exist_ok=True)
    (FOLDER / "results").mkdir(exist_ok=True)
    app.conf.broker_transport_options = dict.fromkeys(("data_folder_in", "data_folder_out", "control_folder"), str(FOLDER / "messages"))
    app.conf.result_backend = f"file://{FOLDER}/results"
elif app.conf.broker_url != "memory://":
    app.conf.result_backend = app.conf.broker_url
app.conf.result_chord_retry_interval = 0.2
ACME = {"operation": "batch", "tenant_id": "acme", "operation_id": "op1", "metadata": {"a": 1}}
GLOBEX = {"operation": "query", "tenant_id": "globex", "operation_id": "op2"}


def ask(text):
    return OpenAI(max_retries=0).chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": text}]).id


@app.task
def step(text, before=None):
    return ask(text)


@app.task
def joined(results, text):
    return ask(text)


@app.task
def fails(text):
    ask(text)
    raise ValueError(text)


@app.task
def told(request, error, traceback, text="errback"):
    ask(text)


@app.task(bind=True, max_retries=1)
def retried_within_a_block(self, text):
    with track_tokens("chat", operation_id="inner"):
        ask(text)
        raise self.retry(countdown=0)


@app.task(acks_late=True, reject_on_worker_lost=True)
def killed_once(text):
    ask(text)
    seen = FOLDER / "killed"
    if not seen.exists():
        seen.touch()
        os.kill(os.getpid(), signal.SIGKILL)


@app.task(soft_time_limit=1)
def too_long(text):
    ask(text)
    time.sleep(30)


@app.task
def sends(text):
    with track_tokens("classification", tenant_id="sub"):
        step.delay(f"{text} sent within")
        step.apply(args=[f"{text} at once"])
    return ask(text)


def plain():
    for _ in range(3):
        with track_tokens(**ACME):
            step.delay("plain acme")
        step.delay("plain nobody")
        with track_tokens(**GLOBEX):
            fails.delay("plain globex")
        step.delay("plain nobody")


def canvas():
    with track_tokens(**ACME):
        chain(step.s("chain 1"), step.si("chain 2"), step.si("chain 3")).delay()
        group(step.s(f"group {each}") for each in range(3)).delay()
        chord([step.s("part 1"), step.s("part 2")])(joined.s("body"))
        step.apply_async(args=["linked"], link=step.si("link"))
        fails.apply_async(args=["failing"], link_error=told.s())
    step.delay("nobody's")


def hard():
    with track_tokens(**ACME):
        killed_once.delay("killed")
        retried_within_a_block.delay("retried")
    with track_tokens(**GLOBEX):
        too_long.delay("long")
    step.delay("nobody's")


def headers():
    own = {"x-mine": "kept"}
    with track_tokens(**ACME):
        step.apply_async(args=["own headers"], headers=own)
        inject(given := {})
    assert own == {"x-mine": "kept"}
    with track_tokens(**GLOBEX):
        step.apply_async(args=["a carrier of one's own"], headers=given)
        app.send_task("celery_probe.step", args=["by name"])
        step.apply_async(args=["later"], countdown=0.5)
        step.apply_async(args=["of the older protocol"], headers={"y": "1"})
    sends.delay("unattributed")


def eager():
    with track_tokens(**ACME):
        step.apply(args=["eager"])
        inject(given := {})
    app.conf.task_always_eager = True
    with track_tokens(**GLOBEX):
        step.delay("always eager")
        step.apply_async(args=["eager with a carrier"], headers=given)
        ask("after")
    step.delay("nobody's")


def old_protocol():
    app.conf.task_protocol = 1
    with track_tokens(**ACME):
        step.delay("of protocol 1")
    step.delay("nobody's")


if __name__ == "__main__":
    import celery_probe

    getattr(celery_probe, sys.argv[1])()
