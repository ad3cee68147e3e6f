"""Calls the SDKs beside another instrumentation, in one order of switching on and off; prints every form of a call that is not one row.

`python -m tests.frameworks.peers NAME '["peer", "ours"]'`, in an environment that has the other instrumentation. The steps are `peer`, `peer off`, `ours`,
`ours off`; calls are made before the first step, whose values are those that have to come later, and after the last one.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from typing import Any

import anthropic
import boto3
import cohere
import groq
import ollama
import openai
from google import genai
from opentelemetry.sdk.trace import TracerProvider

import tokentrail
from tests.support.any_provider import AnyProvider
from tokentrail.doctor.sdks import check_sdks
from tokentrail.process.current import current
from tokentrail.testing import collect_usages

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
CONVERSE: dict[str, Any] = {"modelId": "m", "messages": [{"role": "user", "content": [{"text": "hello"}]}]}
LOOP = asyncio.new_event_loop()
INSTRUMENTORS = {
    "openllmetry": (
        ("opentelemetry.instrumentation.openai", "OpenAIInstrumentor"),
        ("opentelemetry.instrumentation.anthropic", "AnthropicInstrumentor"),
        ("opentelemetry.instrumentation.google_generativeai", "GoogleGenerativeAiInstrumentor"),
        ("opentelemetry.instrumentation.bedrock", "BedrockInstrumentor"),
        ("opentelemetry.instrumentation.cohere", "CohereInstrumentor"),
        ("opentelemetry.instrumentation.groq", "GroqInstrumentor"),
        ("opentelemetry.instrumentation.ollama", "OllamaInstrumentor"),
    ),
    "openinference": (
        ("openinference.instrumentation.openai", "OpenAIInstrumentor"),
        ("openinference.instrumentation.anthropic", "AnthropicInstrumentor"),
        ("openinference.instrumentation.google_genai", "GoogleGenAIInstrumentor"),
        ("openinference.instrumentation.bedrock", "BedrockInstrumentor"),
        ("openinference.instrumentation.groq", "GroqInstrumentor"),
    ),
    "opentelemetry": (
        ("opentelemetry.instrumentation.google_genai", "GoogleGenAiSdkInstrumentor"),
        ("opentelemetry.instrumentation.botocore", "BotocoreInstrumentor"),
    ),
    "opentelemetry-openai-v2": (("opentelemetry.instrumentation.openai_v2", "OpenAIInstrumentor"),),
    "opentelemetry-genai": (
        ("opentelemetry.instrumentation.genai.openai", "OpenAIInstrumentor"),
        ("opentelemetry.instrumentation.genai.anthropic", "AnthropicInstrumentor"),
    ),
}
switched_on = ExitStack()


def switch_on(name: str, clients: Clients | None = None, provider: TracerProvider | None = None) -> None:
    """Switches the other instrumentation on: on these clients where it is switched on for each. Without a provider, spans go to the program's."""
    if name in INSTRUMENTORS:
        for module, kind in INSTRUMENTORS[name]:
            instrumentor = getattr(import_module(module), kind)()
            instrumentor.instrument(tracer_provider=provider, skip_dep_check=True)
            switched_on.callback(instrumentor.uninstrument)
    elif name.startswith("logfire"):
        import logfire

        logfire.configure(send_to_logfire=False, console=False)
        on_clients = clients is not None and name == "logfire on clients"
        switched_on.enter_context(logfire.instrument_openai([clients.openai, clients.openai_later] if on_clients else None))
        switched_on.enter_context(logfire.instrument_anthropic([clients.anthropic, clients.anthropic_later] if on_clients else None))
    elif name == "langfuse":
        import_module("langfuse.openai")
    elif name == "openlit":
        import openlit

        openlit.init(otlp_endpoint="http://127.0.0.1:9", disable_metrics=True)


