"""A call without counts is one call, whatever happens before its estimate is made: the same writer says both, or the estimate is left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support.journal import Program, adopt, environment
from tests.support.otlp_receiver import Otlp
from tokentrail import semconv

CODE = """
import os, time
import tokentrail
from tokentrail.process.current import current
from tokentrail.recording import recorder
from tokentrail.instrumentation import contract
def one(model="gpt-4"):
    request = contract.Request("openai", "chat", "chat", model=model, texts=["one two three"])
    recorder.start(request).finish(contract.Answer(model=model, output_texts=["four five"]))
one()
{between}
one()
current.runtime.deferred.drain(10)
current.runtime.drain_estimates(10)
"""


def calls(otlp: Otlp) -> dict[tuple[str, str, int], list[int | None]]:
    """Input tokens that were said for each identity (key, writer, call)."""
    found: dict[tuple[str, str, int], list[int | None]] = {}
    for writer_id in otlp.writers():
        for record in otlp.events(writer_id, semconv.EVENT_USAGE):
            identity = (record.fields["key"], writer_id, record.fields.get("call", record.seq))
            found.setdefault(identity, []).append(record.attributes.get(semconv.INPUT_TOKENS))
    return found


def run(root: Path, otlp: Otlp, start: Callable[..., Program], between: str) -> dict[tuple[str, str, int], list[int | None]]:
    program = start(CODE.format(between=between), environment(root, otlp.url, exit_timeout=10))
    assert program.end() == 0, program.errors
    adopt(root, otlp)
    found = calls(otlp)
    assert len({key for key, _, _ in found}) == len(found), "one call under two identities"
    return found


def test_by_the_writer_that_recorded_it(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    found = run(root, otlp, start, "")
    assert len(found) == 2
    for said in found.values():
        assert said[0] is None
        assert said[1] is not None
        assert len(said) == 2


def test_never_by_another_one(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    for between in ("tokentrail.configure(tenant_id='b')", "pid = os.fork()\nif pid: os.waitpid(pid, 0)"):
        found = run(root, otlp, start, between)
        assert len(found) >= 2
        assert all(said[0] is None and len(said) <= 2 for said in found.values())
        otlp.taken.clear()
        otlp.forget()


def test_also_with_another_vocabulary_after_a_close(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    found = run(root, otlp, start, "current.runtime.close()\none('gpt-4o')")
    assert len(found) == 3
    assert [len(said) for said in found.values()] == [2, 2, 2], found
