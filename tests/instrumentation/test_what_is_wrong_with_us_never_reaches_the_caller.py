"""A reader that fails, a provider that cannot be loaded, an SDK that looks different: counted, logged, and the call goes through unchanged."""

from __future__ import annotations

import logging
import types
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

from tests.support.installed import Point
from tests.support.scripted import ScriptedServer, chunks, completion, sse
from tokentrail.instrumentation import patching, registry
from tokentrail.instrumentation.contract import Answer, Exchange, Hook, Integration, Request
from tokentrail.instrumentation.registry import instrument, uninstrument
from tokentrail.integrations import openai as openai_integration
from tokentrail.process.current import current
from tokentrail.testing import Usages

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


def broken(*_: Any, **__: Any) -> Any:
    raise RuntimeError("our mistake")


@pytest.fixture
def swallowed() -> Any:
    before = dict(current.runtime.diagnostics.internal_errors)
    return lambda: sum(current.runtime.diagnostics.internal_errors.values()) - sum(before.values())


@pytest.mark.parametrize("place", ["texts", "read"])
def test_a_reader_that_fails(place: str, usages: Usages, swallowed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    monkeypatch.setitem(openai_integration.ROUTES.known, "/chat/completions", replace(openai_integration.CHAT, **{place: broken}))
    instrument()
    with ScriptedServer(completion()) as server:
        answer = openai.OpenAI(base_url=server.url, api_key="none").chat.completions.create(**ASK)
    assert answer.choices[0].message.content == "lorem ipsum"
    assert swallowed() == 1
    assert [usage.source for usage in usages.recorded] == ([] if place == "texts" else ["unknown"])


@pytest.mark.parametrize("place", ["absorb", "reading"])
def test_a_stream_reader_that_fails(place: str, usages: Usages, swallowed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"tokentrail.integrations.shapes.openai_chat.ChatChunks.{place}", broken)
    instrument()
    with ScriptedServer(sse(chunks("lorem", "ipsum"))) as server:
        got = list(openai.OpenAI(base_url=server.url, api_key="none").chat.completions.create(**ASK, stream=True))
    assert len(got) == 4
    assert swallowed() == (4 if place == "absorb" else 1)
    assert [usage.source for usage in usages.recorded] == ["unknown"]


NO_READINGS: dict[str, Any] = {
    "an answer alone": Answer(),
    "a number": 7,
    "another object": (object(), "complete"),
    "reasons that are none": (Answer(finish_reasons=5), "complete"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("reading", NO_READINGS.values(), ids=NO_READINGS)
def test_a_reader_that_returns_something_else(reading: Any, usages: Usages, swallowed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    monkeypatch.setitem(openai_integration.ROUTES.known, "/chat/completions", replace(openai_integration.CHAT, read=lambda _answer: reading))
    instrument()
    with ScriptedServer(completion()) as server:
        assert openai.OpenAI(base_url=server.url, api_key="none").chat.completions.create(**ASK).choices[0].message.content == "lorem ipsum"
    assert swallowed() == 1
    assert [(usage.source, usage.ended) for usage in usages.recorded] == [("unknown", "complete")]


@pytest.mark.parametrize("reading", NO_READINGS.values(), ids=NO_READINGS)
def test_a_stream_reader_that_returns_something_else(reading: Any, usages: Usages, swallowed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokentrail.integrations.shapes.openai_chat.ChatChunks.reading", lambda _chunks, *, exhausted: reading)
    instrument()
    with ScriptedServer(sse(chunks("lorem", "ipsum"))) as server:
        assert len(list(openai.OpenAI(base_url=server.url, api_key="none").chat.completions.create(**ASK, stream=True))) == 4
    assert swallowed() == 1
    assert [(usage.source, usage.ended) for usage in usages.recorded] == [("unknown", "partial")]


@pytest.mark.parametrize("stated", [7, (Answer(), "complete"), Answer(finish_reasons=5)], ids=["a number", "a pair", "reasons that are none"])  # type: ignore[arg-type]
def test_a_reader_of_errors_that_returns_something_else(stated: Any, usages: Usages, swallowed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    chat = replace(openai_integration.CHAT, read_error=lambda _exchange, _error: stated)
    monkeypatch.setitem(openai_integration.ROUTES.known, "/chat/completions", chat)
    instrument()
    with ScriptedServer((400, {"error": {"message": "no"}})) as server, pytest.raises(openai.BadRequestError):
        openai.OpenAI(base_url=server.url, api_key="none").chat.completions.create(**ASK)
    assert swallowed() == 1
    assert [(usage.source, usage.ended, usage.error_type) for usage in usages.recorded] == [("unknown", "error", "400")]


def test_a_recorder_that_fails(swallowed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokentrail.recording.recorder.start", broken)
    instrument()
    with ScriptedServer(completion()) as server:
        assert openai.OpenAI(base_url=server.url, api_key="none").chat.completions.create(**ASK)
    assert swallowed() == 1


class Raises(logging.Handler):
    """A handler of the application's own that fails at every message."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
        raise ConnectionError("the log's server is away")


@pytest.fixture
def raises() -> Iterator[Raises]:
    handler, logger = Raises(), logging.getLogger("tokentrail")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_a_log_that_fails_ends_no_call_and_loses_none(raises: Raises, usages: Usages, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unnamed host is said once, and so is an error of a reader."""
    monkeypatch.setattr("tokentrail.integrations.shapes.openai_chat.ChatChunks.reading", broken)
    instrument()
    with ScriptedServer(sse(chunks("lorem", "ipsum"))) as server:
        assert len(list(openai.OpenAI(base_url=server.url, api_key="none").chat.completions.create(**ASK, stream=True))) == 4
    assert [usage.source for usage in usages.recorded] == ["unknown"]
    assert any("is recorded as openai" in message for message in raises.messages)
    assert any("RuntimeError in stream" in message for message in raises.messages)
    assert current.runtime.diagnostics.internal_errors == {"stream": 1, "diagnostics.log": 1}


@pytest.mark.parametrize("level", [logging.WARNING, logging.DEBUG])
def test_an_errors_message_is_not_logged_for_it_may_quote_a_prompt(
    level: int, usages: Usages, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def quotes(body: Any, **_: Any) -> Any:
        raise ValueError(f"cannot read {body}")

    monkeypatch.setattr("tokentrail.integrations.shapes.openai_chat.ChatChunks.reading", lambda chunks, **_: quotes(chunks.texts))
    instrument()
    with caplog.at_level(level, "tokentrail"), ScriptedServer(sse(chunks("PLANTED", "ipsum"))) as server:
        list(openai.OpenAI(base_url=server.url, api_key="none").chat.completions.create(**ASK, stream=True))
    assert "ValueError in stream" in caplog.text
    assert "PLANTED" not in caplog.text


def test_an_sdk_that_looks_different(swallowed: Any) -> None:
    hook = Hook("openai._base_client", "NoSuchClient.request", opens=lambda *_: None)
    patching.apply(hook)
    assert swallowed() == 1
    assert not patching.is_on(hook)


def third_party(module: str) -> Integration:
    """An integration as the contract has it."""

    def opens(_client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange:
        request = Request(provider="acme", endpoint="chat", gen_ai_operation="chat", model=kwargs["model"], texts=[kwargs["question"]])
        return Exchange(request=request, args=args, kwargs=kwargs, read=read)

    def read(result: Any) -> tuple[Answer, str]:
        return Answer(model=result["model"], input_tokens=result["in"], output_tokens=result["out"]), "complete"

    return Integration(name="acme", package="acme-sdk", hooks=(Hook(module, "Client.ask", opens=opens),))


def test_a_third_partys_integration(usages: Usages, monkeypatch: pytest.MonkeyPatch) -> None:
    class Client:
        def ask(self, *, model: str, question: str) -> dict[str, Any]:
            return {"model": f"{model}-2", "in": len(question), "out": 7}

    module = types.ModuleType("acme_client")
    module.Client = Client  # type: ignore[attr-defined]
    monkeypatch.setitem(__import__("sys").modules, "acme_client", module)
    monkeypatch.setattr(registry, "points", lambda: {"acme": Point(third_party("acme_client"))})
    plain = Client.ask
    instrument()
    assert Client().ask(model="a", question="why")["out"] == 7
    (usage,) = usages.recorded
    assert (usage.provider, usage.request_model, usage.response_model, usage.input_tokens, usage.output_tokens) == ("acme", "a", "a-2", 3, 7)
    uninstrument()
    assert Client.ask is plain


NO_EXCHANGES: dict[str, Callable[[Request], Any]] = {
    "no arguments": lambda request: Exchange(request, None, {}, read=broken),  # type: ignore[arg-type]
    "no words": lambda request: Exchange(request, (), None, read=broken),  # type: ignore[arg-type]
    "no request": lambda _request: Exchange(None, (), {}, read=broken),  # type: ignore[arg-type]
    "a request alone": lambda request: request,
    "a number": lambda _request: 7,
}


@pytest.mark.parametrize("made", NO_EXCHANGES.values(), ids=NO_EXCHANGES)
def test_a_hook_that_opens_something_else(made: Callable[[Request], Any], usages: Usages, swallowed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Client:
        def ask(self, *, question: str) -> int:
            return len(question)

    module = types.ModuleType("acme_client")
    module.Client = Client  # type: ignore[attr-defined]
    monkeypatch.setitem(__import__("sys").modules, "acme_client", module)
    hook = Hook("acme_client", "Client.ask", opens=lambda *_: made(Request(provider="acme", endpoint="chat", gen_ai_operation="chat")))
    monkeypatch.setattr(registry, "points", lambda: {"acme": Point(Integration(name="acme", package="acme-sdk", hooks=(hook,)))})
    instrument()
    assert Client().ask(question="why") == 3
    assert swallowed() == 1
    assert usages.recorded == []


def test_clashes_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Installed:
        def __init__(self, name: str) -> None:
            self.metadata = {"Name": name}

    monkeypatch.setattr(
        registry, "distributions", lambda: [Installed("OpenInference_Instrumentation-openai"), Installed("openai"), Installed("openlit")]
    )
    found = registry.clashes()
    assert found["openai"] == ["openinference-instrumentation-openai", "openlit"]
    assert found["groq"] == ["openlit"]
