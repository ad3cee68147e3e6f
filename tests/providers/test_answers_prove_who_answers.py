"""On a host that nothing names, the marks of an answer decide who has answered: in the row, in the metrics and on the span; without a mark, the SDK."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import openai
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.support.scripted import HEAD, ScriptedServer, chunks, completion, sse
from tokentrail.integrations.shapes.evidence import proven_by_answer, proven_by_headers
from tokentrail.process.current import current
from tokentrail.recording.runtime import Runtime
from tokentrail.testing import Usages, collect_usages


def http_of(sdk: Any) -> Any:
    """The HTTP client that an SDK uses."""
    return getattr(sdk._base_client, "httpx2", None) or sdk._base_client.httpx


http = http_of(openai)
ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
HEX = "0123456789abcdef" * 2


def choice_with(**more: Any) -> dict[str, Any]:
    answer = completion()
    return answer | {"choices": [answer["choices"][0] | more]}


PROOFS: dict[str, tuple[dict[str, Any], str]] = {
    "ollama": (completion(system_fingerprint="fp_ollama"), "ollama"),
    "llama.cpp's timings": (completion(timings={"prompt_n": 1, "predicted_n": 2}), "llama_cpp"),
    "llama.cpp's build": (completion(system_fingerprint="b4719-0a1b2c3d"), "llama_cpp"),
    "LM Studio's REST": (completion(stats={"tokens_per_second": 5.1}, model_info={"arch": "lorem"}, runtime={"name": "ipsum"}), "lm_studio"),
    "LM Studio's OpenAI": (completion(stats={}, system_fingerprint=HEAD["model"]), "lm_studio"),
    "vLLM's fields": (completion(prompt_logprobs=None, kv_transfer_params=None), "vllm"),
    "vLLM's choice": (choice_with(stop_reason=None) | {"id": f"chatcmpl-{HEX}"}, "vllm"),
    "SGLang": (choice_with(matched_stop=None), "sglang"),
    "TGI": (completion(system_fingerprint="3.0.1-native"), "text_generation_inference"),
    "Groq": (completion(x_groq={"id": "req_1"}), "groq"),
    "OpenRouter": (completion(provider="Lorem") | {"id": "gen-1"}, "openrouter"),
    "Pydantic": (completion() | {"usage": {**completion()["usage"], "pydantic_ai_gateway": {"cost_estimate": 0.1}}}, "pydantic_ai_gateway"),
}
NO_PROOFS: dict[str, dict[str, Any]] = {
    "OpenAI": completion(system_fingerprint="fp_0123456789"),
    "an id alone": completion() | {"id": f"chatcmpl-{HEX}"},
    "a stop reason alone": choice_with(stop_reason=None),
    "stats alone": completion(stats={}),
    "a provider alone": completion(provider="lorem"),
    "timings of another kind": completion(timings={"total": 1}),
    "no texts": completion(system_fingerprint=5, timings=[1], stats=None, provider={"a": 1}, x_groq=None),
}


def client_of(answer: Any, *, base: str = "https://llm.example/v1", headers: dict[str, str] | None = None, status: int = 200) -> openai.OpenAI:
    is_stream = isinstance(answer, list)
    content = b"".join(answer) if is_stream else json.dumps(answer).encode()
    given = {"content-type": "text/event-stream" if is_stream else "application/json"} | (headers or {})
    transport = http.MockTransport(lambda _request: http.Response(status, headers=given, content=content))
    return openai.OpenAI(api_key="none", base_url=base, max_retries=0, http_client=http.Client(transport=transport))


def stream_of(answer: dict[str, Any]) -> list[bytes]:
    """The marks of an answer where a server's streams have them: in every chunk, or in that of the finish reason."""
    marks = {name: value for name, value in answer.items() if name not in {"object", "choices", "usage", "created"}}
    inside = {name: value for name, value in answer["choices"][0].items() if name in {"stop_reason", "matched_stop"}}
    sent = [chunk | {name: value for name, value in marks.items() if name != "timings"} for chunk in chunks("lorem", "ipsum", usage=True)]
    sent[-2]["choices"] = [sent[-2]["choices"][0] | inside]
    sent[-1] |= {name: value for name, value in marks.items() if name == "timings"} | {"usage": answer["usage"]}
    return sse(sent)


@pytest.mark.parametrize(("answer", "provider"), PROOFS.values(), ids=PROOFS)
def test_an_answer(answer: dict[str, Any], provider: str, usages: Usages) -> None:
    client = client_of(answer)
    client.chat.completions.create(**ASK)
    client.chat.completions.with_raw_response.create(**ASK).parse()
    client.post("/chat/completions", body=ASK, cast_to=dict[str, Any])
    assert [usage.provider for usage in usages.recorded] == [provider] * 3
    assert {(usage.input_tokens, usage.output_tokens, usage.ended) for usage in usages.recorded} == {(40, 11, "complete")}


@pytest.mark.parametrize(("answer", "provider"), PROOFS.values(), ids=PROOFS)
def test_a_stream(answer: dict[str, Any], provider: str, usages: Usages) -> None:
    client = client_of(stream_of(answer))
    list(client.chat.completions.create(**ASK, stream=True))
    with client.chat.completions.with_streaming_response.create(**ASK, stream=True) as response:
        list(response.iter_lines())
    assert [usage.provider for usage in usages.recorded] == [provider] * 2
    assert {(usage.input_tokens, usage.output_tokens, usage.ended) for usage in usages.recorded} == {(40, 11, "complete")}


