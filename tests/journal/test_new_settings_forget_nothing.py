"""`configure()` begins a new writer; what its former ones wrote, refused or still owe stays known: to flush, to metrics, to the process's end."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.journal import Program, adopt, environment, parse_numbers
from tests.support.otlp_receiver import Otlp, Record, hang, refuses
from tokentrail import semconv

HEAD = """
import json, os, threading, time
import tokentrail
from tests.support.journal_load import one, tell
from tokentrail.process.current import current
import tokentrail

def seen(**facts): os.write(1, (json.dumps(facts) + "\\n").encode())
def threads(): return len(os.listdir("/proc/self/task")) - 1
AWAY = "http://127.0.0.1:9/v1/logs"
"""


def run(start: Callable[..., Program], variables: dict[str, str], code: str, **options: Any) -> tuple[dict[str, set[int]], list[dict[str, Any]]]:
    """The numbers that the program was told, by writer, and what it has seen."""
    program = start(HEAD + code, variables, **options)
    assert program.end(60) == 0, program.errors
    assert "Traceback" not in program.errors
    facts = [json.loads(line) for line in program.lines if line.startswith("{")]
    return parse_numbers([line for line in program.lines if not line.startswith("{")]), facts


def test_flush_waits_for_what_former_settings_left(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    """The endpoint was wrong, then right: what was written before is sent to the right one, and only then flush says so."""
    code = """
for _ in range(3): tell(*one())
seen(flushed=tokentrail.flush(0.3))
tokentrail.configure(endpoint=os.environ["RIGHT"])
seen(flushed=tokentrail.flush(30))
"""
    variables = environment(root) | {"RIGHT": otlp.url}
    expected, [before, after] = run(start, variables, code)
    assert not before["flushed"]
    assert after["flushed"]
    [(writer_id, numbers)] = expected.items()
    assert set(otlp.numbers(writer_id)) == numbers
    assert list(root.iterdir()) == []


def test_what_waits_is_sent_when_shipping_is_on_again_without_a_new_record(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    code = """
for _ in range(3): tell(*one())
tokentrail.configure(ship=False)
while threads(): time.sleep(0.01)
tokentrail.configure(ship=True, endpoint=os.environ["RIGHT"])
seen(flushed=tokentrail.flush(30), listed=threading.active_count())
"""
    expected, [after] = run(start, environment(root) | {"RIGHT": otlp.url}, code)
    assert after == {"flushed": True, "listed": 1}  # no thread that has ended, or is none of `threading`'s, is kept in its list
    [(writer_id, numbers)] = expected.items()
    assert set(otlp.numbers(writer_id)) == numbers


STILL_WAITING = {
    "an endpoint that is away": "tokentrail.configure(endpoint=AWAY)",
    "no shipper any more": "tokentrail.configure(ship=False)",
    "another folder": "tokentrail.configure(journal_dir=os.environ['OTHER'], endpoint=AWAY)",
}


@pytest.mark.parametrize("change", STILL_WAITING.values(), ids=STILL_WAITING)
def test_flush_is_false_while_records_of_former_settings_wait(root: Path, otlp: Otlp, start: Callable[..., Program], change: str) -> None:
    code = f"""
for _ in range(3): tell(*one())
{change}
seen(flushed=tokentrail.flush(0.5))
for _ in range(2): tell(*one())
seen(flushed=tokentrail.flush(0.5))
tokentrail.configure(ship=True, endpoint=os.environ["RIGHT"])
seen(flushed=tokentrail.flush(30))
"""
    variables = environment(root) | {"RIGHT": otlp.url, "OTHER": str(root.parent / "other")}
    expected, facts = run(start, variables, code)
    assert [fact["flushed"] for fact in facts] == [False, False, True]
    assert sum(map(len, expected.values())) == 5
    for writer_id, numbers in expected.items():
        assert set(otlp.numbers(writer_id)) == numbers
    assert not list(root.glob("*/*.journal"))


def test_flush_is_false_for_what_former_settings_have_put_aside(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    def bad(record: Record) -> bool:
        return record.fields.get("tenant_id") == "poison"

    otlp.policy = refuses(bad)
    code = """
tell(*one()); tell(*one("poison"))
seen(flushed=tokentrail.flush(30))
tokentrail.configure(tenant_id="b")
tell(*one())
seen(flushed=tokentrail.flush(30))
deadline = time.monotonic() + 30
while current.runtime.journal.former.waiting() and time.monotonic() < deadline: time.sleep(0.01)
seen(flushed=tokentrail.flush(30), waiting=len(current.runtime.journal.former.waiting()))
import pathlib
[kept] = (pathlib.Path(current.settings.journal_dir) / "aside").iterdir()
kept.unlink()
seen(flushed=tokentrail.flush(30))
"""
    _, facts = run(start, environment(root, otlp.url), code)
    assert [fact["flushed"] for fact in facts] == [False, False, False, True]
    assert facts[2]["waiting"] == 0, "what is acknowledged is let go; that something lies aside is still known"


def test_flush_is_false_for_what_former_settings_have_refused(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    """The folder cannot be made, so nobody can be told: until an endpoint answers."""
    root.write_text("a file where the folder should be")
    code = """