class Clients:
    """A client of each SDK."""

    def __init__(self, url: str) -> None:
        given: dict[str, Any] = {"api_key": "none", "max_retries": 0}
        self.openai = openai.OpenAI(base_url=f"{url}/v1", **given)
        self.openai_later = openai.AsyncOpenAI(base_url=f"{url}/v1", **given)
        self.anthropic = anthropic.Anthropic(base_url=url, **given)
        self.anthropic_later = anthropic.AsyncAnthropic(base_url=url, **given)
        self.google = genai.Client(api_key="none", vertexai=False, http_options={"base_url": url})
        self.groq = groq.Groq(base_url=url, **given)
        self.cohere = cohere.ClientV2("none", base_url=url)
        self.ollama = ollama.Client(host=url)
        keys = {"region_name": "us-east-1", "aws_access_key_id": "none", "aws_secret_access_key": "none"}
        self.bedrock = boto3.client("bedrock-runtime", endpoint_url=url, **keys)

    def forms(self) -> Iterator[tuple[str, Callable[[], Any]]]:
        """Every form of a call; each returns what its caller sees."""
        chat, later = self.openai.chat.completions, self.openai_later.chat.completions
        messages = self.anthropic.messages
        yield "openai", lambda: chat.create(**ASK).to_json()
        yield "openai stream", lambda: [chunk.to_json() for chunk in chat.create(**ASK, stream=True, stream_options={"include_usage": True})]
        yield "openai raw", lambda: chat.with_raw_response.create(**ASK).parse().to_json()
        yield "openai parse", lambda: chat.parse(**ASK).to_json()
        yield "openai helper", lambda: _helped(chat.stream(**ASK, stream_options={"include_usage": True}))
        yield "openai embeddings", lambda: self.openai.embeddings.create(model="m", input="hello", encoding_format="float").to_json()
        yield "openai responses", lambda: self.openai.responses.create(model="m", input="hello").to_json()
        yield "openai responses stream", lambda: [event.to_json() for event in self.openai.responses.create(model="m", input="hello", stream=True)]
        yield "openai async", lambda: wait(later.create(**ASK)).to_json()
        yield "openai async stream", lambda: [chunk.to_json() for chunk in wait(_read(later.create(**ASK, stream=True)))]
        yield "openai abandoned", lambda: next(iter(chat.create(**ASK, stream=True))).to_json()
        yield "anthropic", lambda: messages.create(**ASK, max_tokens=9).to_json()
        yield "anthropic stream", lambda: [event.to_json() for event in messages.create(**ASK, max_tokens=9, stream=True)]
        yield "anthropic helper", lambda: _helped(messages.stream(**ASK, max_tokens=9))
        yield "anthropic async", lambda: wait(self.anthropic_later.messages.create(**ASK, max_tokens=9)).to_json()
        yield "anthropic async stream", lambda: [str(e) for e in wait(_read(self.anthropic_later.messages.create(**ASK, max_tokens=9, stream=True)))]
        yield "google-genai", lambda: self.google.models.generate_content(model="m", contents="hello").text
        yield "google-genai stream", lambda: [each.text for each in self.google.models.generate_content_stream(model="m", contents="hello")]
        yield "google-genai async", lambda: wait(self.google.aio.models.generate_content(model="m", contents="hello")).text
        yield "botocore", lambda: self.bedrock.converse(**CONVERSE)["usage"]
        yield "botocore stream", lambda: list(self.bedrock.converse_stream(**CONVERSE)["stream"])
        yield "groq", lambda: self.groq.chat.completions.create(**ASK).to_json()
        yield "groq stream", lambda: [chunk.to_json() for chunk in self.groq.chat.completions.create(**ASK, stream=True)]
        yield "cohere", lambda: self.cohere.chat(**ASK).json()
        yield "cohere stream", lambda: [event.json() for event in self.cohere.chat_stream(**ASK)]
        yield "ollama", lambda: self.ollama.chat(**ASK).model_dump_json()
        yield "ollama stream", lambda: [part.model_dump_json() for part in self.ollama.chat(**ASK, stream=True)]


def wait(awaitable: Any) -> Any:
    return LOOP.run_until_complete(awaitable)


async def _read(stream: Any) -> Any:
    return [chunk async for chunk in await stream]


def _helped(manager: Any) -> Any:
    with manager as events:
        return [event.type for event in events]


def wrong_rows(server: AnyProvider, clients: Clients, plain: dict[str, str], *, on: bool) -> dict[str, Any]:
    """The forms of a call that are not one row, or whose caller sees something else than before."""
    wrong: dict[str, Any] = {}
    for form, action in clients.forms():
        answered = len(server.answered)
        with collect_usages() as usages:
            value = repr(action())
            usages.settle()
        rows, wanted = len(usages.recorded), (len(server.answered) - answered) * on
        if rows != wanted or len(server.answered) == answered:
            wrong[form] = f"{rows} rows of {wanted} calls"
        elif value != plain[form]:
            wrong[form] = f"seen: {value[:300]} and not {plain[form][:300]}"
    return wrong


def main(name: str, steps: list[str]) -> None:
    logging.disable(logging.ERROR)
    wrong: dict[str, Any] = {}
    with AnyProvider() as server:
        old = Clients(server.url)
        plain = {form: repr(action()) for form, action in old.forms()}
        actions: dict[str, Callable[[], Any]] = {
            "peer": lambda: switch_on(name, old, TracerProvider()),
            "peer off": switched_on.close,
            "ours": tokentrail.instrument,
            "ours off": tokentrail.uninstrument,
        }
        for step in steps:
            actions[step]()
        gc.collect()
        gc.freeze()  # so that looking for abandoned streams does not look at all types of nine SDKs
        on = max((place for place, step in enumerate(steps) if step.startswith("ours")), default=-1)
        is_on = on >= 0 and steps[on] == "ours"
        for whose, clients in (("made before", old), ("made after", Clients(server.url))):
            wrong |= {f"{form}, {whose}": found for form, found in wrong_rows(server, clients, plain, on=is_on).items()}
        if is_on:
            findings = [
                finding for finding in check_sdks(switch_on=False) if finding.what in {"openai", "anthropic", "google-genai", "botocore", "groq"}
            ]
            wrong |= {f"doctor on {each.what}": each.sentence for each in findings if each.state == "wrong"}
            if not {"openai", "anthropic"} <= {each.what for each in findings if each.state == "ok"}:
                wrong["doctor"] = "says of nothing that it is well"
        wrong |= {f"internal error {where}": many for where, many in current.runtime.diagnostics.internal_errors.items()}
    print(json.dumps(wrong))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
