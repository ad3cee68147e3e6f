"""What a wrong address, or a body that is still to be read, raises is no error of ours; any other one is counted, and the caller notices nothing."""

from __future__ import annotations

from typing import Any

import groq
import openai
import pytest

from tests.support.scripted import ScriptedServer, completion
from tokentrail.instrumentation.registry import instrument, uninstrument
from tokentrail.process.current import current
from tokentrail.testing import Usages

CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
CLIENTS = pytest.mark.parametrize("make", [openai.OpenAI, groq.Groq], ids=["httpx2", "httpx"])


@CLIENTS
@pytest.mark.parametrize("url", ["/x" * 40_000, "/chat/\x00", "/chat/\udc80", 5, None], ids=repr)
def test_an_address_that_is_none(make: Any, url: Any, usages: Usages) -> None:
    with make(base_url="http://127.0.0.1:9", api_key="none", max_retries=0) as client:
        uninstrument()
        with pytest.raises(Exception) as alone:  # noqa: PT011 - whatever the SDK raises by itself
            client.post(url, body=CHAT, cast_to=object)
        instrument()
        with pytest.raises(type(alone.value)) as raised:
            client.post(url, body=CHAT, cast_to=object)
    assert str(raised.value) == str(alone.value)
    assert not isinstance(raised.value, (openai.APIConnectionError, groq.APIConnectionError)), "it was sent"
    assert usages.recorded == []


def test_a_url_that_is_no_text_is_one(usages: Usages) -> None:
    with ScriptedServer(completion()) as server, groq.Groq(base_url=server.url, api_key="none", max_retries=0) as client:
        client.post(type(client.base_url)("/chat/completions"), body=CHAT, cast_to=object)
    assert [usage.input_tokens for usage in usages.recorded] == [40]


@CLIENTS
def test_an_sdk_that_looks_different_is_counted(make: Any, usages: Usages, monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(_self: Any, url: str) -> Any:
        raise RuntimeError(f"a cache is full: {url}")

    with ScriptedServer(completion()) as server, make(base_url=server.url, api_key="none", max_retries=0) as client:
        request = client._build_request

        def built(*args: Any, **kwargs: Any) -> Any:
            monkeypatch.undo()
            return request(*args, **kwargs)

        monkeypatch.setattr(type(client), "_prepare_url", changed)
        monkeypatch.setattr(client, "_build_request", built)
        assert client.post("/v1/chat/completions", body=CHAT, cast_to=object)
    assert usages.recorded == []
    assert sum(current.runtime.diagnostics.internal_errors.values()) == 1
    current.runtime.diagnostics.internal_errors.clear()


@CLIENTS
def test_a_body_that_cannot_be_read_is_counted(make: Any, usages: Usages, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_self: Any) -> bytes:
        raise RuntimeError("no such buffer")

    with ScriptedServer(completion()) as server, make(base_url=server.url, api_key="none", max_retries=0) as client:
        raw = client.chat.completions.with_raw_response.create(**CHAT)
        monkeypatch.setattr(type(raw.http_response), "content", property(broken))
        client.chat.completions.with_raw_response.create(**CHAT)
        monkeypatch.undo()
    assert [usage.input_tokens for usage in usages.recorded] == [40, None]
    assert sum(current.runtime.diagnostics.internal_errors.values()) == 1
    current.runtime.diagnostics.internal_errors.clear()