for _ in range(3): tell(*one())
tokentrail.configure(journal_dir=os.environ["OTHER"], endpoint=AWAY)
seen(flushed=tokentrail.flush(0.5))
tokentrail.configure(endpoint=os.environ["RIGHT"])
tell(*one())
seen(flushed=tokentrail.flush(30))
"""
    variables = environment(root) | {"RIGHT": otlp.url, "OTHER": str(root.parent / "other")}
    _, facts = run(start, variables, code)
    assert [fact["flushed"] for fact in facts] == [False, True]
    [refused] = [writer_id for writer_id in otlp.writers() if otlp.refused(writer_id)]
    assert otlp.refused(refused) == {1, 2, 3}
    assert otlp.closings(refused)[0]["last_seq"] == 3


ESTIMATED = """
from tokentrail.recording import recorder
from tokentrail.instrumentation import contract
from tokentrail.counting import estimator
request = contract.Request("openai", "chat", "chat", model="mistral-large", texts=["one two three"])
slow, complete = threading.Event(), estimator.complete
def waits(*args):
    slow.wait(30)
    return complete(*args)
estimator.complete = waits
def unstated(): recorder.start(request).finish(contract.Answer(model="mistral-large", output_texts=["four five"]))
"""


def test_an_estimate_completes_its_record_after_the_settings_changed(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    code = (
        ESTIMATED
        + """
unstated(); unstated()
former = current.runtime.journal.end.writer
tokentrail.configure(tenant_id="b")
unstated()
seen(flushed=tokentrail.flush(0.2), closed=former.closed)
slow.set()
seen(flushed=tokentrail.flush(30), closed=former.closed)
"""
    )
    _, facts = run(start, environment(root, otlp.url), code)
    assert facts == [{"flushed": False, "closed": False}, {"flushed": True, "closed": True}]
    rows: dict[str, list[int | None]] = {}
    for writer_id in otlp.writers():
        for record in otlp.events(writer_id, semconv.EVENT_USAGE):
            identity = f"{writer_id} {record.fields.get('call', record.seq)}"
            rows.setdefault(identity, []).append(record.attributes.get(semconv.INPUT_TOKENS))
        [closing] = otlp.closings(writer_id)
        assert closing["last_seq"] == max(otlp.numbers(writer_id))
    assert len(rows) == 3
    assert all(said[0] is None and said[1] is not None and len(said) == 2 for said in rows.values())


def test_the_end_of_a_process_waits_for_all_its_writers(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    """Two former writers whose endpoint was away, one with an estimate under way, and the one in force."""
    code = (
        ESTIMATED
        + """
for _ in range(3): tell(*one())
tokentrail.configure(journal_dir=os.environ["OTHER"])
for _ in range(2): tell(*one())
unstated()
tokentrail.configure(endpoint=os.environ["RIGHT"])
tell(*one())
threading.Timer(0.2, slow.set).start()
"""
    )
    variables = environment(root, exit_timeout=20) | {"RIGHT": otlp.url, "OTHER": str(root.parent / "other")}
    expected, _ = run(start, variables, code)
    assert len(expected) == 3
    for writer_id, numbers in expected.items():
        assert set(otlp.numbers(writer_id)) >= numbers
        [closing] = otlp.closings(writer_id)
        assert closing["last_seq"] == max(otlp.numbers(writer_id))
    assert not list(root.parent.glob("*/*/*.journal"))


def test_the_end_of_a_process_delivers_to_the_endpoint_in_force(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    """Nothing was recorded since the settings changed."""
    code = """
for _ in range(3): tell(*one())
tokentrail.configure(endpoint=os.environ["RIGHT"])
"""
    expected, _ = run(start, environment(root, exit_timeout=20) | {"RIGHT": otlp.url}, code)
    [(writer_id, numbers)] = expected.items()
    assert set(otlp.numbers(writer_id)) == numbers
    assert list(root.iterdir()) == []


def test_a_former_collector_that_hangs_keeps_the_next_one_from_nothing(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    release = threading.Event()
    with Otlp(lambda _received: hang(release)) as hanging:
        code = """
