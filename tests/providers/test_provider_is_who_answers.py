"""The provider is named by the host that a client talks to, the SDK only where nobody knows the host."""

from __future__ import annotations

from typing import Any

import httpx
import ollama
import openai
import pytest

from tests.support.scripted import ScriptedServer, completion
from tokentrail.process.configure import configure
from tokentrail.providers.lookup import server_of
from tokentrail.testing import ReplayServer, Usages


@pytest.mark.parametrize(
    ("url", "provider", "address", "port", "asked"),
    [
        ("https://api.openai.com/v1/", "openai", "api.openai.com", 0, True),
        ("https://eu.api.openai.com/v1/", "openai", "eu.api.openai.com", 0, True),
        ("https://API.GROQ.com/openai/v1", "groq", "api.groq.com", 0, False),
        ("https://example-resource.openai.azure.com/openai/", "azure.ai.openai", "example-resource.openai.azure.com", 0, True),
        ("https://api.deepseek.com", "deepseek", "api.deepseek.com", 0, False),
        ("https://api.mistral.ai/v1", "mistral_ai", "api.mistral.ai", 0, False),
        ("https://api.x.ai/v1", "x_ai", "api.x.ai", 0, False),
        ("https://openrouter.ai/api/v1", "openrouter", "openrouter.ai", 0, False),
        ("https://api.together.xyz/v1", "together", "api.together.xyz", 0, False),
        ("https://generativelanguage.googleapis.com/v1beta/openai/", "gcp.gemini", "generativelanguage.googleapis.com", 0, False),
        ("https://us-central1-aiplatform.googleapis.com/v1", "gcp.vertex_ai", "us-central1-aiplatform.googleapis.com", 0, False),
        ("https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1", "aws.bedrock", "bedrock-runtime.us-west-2.amazonaws.com", 0, False),
        ("http://localhost:11434/v1", "ollama", "localhost", 11434, True),
        ("http://ollama:11434/v1", "ollama", "ollama", 11434, True),
        ("http://localhost:8000/v1", "the sdk", "localhost", 8000, False),
        ("https://notopenai.com.evil.example/v1", "the sdk", "notopenai.com.evil.example", 0, False),
        ("https://notapi.openai.com.example:8443/v1", "the sdk", "notapi.openai.com.example", 8443, False),
    ],
)
def test_hosts(url: str, provider: str, address: str, port: int, asked: bool) -> None:
    server = server_of(httpx.URL(url), "the sdk")
    assert (server.provider, server.address, server.port, server.accepts_include_usage) == (provider, address, port, asked)


def test_a_setting_names_ones_own_hosts() -> None:
    own = httpx.URL("http://llm.internal:8000/v1")
    assert server_of(own, "openai").provider == "openai"
    configure(provider_hosts={"llm.internal": "vllm", "llm.internal:9000": "mine", "api.openai.com": "proxy"})
    assert server_of(own, "openai").provider == "vllm"
    assert server_of(own, "openai").accepts_include_usage
    assert server_of(httpx.URL("http://llm.internal:9000/v1"), "openai").provider == "mine"
    assert server_of(httpx.URL("https://api.openai.com/v1"), "openai").provider == "proxy"


def test_one_sdk_many_providers(usages: Usages, known_as: Any) -> None:
    ask: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    with ScriptedServer(completion()) as one, ScriptedServer(completion()) as other:
        known_as(one.port, "deepseek")
        for server in (one, other):
            openai.OpenAI(base_url=server.url, api_key="none").chat.completions.create(**ask)
        openai.AzureOpenAI(azure_endpoint=one.url, api_key="none", api_version="2024-10-21").chat.completions.create(**ask)
    assert [(u.provider, u.server_address, u.server_port) for u in usages.recorded] == [
        ("deepseek", "127.0.0.1", one.port),
        ("openai", "127.0.0.1", other.port),
        ("deepseek", "127.0.0.1", one.port),
    ]


class Moving(openai.OpenAI):
    """A client whose property, and not its field, says where it goes."""

    elsewhere = ""

    @property
    def base_url(self) -> Any:
        base = super().base_url
        return type(base)(f"{self.elsewhere}/") if self.elsewhere else base


def test_a_client_that_moves(usages: Usages, monkeypatch: pytest.MonkeyPatch) -> None:
    ask: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    with ScriptedServer(completion()) as one, ScriptedServer(completion()) as other:
        client, moving = openai.OpenAI(base_url=one.url, api_key="none"), Moving(base_url=one.url, api_key="none")
        monkeypatch.setattr(openai, "api_key", "none")
        for server in (one, other, one):
            client.base_url = server.url
            client.chat.completions.create(**ask)
            moving.elsewhere = server.url
            moving.chat.completions.create(**ask)
            monkeypatch.setattr(openai, "base_url", server.url)
            openai.chat.completions.create(**ask)
    assert [u.server_port for u in usages.recorded] == [server.port for server in (one, other, one) for _ in range(3)]


def test_requested_and_answered_model_operation_and_texts(usages: Usages) -> None:
    ask: dict[str, Any] = {
        "model": "gpt-4o",
        "messages": [
            {"role": "system", "content": "abc"},
            {"role": "user", "content": [{"type": "text", "text": "defg"}, {"type": "image_url", "image_url": {"url": "data:,"}}]},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}],
    }
    with ScriptedServer(completion("hij")) as server:
        openai.OpenAI(base_url=server.url, api_key="none").chat.completions.create(**ask)
    (usage,) = usages.recorded
    assert (usage.request_model, usage.response_model, usage.response_id, usage.model_family) == (
        "gpt-4o",
        "gpt-4o-mini-2024-07-18",
        "chatcmpl-scripted",
        "gpt",
    )
    assert (usage.endpoint, usage.gen_ai_operation, usage.operation, usage.token_type) == ("chat", "chat", "chat", "llm")
    assert (usage.texts, usage.input_chars, usage.output_chars) == (2, 7, 3)


def test_messages_from_a_generator_are_not_read_twice(usages: Usages) -> None:
    with ScriptedServer(completion()) as server:
        messages = ({"role": "user", "content": text} for text in ("ab", "cd"))
        openai.OpenAI(base_url=server.url, api_key="none").chat.completions.create(model="m", messages=messages)  # type: ignore[arg-type]
        assert [message["content"] for message in server.asked[0]["messages"]] == ["ab", "cd"]
    assert (usages[0].texts, usages[0].input_chars) == (2, 4)


def test_ollama_functions_clients_and_loads(replay: ReplayServer, usages: Usages, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = next(r for r in replay.recordings.values() if r.endpoint == "ollama_chat" and not r.stream and r.expected_totals and r.status == 200)
    client = ollama.Client(host=replay.url("ollama", recording=recording.id))
    client.chat(model="m", messages=[{"role": "user", "content": "hello"}])
    monkeypatch.setattr(ollama.chat.__self__, "_client", client._client)
    ollama.chat(model="m", messages=[{"role": "user", "content": "hello"}])
    assert len(usages.recorded) == 2
    ollama.chat(model="m", messages=[])
    ollama.chat(model="m", keep_alive=0)
    assert len(usages.recorded) == 2
    assert (usages[1].provider, usages[1].input_tokens, usages[1].endpoint) == ("ollama", recording.expected_totals["input_total"], "chat")
