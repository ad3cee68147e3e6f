"""A patched function is copied and pickled as the SDK's own, whichever way it is patched: transplanted, or wrapped in its place."""

from __future__ import annotations

import copy
import functools
import pickle
from collections.abc import Iterator
from operator import attrgetter
from typing import Any

import pytest

import tokentrail
from tokentrail.instrumentation.registry import integrations
from tokentrail.instrumentation.wrappers import Wrapper

cohere = pytest.importorskip("cohere")
METHODS = ("Client.chat_stream", "ClientV2.chat_stream", "AsyncClientV2.chat_stream", "Client.generate_stream", "Client.chat", "ClientV2.embed")


@pytest.fixture(autouse=True)
def instrumented() -> Iterator[None]:
    tokentrail.instrument()
    yield
    tokentrail.uninstrument()


@pytest.mark.parametrize("name", METHODS)
def test_functions_of_classes(name: str) -> None:
    function: Any = attrgetter(name)(cohere)
    for copied in (copy.copy(function), copy.deepcopy(function), copy.deepcopy({"f": function})["f"], pickle.loads(pickle.dumps(function))):
        assert copied == function
    assert copy.deepcopy(functools.partial(function, None)).func == function


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_what_was_pickled_needs_nothing_of_ours(protocol: int) -> None:
    pickled = pickle.dumps(cohere.ClientV2.chat_stream, protocol)
    assert b"tokentrail" not in pickled
    tokentrail.uninstrument()
    assert pickle.loads(pickled) is cohere.ClientV2.chat_stream


class Holder:
    """A class with a wrapped generator function."""

    def items(self) -> Iterator[int]:
        yield 1


def test_methods_of_instances(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Holder, "items", Wrapper(Holder.items, lambda wrapped, _instance, args, kwargs: wrapped(*args, **kwargs)))
    holder = Holder()
    assert copy.copy(holder.items).__self__ is holder
    assert type(copy.deepcopy(holder.items).__self__) is Holder
    assert copy.deepcopy(holder.items).__self__ is not holder
    assert list(pickle.loads(pickle.dumps(holder.items))()) == [1]


def test_every_hooked_function_of_every_sdk() -> None:
    """None of them refuses to be copied."""
    tried = 0
    for integration in integrations().values():
        for hook in integration.hooks:
            try:
                module = __import__(hook.module, fromlist=["_"])
                function = attrgetter(hook.name)(module)
            except (ImportError, AttributeError):
                continue
            assert copy.copy(function) is not None
            assert copy.deepcopy(function) is not None
            tried += 1
    assert tried > 20