for _ in range(3): tell(*one())
deadline = time.monotonic() + 20
while not os.path.exists(os.environ["REQUESTED"]) and time.monotonic() < deadline: time.sleep(0.01)
tokentrail.configure(endpoint=os.environ["RIGHT"])
mine = one()
tell(*mine)
while current.runtime.journal.end.background._acknowledged_seq < 1 and time.monotonic() < deadline: time.sleep(0.01)
seen(current=current.runtime.journal.end.background.has_acknowledged(1), flushed=tokentrail.flush(0.2))
"""
        requested = root.parent / "requested"
        policy = hanging.policy

        def note(received: Any) -> Any:
            requested.touch()
            return policy(received)

        hanging.policy = note
        variables = environment(root, hanging.url, exit_timeout=0.2) | {"RIGHT": otlp.url, "REQUESTED": str(requested)}
        expected, [fact] = run(start, variables, code)
        assert fact == {"current": True, "flushed": False}
        release.set()
    assert adopt(root, otlp).done
    assert sorted(map(len, expected.values())) == [1, 3]
    for writer_id, numbers in expected.items():
        assert set(otlp.numbers(writer_id)) == numbers


def test_many_changes_pile_up_neither_threads_nor_files(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    code = (
        ESTIMATED
        + """
slow.set()
def open_files(): return len(os.listdir("/proc/self/fd"))
tell(*one()); unstated()
assert tokentrail.flush(30)
before = open_files(), threading.active_count()
for number in range(60):
    tokentrail.configure(tenant_id=f"tenant-{number}")
    tell(*one()); unstated()
assert tokentrail.flush(60)
deadline = time.monotonic() + 30
while (current.runtime.journal.former.waiting() or open_files() > before[0] + 2) and time.monotonic() < deadline: time.sleep(0.02)
after = open_files(), len(os.listdir("/proc/self/task"))
seen(files=after[0] - before[0], tasks=after[1], folders=len(os.listdir(current.settings.journal_dir)), former=len(current.runtime.journal.former.waiting()))
"""
    )
    expected, [fact] = run(start, environment(root, otlp.url), code)
    assert len(expected) == 61
    assert fact["files"] <= 2
    assert fact["tasks"] <= 5, "main, shipper, estimator, and what libraries have"
    assert fact["folders"] == 1
    assert fact["former"] == 0


def test_metrics_and_totals_go_on(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    """A writer that begins and ends between two exports counts too, and what an estimate adds to a former one."""
    code = (
        ESTIMATED
        + """
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader]))

def values():
    found = {}
    for resource in reader.get_metrics_data().resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    if hasattr(point, "value"):
                        name = metric.name, point.attributes.get("tokentrail.journal.outcome", "")
                        found[name] = found.get(name, 0) + point.value
    return found

events, tokens = ("tokentrail.journal.events", "written"), ("gen_ai.client.inference.usage.input_tokens", "")
stated = contract.Answer(model="m", input_tokens=5, output_tokens=1)
with tokentrail.track_tokens("chat") as spent:
    last = {}
    for number in range(4):
        for _ in range(2):
            recorder.start(request).finish(stated)
            tokentrail.configure(tenant_id=f"tenant-{number}")
        found = values()
        assert found[events] >= last.get(events, 0) and found[tokens] >= last.get(tokens, 0), (found, last)
        last = found
    unstated()
    tokentrail.configure(tenant_id="last")
    slow.set()
    assert tokentrail.flush(30)
    found = values()
    seen(events=found[events], tokens=found[tokens], refused=found[events[0], "refused"], calls=spent.calls, spent=spent.input_tokens)
"""
    )
    _, [fact] = run(start, environment(root, otlp.url), code)
    assert fact == {"events": 10, "tokens": 40, "refused": 0, "calls": 9, "spent": 40}


def test_a_forked_child_forgets_its_parents_former_writers(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    code = """
for _ in range(3): tell(*one())
tokentrail.configure(tenant_id="b")
tell(*one())
pid = os.fork()
if pid == 0:
    counts, flushed = current.runtime.journal.counts(), tokentrail.flush(0)
    tell(*one())
    os._exit(0 if counts == (0, 0) and flushed and current.runtime.journal.counts() == (1, 0) else 1)
assert os.waitpid(pid, 0)[1] == 0
seen(counts=current.runtime.journal.counts(), flushed=tokentrail.flush(0.2))
"""
    expected, [fact] = run(start, environment(root, exit_timeout=0), code)
    assert fact == {"counts": [4, 0], "flushed": False}
    assert adopt(root, otlp).done
    assert sorted(map(len, expected.values())) == [1, 1, 3]
    for writer_id, numbers in expected.items():
        assert set(otlp.numbers(writer_id)) == numbers
        assert otlp.closings(writer_id)


def test_settings_that_change_while_a_writer_begins_are_kept(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    """`configure()` between a first record's look at the settings and its writer: that writer must not stay in force under the old ones."""
    code = """
from tokentrail.recording import runtime
resource = runtime.resource_attributes
def changes(*given):
    runtime.resource_attributes = resource
    thread = threading.Thread(target=tokentrail.configure, kwargs={"endpoint": os.environ["RIGHT"]})
    thread.start()
    thread.join()
    return resource(*given)
runtime.resource_attributes = changes
tell(*one())
seen(flushed=tokentrail.flush(30))
"""
    _, [fact] = run(start, environment(root) | {"RIGHT": otlp.url}, code)
    assert fact["flushed"]
