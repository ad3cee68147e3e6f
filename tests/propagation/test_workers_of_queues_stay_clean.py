"""What holds for every queue: nothing is left over of a task that was cut off, nothing of ours fails a task, and no queue is imported unasked."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from tokentrail import track_tokens
from tokentrail.attribution import attribution
from tokentrail.propagation import inject
from tokentrail.propagation.tasks import begin, end

QUEUES = {"celery": "celery", "rq": "rq", "dramatiq": "dramatiq"}


def tenant() -> str:
    block = attribution.get()
    return "" if block is None else block.tenant_id


def carrier_of(tenant_id: str, **more: str) -> dict[str, Any]:
    carrier: dict[str, Any] = {}
    with track_tokens(tenant_id=tenant_id, **more):  # type: ignore[arg-type]
        inject(carrier)
    return carrier


def test_a_task_that_was_cut_off_leaves_nothing_to_the_next() -> None:
    carriers = carrier_of("acme", operation="query", operation_id="op1"), carrier_of("globex")
    first, second = map(begin, carriers)
    block = attribution.get()
    assert block is not None
    assert (block.tenant_id, block.operation, block.operation_id) == ("globex", "", "")
    third = begin({})
    assert attribution.get() is None
    for entered in (third, second, first):
        end(entered)
    assert attribution.get() is None


def test_an_end_without_a_beginning_is_harmless() -> None:
    entered = begin(carrier_of("acme"))
    end(entered)
    end(entered)
    end(None)
    assert tenant() == ""


@pytest.mark.slow
@pytest.mark.parametrize("queue", QUEUES)
def test_a_queue_that_is_not_installed_is_one_sentence(queue: str) -> None:
    program = f"import sys; sys.modules[{queue!r}] = None; import tokentrail.propagation.{queue}"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stderr.strip().splitlines()[-1].startswith(f"ImportError: tokentrail.propagation.{queue} needs ")
    assert "pip install" in ran.stderr


@pytest.mark.slow
def test_no_queue_is_imported_unasked() -> None:
    program = "import tokentrail.propagation, sys; tokentrail.instrument(); print([name for name in ('celery', 'kombu', 'rq', 'redis', 'dramatiq') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip() == "[]"


class Refuses(dict[str, Any]):
    def __setitem__(self, key: str, value: Any) -> None:
        raise OSError

    def get(self, *_: Any) -> Any:
        raise OSError

    __contains__ = get  # type: ignore[assignment]


def test_nothing_of_ours_fails_a_message_of_celery() -> None:
    celery = pytest.importorskip("celery")
    from celery import signals

    from tokentrail.propagation.celery import connect_signals, disconnect_signals

    app = celery.Celery("of a test", broker="memory://")
    ran = []

    @app.task
    def work() -> None:
        ran.append(tenant())

    connect_signals()
    connect_signals()
    try:
        with track_tokens(tenant_id="acme"):
            headers: dict[str, Any] = {}
            answers = signals.before_task_publish.send(sender="work", headers=headers)
            answers += signals.before_task_publish.send(sender="work", headers=Refuses())
            answers += signals.before_task_publish.send(sender="work", headers=None)
            answers += signals.task_prerun.send(sender=work, task=object())
            answers += signals.task_postrun.send(sender=work, task=object())
            work.apply(headers={"tokentrail": "no JSON"})
            work.apply(headers={"tokentrail": 7})
            work.apply(headers=carrier_of("globex"))
        assert [answer for _receiver, answer in answers] == [None] * 5
        assert headers.keys() == {"tokentrail"}
    finally:
        disconnect_signals()
    with track_tokens(tenant_id="acme"):
        work.apply(headers=carrier_of("globex"))
    assert ran == ["", "", "globex", "acme"]


def test_nothing_of_ours_fails_a_message_of_dramatiq() -> None:
    pytest.importorskip("dramatiq")
    from dramatiq import Message
    from dramatiq.broker import MessageProxy
    from dramatiq.brokers.stub import StubBroker

    from tokentrail.propagation.dramatiq import AttributionMiddleware

    middleware, broker = AttributionMiddleware(), StubBroker()
    message: Message[Any] = Message("default", "work", (), {}, Refuses())
    with track_tokens(tenant_id="acme"):
        middleware.before_enqueue(broker, message, 0)
        middleware.before_process_message(broker, MessageProxy(message))
        assert tenant() == ""
        middleware.after_nack(broker, MessageProxy(message))
        assert tenant() == "acme"
        middleware.after_ack(broker, MessageProxy(message))
        assert tenant() == "acme"


def test_only_the_end_of_its_own_message_ends_an_attribution_in_dramatiq() -> None:
    pytest.importorskip("dramatiq")
    from dramatiq import Message
    from dramatiq.broker import MessageProxy
    from dramatiq.brokers.stub import StubBroker

    from tokentrail.propagation.dramatiq import AttributionMiddleware

    middleware, broker = AttributionMiddleware(), StubBroker()
    message, another = (MessageProxy(Message("default", "work", (), {}, carrier_of(tenant_id))) for tenant_id in ("acme", "globex"))
    middleware.before_process_message(broker, message)
    middleware.after_ack(broker, another)
    assert tenant() == "acme"
    middleware.after_nack(broker, message)
    assert tenant() == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    ["from tokentrail.propagation.celery import connect_signals as use", "from tokentrail.propagation.dramatiq import AttributionMiddleware as use"],
)
def test_one_line_arms_the_hooks_before_a_worker_forks(line: str) -> None:
    program = f"from tokentrail.process.current import current; {line}; use(); print(current.runtime.armed)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip() == "True"


def test_nothing_of_ours_fails_a_job_of_rq() -> None:
    pytest.importorskip("rq")
    from redis import Redis

    from tokentrail.propagation.rq import Job

    unused = Redis()
    with track_tokens(tenant_id="acme"):
        job = Job.create(tenant, connection=unused)
    assert job.perform() == "acme"
    stored: dict[Any, Any] = {
        name.encode(): value if isinstance(value, bytes) else str(getattr(value, "value", value)).encode() for name, value in job.to_dict().items()
    }
    for text, expected in ((stored[b"tokentrail"], "acme"), (b"no JSON", ""), (b"\xff", ""), (b"", "")):
        again = Job(job.id, connection=unused)
        again.restore(stored | {b"tokentrail": text})
        assert again.perform() == expected
    del stored[b"tokentrail"]
    job.restore(stored)
    assert job.perform() == ""