@pytest.mark.parametrize("answer", NO_PROOFS.values(), ids=NO_PROOFS)
def test_no_guess(answer: dict[str, Any], usages: Usages) -> None:
    client = client_of(answer)
    client.chat.completions.create(**ASK)
    list(client_of(stream_of(answer)).chat.completions.create(**ASK, stream=True))
    assert [usage.provider for usage in usages.recorded] == ["openai", "openai"]


@pytest.mark.parametrize(
    ("header", "provider"),
    [
        ("x-litellm-call-id", "litellm"),
        ("X-LiteLLM-Version", "litellm"),
        ("x-portkey-trace-id", "portkey"),
        ("helicone-id", "helicone"),
        ("cf-aig-log-id", "cloudflare"),
        ("x-request-id", "openai"),
    ],
)
def test_headers(header: str, provider: str, usages: Usages) -> None:
    client = client_of(completion(), headers={header: "1"})
    completed = client.chat.completions.create(**ASK)
    assert type(completed).__module__.startswith("openai.types")
    client.chat.completions.parse(**ASK) if hasattr(client.chat.completions, "parse") else client.beta.chat.completions.parse(**ASK)
    client.embeddings.create(model="m", input="a", encoding_format="float")
    client.chat.completions.with_raw_response.create(**ASK)
    list(client_of(sse(chunks("lorem")), headers={header: "1"}).chat.completions.create(**ASK, stream=True))
    with pytest.raises(openai.BadRequestError):
        client_of({"error": {"message": "lorem"}}, headers={header: "1"}, status=400).chat.completions.create(**ASK)
    assert [usage.provider for usage in usages.recorded] == [provider] * 6


async def test_headers_of_an_asynchronous_client(usages: Usages) -> None:
    transport = http.MockTransport(lambda _request: http.Response(200, headers={"x-litellm-call-id": "1"}, json=completion()))
    client = openai.AsyncOpenAI(api_key="none", base_url="https://llm.example/v1", http_client=http.AsyncClient(transport=transport))
    await client.chat.completions.create(**ASK)
    assert usages[0].provider == "litellm"


def test_anthropics_sdk_behind_a_proxy(usages: Usages) -> None:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {"input_tokens": 3, "output_tokens": 2}}
    own = http_of(anthropic)
    transport = own.MockTransport(lambda _request: own.Response(200, headers={"x-litellm-call-id": "1"}, json=message))
    client = anthropic.Anthropic(api_key="none", base_url="https://llm.example", http_client=own.Client(transport=transport))
    client.messages.create(model="m", max_tokens=1, messages=ASK["messages"])
    assert [(usage.provider, usage.input_tokens) for usage in usages.recorded] == [("litellm", 3)]


def test_the_provider_behind_a_gateway_comes_first(usages: Usages) -> None:
    client = client_of(completion(x_groq={"id": "req_1"}), headers={"x-litellm-call-id": "1"})
    client.chat.completions.create(**ASK)
    list(client_of(stream_of(PROOFS["ollama"][0]), headers={"x-litellm-call-id": "1"}).chat.completions.create(**ASK, stream=True))
    assert [usage.provider for usage in usages.recorded] == ["groq", "ollama"]


@pytest.mark.parametrize("base", ["https://api.deepseek.com", "https://api.openai.com/v1"])
def test_a_host_that_is_named_needs_no_proof(base: str, usages: Usages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokentrail.integrations.transports.evidence.proven_by_answer", lambda _answer: pytest.fail("a mark was looked for"))
    client_of(completion(system_fingerprint="fp_ollama"), base=base).chat.completions.create(**ASK)
    list(client_of(stream_of(PROOFS["ollama"][0]), base=base).chat.completions.create(**ASK, stream=True))
    assert {usage.provider for usage in usages.recorded} == {"deepseek" if "deepseek" in base else "openai"}


def test_a_host_that_the_setting_names_needs_no_proof(usages: Usages, known_as: Callable[[int, str], None]) -> None:
    with ScriptedServer(completion(system_fingerprint="fp_ollama")) as server:
        known_as(server.port, "mine")
        openai.OpenAI(base_url=server.url, api_key="none").chat.completions.create(**ASK)
    assert usages[0].provider == "mine"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", lambda *_args, **_more: provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


def test_the_span_says_the_same(spans: InMemorySpanExporter) -> None:
    with Runtime(current.settings).in_place(), collect_usages():
        client_of(PROOFS["ollama"][0]).chat.completions.create(**ASK)
        list(client_of(stream_of(PROOFS["vLLM's choice"][0])).chat.completions.create(**ASK, stream=True))
        client_of(NO_PROOFS["OpenAI"]).chat.completions.create(**ASK)
    found = [span.attributes["gen_ai.provider.name"] for span in spans.get_finished_spans() if span.attributes]
    assert found == ["ollama", "vllm", "openai"]


@pytest.mark.parametrize(
    "value", [None, 5, "text", [], [1], {}, {"choices": 5}, {"choices": [None, "a"]}, {"usage": 3, "id": 5, "timings": "prompt_n"}]
)
def test_any_value_may_come(value: Any) -> None:
    assert proven_by_answer(value) == ""
    assert proven_by_headers([]) == ""
