"""What is compared of a call is what the call shows: not what Python's garbage collector happens to end meanwhile."""

from __future__ import annotations

import gc
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tokentrail.testing.conformance.case import Case, Steps
from tokentrail.testing.conformance.kit import Kit
from tokentrail.testing.recording import Recording


class _Client:
    """A client like Mistral's: it is part of a reference cycle, and its end tells a warning."""

    def __init__(self) -> None:
        self.itself = self
        weakref.finalize(self, warnings.warn, "a client of an earlier call has ended", RuntimeWarning)


class _Stage:
    asked: tuple[()] = ()


class _KitOfCallsThatAllocate(Kit):
    """Each call allocates enough for several collections."""

    integration = "openai"

    @contextmanager
    def calling(self, stage: Any, case: Case) -> Iterator[tuple[Any, Steps]]:
        yield _Client, Steps(asynchronous=False)

    def ask(self, client: Any, case: Case) -> Any:
        return [[[]] for _ in range(100_000)] and "an answer"

    def whole(self, answer: Any, case: Case) -> Any:
        return answer


RECORDING = Recording("plain", "acme", "chat", "POST", "/", {}, False, 200, {}, "json", b"{}", {}, None, {})


def test_a_client_of_an_earlier_call_that_is_collected_is_not_seen() -> None:
    _Client()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        seen = _KitOfCallsThatAllocate().look(_Stage(), Case(RECORDING))  # type: ignore[arg-type]
        gc.collect()
    assert seen.warnings == []
    assert [str(each.message) for each in warned] == ["a client of an earlier call has ended"]
    assert gc.isenabled()
