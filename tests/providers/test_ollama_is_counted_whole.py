"""Ollama states cached prompt tokens, which the SDK's models drop: they are counted, and the models stay the SDK's. The cloud is Ollama too."""

from __future__ import annotations

import json
from typing import Any

import httpx
import ollama
import pytest

from tokentrail.testing import Usages

ASK: dict[str, Any] = {"model": "gemma3", "messages": [{"role": "user", "content": "hello"}]}
COUNTS = {"prompt_eval_count": 26, "prompt_eval_cached_count": 10, "eval_count": 298}
SAID = {"model": "gemma3", "created_at": "2026-01-01T00:00:00Z", "message": {"role": "assistant", "content": "lorem"}, "response": "lorem"}
LAST = SAID | {"done": True, "done_reason": "stop", **COUNTS}


def client_of(*answers: dict[str, Any], kind: Any = ollama.Client, host: str = "http://127.0.0.1:11434") -> Any:
    """A client whose server sends the answers, one a line."""

    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content="\n".join(map(json.dumps, answers)).encode())

    return kind(host=host, transport=httpx.MockTransport(answer))


def counts(usages: Usages) -> list[tuple[Any, ...]]:
    return [(usage.endpoint, usage.input_tokens, usage.cache_read_tokens, usage.output_tokens, usage.ended) for usage in usages.recorded]


async def test_cached_tokens(usages: Usages) -> None:
    client = client_of(LAST)
    assert client.chat(**ASK) == ollama.ChatResponse(**LAST)
    assert client.generate(model="gemma3", prompt="hello") == ollama.GenerateResponse(**LAST)
    await client_of(LAST, kind=ollama.AsyncClient).chat(**ASK)
    assert counts(usages) == [(name, 26, 10, 298, "complete") for name in ("chat", "generate", "chat")]


async def test_cached_tokens_of_a_stream(usages: Usages) -> None:
    assert list(client_of(SAID, SAID, LAST).chat(**ASK, stream=True)) == [ollama.ChatResponse(**each) for each in (SAID, SAID, LAST)]
    client = client_of(SAID, LAST, kind=ollama.AsyncClient)
    assert len([chunk async for chunk in await client.generate(model="gemma3", prompt="hello", stream=True)]) == 2
    assert counts(usages) == [(name, 26, 10, 298, "complete") for name in ("chat", "generate")]


def test_a_stream_that_is_left_states_nothing(usages: Usages) -> None:
    stream = client_of(SAID, LAST).chat(**ASK, stream=True)
    next(stream)
    stream.close()
    usages.settle()
    assert counts(usages) == [("chat", None, None, None, "partial")]


def test_a_server_that_states_none(usages: Usages) -> None:
    client_of({name: value for name, value in LAST.items() if name != "prompt_eval_cached_count"}).chat(**ASK)
    client_of(LAST | {"prompt_eval_cached_count": 0}).chat(**ASK)
    assert [usage.cache_read_tokens for usage in usages.recorded] == [None, 0]


@pytest.mark.parametrize("cached", ["many", -1, 1 << 63, [1], {"a": 1}, None])
def test_whatever_a_server_sends(cached: Any, usages: Usages) -> None:
    client_of(LAST | {"prompt_eval_cached_count": cached}).chat(**ASK)
    assert counts(usages) == [("chat", 26, None, 298, "complete")]


def test_a_stream_that_is_no_answer_raises_as_before(usages: Usages) -> None:
    with pytest.raises(ollama.ResponseError, match="no"):
        list(client_of(SAID, {"error": "no"}).chat(**ASK, stream=True))
    with pytest.raises(ValueError, match="validation"):
        client_of({"message": 5}).chat(**ASK)
    assert [usage.ended for usage in usages.recorded] == ["error", "error"]


def test_the_cloud(usages: Usages) -> None:
    client_of(LAST, host="https://ollama.com").chat(**ASK)
    assert [(usage.provider, usage.server_address, usage.server_port) for usage in usages.recorded] == [("ollama", "ollama.com", 0)]


@pytest.mark.skipif(not hasattr(ollama.Client, "web_search"), reason="this ollama searches no web")
async def test_searching_the_web_is_no_call_of_a_model(monkeypatch: pytest.MonkeyPatch, usages: Usages) -> None:
    monkeypatch.setenv("OLLAMA_API_KEY", "none")
    page = {"results": [], "title": "a", "content": "b", "links": [], **COUNTS}
    client = client_of(page, host="https://ollama.com")
    client.web_search("lorem")
    client.web_fetch("https://example.com")
    await client_of(page, kind=ollama.AsyncClient).web_search("lorem")
    assert counts(usages) == []


@pytest.mark.skipif(not hasattr(ollama.Client, "systemone"), reason="this ollama knows no System One")
def test_system_one(usages: Usages) -> None:
    answer = {"model": "s1", "answers": {}, "usage": {"input_tokens": 31, "output_tokens": 2}}
    client_of(answer).systemone(model="s1", state="lorem", questions={"q": {"type": "noul", "instructions": "ipsum"}})
    assert counts(usages) == [("systemone", 31, None, 2, "complete")]
    assert (usages[0].operation, usages[0].input_chars, usages[0].response_model) == ("classification", 5, "s1")
