"""After `uninstrument()` every function is the very object that it was; doing things twice changes nothing; others' patches stay."""

from __future__ import annotations

from types import FunctionType
from typing import Any

import groq
import ollama
import openai
import pytest
import wrapt

from tests.support.installed import ALL
from tests.support.mistral import sdk as mistral
from tests.support.scripted import ScriptedServer, completion
from tokentrail.instrumentation.registry import instrument, instrumented, uninstrument
from tokentrail.testing import Usages

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
CLASSES = [
    openai._base_client.SyncAPIClient,
    openai._base_client.AsyncAPIClient,
    openai._base_client.BaseClient,
    openai.OpenAI,
    openai.Stream,
    openai.resources.chat.Completions,
    groq._base_client.SyncAPIClient,
    groq._base_client.AsyncAPIClient,
    groq._base_client.BaseClient,
    mistral.BaseSDK,
    mistral.SDKHooks,
    ollama.Client,
    ollama.AsyncClient,
]


def everything() -> dict[tuple[type, str], Any]:
    return {(kind, name): (value, inside(value)) for kind in CLASSES for name, value in vars(kind).items() if callable(value)}


def inside(value: Any) -> Any:
    """What makes a function behave as it does: our hooks leave the object in its place."""
    return (value.__code__, value.__defaults__, value.__kwdefaults__, dict(vars(value))) if type(value) is FunctionType else None


def same(before: dict[Any, Any], after: dict[Any, Any]) -> bool:
    return before.keys() == after.keys() and all(after[place][0] is value[0] and after[place][1] == value[1] for place, value in before.items())


def test_every_function_is_the_same_object_again() -> None:
    before = everything()
    instrument()
    assert not same(before, everything())
    instrument()
    instrument(["openai"])
    uninstrument()
    assert same(before, everything())
    uninstrument()
    assert same(before, everything())


def test_one_provider_at_a_time() -> None:
    before = everything()
    instrument(["groq"])
    changed = {kind.__module__.partition(".")[0] for (kind, name), value in everything().items() if before[kind, name] != value}
    assert changed == {"groq"}
    assert list(instrumented()) == ["groq"]
    instrument("ollama")
    uninstrument("groq")
    assert list(instrumented()) == ["ollama"]
    assert instrumented()["ollama"] == ["ollama._client:Client._request", "ollama._client:AsyncClient._request"]


def test_instrumenting_twice_counts_once(usages: Usages) -> None:
    instrument()
    instrument()
    with ScriptedServer(completion()) as server:
        client = openai.OpenAI(base_url=server.url, api_key="none")
        client.chat.completions.create(**ASK)
        assert len(usages.recorded) == 1
        uninstrument()
        client.chat.completions.create(**ASK)
        assert len(usages.recorded) == 1


def test_a_client_made_before_is_counted_and_one_made_meanwhile_is_not_counted_after(usages: Usages) -> None:
    with ScriptedServer(completion()) as server:
        before = openai.OpenAI(base_url=server.url, api_key="none")
        create = before.chat.completions.create
        instrument()
        create(**ASK)
        assert len(usages.recorded) == 1
        raw = openai.OpenAI(base_url=server.url, api_key="none").chat.completions.with_raw_response
        uninstrument()
        raw.create(**ASK)
        assert len(usages.recorded) == 1


def test_a_patch_that_somebody_put_over_ours_stays(usages: Usages) -> None:
    kind = openai._base_client.SyncAPIClient
    original = vars(kind)["request"]
    theirs: list[str] = []

    def wrapper(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        theirs.append("called")
        return wrapped(*args, **kwargs)

    with ScriptedServer(completion()) as server:
        client = openai.OpenAI(base_url=server.url, api_key="none")
        instrument()
        over = wrapt.FunctionWrapper(vars(kind)["request"], wrapper)
        kind.request = over  # type: ignore[method-assign]
        try:
            for on, expected in ((True, 1), (False, 1), (True, 2)):
                (instrument if on else uninstrument)()
                client.chat.completions.create(**ASK)
                assert len(usages.recorded) == expected
                assert vars(kind)["request"] is over
        finally:
            uninstrument()
            kind.request = original  # type: ignore[method-assign]
        instrument()
        client.chat.completions.create(**ASK)
        assert len(usages.recorded) == 3
    assert len(theirs) == 3
    uninstrument()
    assert vars(kind)["request"] is original


def test_an_unknown_integration_is_named() -> None:
    with pytest.raises(ValueError, match=f"no integration 'opanai': there are {', '.join(ALL)}"):
        instrument(["opanai"])
