"""A process that ends does not begin to load a vocabulary: the row keeps its text sizes. One that is loaded, or not needed, counts to the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.journal import Program, adopt, environment
from tests.support.otlp_receiver import Otlp
from tokentrail import semconv

CODE = """
import os, sys, threading
import tokentrail
from tokentrail.process.current import current
from tokentrail.recording import recorder
from tokentrail.instrumentation import contract
from tokentrail.counting import vocabularies
{before}
go = threading.Event()
real = vocabularies.load
def load(vocabulary, **options):
    print("asked", vocabularies.is_loaded(vocabulary), flush=True)
    return real(vocabulary, **options)
vocabularies.load = load
request = contract.Request("openai", "chat", "chat", model={model!r}, texts=["one two three"])
# the estimator's thread is held until the end has begun
from tokentrail.counting import estimator
ready = estimator.Estimator._complete
def complete(self, entry):
    go.wait(20)
    ready(self, entry)
estimator.Estimator._complete = complete
recorder.start(request).finish(contract.Answer(model={model!r}, output_texts=["four five"]))
drain = estimator.Estimator.drain
def drains(self, timeout, **options):
    threading.Timer(0.1, go.set).start()
    return drain(self, timeout, **options)
estimator.Estimator.drain = drains
import atexit
atexit.register(lambda: None)
"""


@pytest.mark.parametrize(
    ("model", "before", "counted", "loads"),
    [
        ("gpt-4o", "", False, False),
        ("gpt-4o", "assert tokentrail.count_tokens('x', model='gpt-4o').exact", True, False),
        ("mistral-large", "", True, False),
    ],
    ids=["a vocabulary that is not loaded", "one that is", "none is needed"],
)
def test_at_the_end(root: Path, otlp: Otlp, start: Callable[..., Program], model: str, before: str, counted: bool, loads: bool) -> None:
    program = start(CODE.format(model=model, before=before), environment(root, otlp.url, exit_timeout=20))
    assert program.end(60) == 0, program.errors
    assert "Traceback" not in program.errors
    assert ("asked False" in program.lines) is loads
    adopt(root, otlp)
    [writer_id] = otlp.writers()
    rows = [record.fields for record in otlp.events(writer_id, semconv.EVENT_USAGE)]
    assert rows[0]["input_chars"] == 13
    assert len(rows) == (2 if counted else 1)
