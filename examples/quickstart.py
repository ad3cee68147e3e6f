"""A service that uses language models, with tokentrail in it: unchanged SDKs, several tenants, every way a call can end.

    tokentrail serve                                     # in another terminal
    OPENAI_API_KEY=… GROQ_API_KEY=… python examples/quickstart.py openai groq ollama

Without arguments all three are used. The SDKs' own variables say where they go (OPENAI_BASE_URL, GROQ_BASE_URL, OLLAMA_HOST); `make demo` points
them at a local server that replays recorded answers, and LOCAL_MODEL_URL at a real small model on this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import groq
import ollama
import openai

import tokentrail
from tokentrail import Operation, track_token_usage, track_tokens

Tokens = tuple[int, int]
answered: dict[str, Tokens | None] = {}
"""What the SDKs themselves said, by operation id: input and output tokens, or None where the caller was shown no counts."""


def say(operation_id: str, tokens: Tokens | None) -> None:
    """Note what a caller can see of one call."""
    answered[operation_id] = tokens
    shown = "no counts shown to the caller" if tokens is None else f"{tokens[0]:>6} in {tokens[1]:>6} out"
    print(f"  {operation_id:<44} {shown}", flush=True)


# --- openai -------------------------------------------------------------------------------------------------------------------------------------
PROMPT = [{"role": "user", "content": "Say in one sentence why every token should be counted exactly once."}]


@track_tokens(operation=Operation.SUMMARIZE, tenant_id=lambda _client, _model, tenant: tenant, operation_id="openai chat")
def summarize(client: openai.OpenAI, model: str, tenant: str) -> Tokens:  # noqa: ARG001 - read by the decorator
    """A plain function: the decorator alone is enough."""
    usage = client.chat.completions.create(model=model, messages=PROMPT).usage
    return usage.prompt_tokens, usage.completion_tokens


@track_tokens(operation=Operation.CHAT, tenant_id="globex", operation_id="openai stream, no include_usage")
def words(client: openai.OpenAI, model: str) -> Iterator[str]:
    """A generator: every step is attributed. The caller did not ask for usage and sees none; the ledger has it all the same."""
    for chunk in client.chat.completions.create(model=model, messages=PROMPT, stream=True):
        if chunk.choices and chunk.choices[0].delta.content:
            yield chunk.choices[0].delta.content


def stream_with_usage(client: openai.OpenAI, model: str) -> Tokens:
    """A stream whose caller asks for usage gets it as always."""
    usage = None
    for chunk in client.chat.completions.create(model=model, messages=PROMPT, stream=True, stream_options={"include_usage": True}):
        usage = chunk.usage or usage
    return usage.prompt_tokens, usage.completion_tokens


def abandon(client: openai.OpenAI, model: str) -> None:
    """A stream that is left after two chunks and forgotten."""
    stream = client.chat.completions.create(model=model, messages=PROMPT, stream=True)
    for number, _chunk in enumerate(stream):
        if number == 1:
            break
    del stream
    gc.collect()


async def ask_many(model: str) -> Tokens:
    """Three calls at once."""
    async with openai.AsyncOpenAI() as client:
        answers = await asyncio.gather(*(client.chat.completions.create(model=model, messages=PROMPT) for _ in range(3)))
    return sum(a.usage.prompt_tokens for a in answers), sum(a.usage.completion_tokens for a in answers)


def run_openai() -> None:
    """Chat, streams, responses, embeddings, a call that fails."""
    client = openai.OpenAI(max_retries=0)
    say("openai chat", summarize(client, "gpt-4o-mini", "acme"))
    "".join(words(client, "gpt-4o"))
    say("openai stream, no include_usage", None)
    with track_tokens("chat", tenant_id="globex", operation_id="openai stream, include_usage"):
        say("openai stream, include_usage", stream_with_usage(client, "gpt-5-mini"))
    with track_tokens("chat", tenant_id="globex", operation_id="openai stream, abandoned"):
        abandon(client, "gpt-4o")
    say("openai stream, abandoned", None)
    with track_tokens("query", tenant_id="initech", operation_id="openai async"):
        say("openai async", asyncio.run(ask_many("gpt-4")))
    with track_tokens("generation", tenant_id="initech", operation_id="openai responses"):
        usage = client.responses.create(model="gpt-5-nano", input="Count to three.").usage
        say("openai responses", (usage.input_tokens, usage.output_tokens))
    with track_tokens("vector_search", tenant_id="acme", operation_id="openai embeddings"):
        embedded = client.embeddings.create(model="text-embedding-ada-002", input="hello").usage
        say("openai embeddings", (embedded.prompt_tokens, 0))
    with track_tokens("query", tenant_id="acme", operation_id="openai call that fails"), contextlib.suppress(openai.NotFoundError):
        client.chat.completions.create(model="non-existent-model", messages=PROMPT)
    say("openai call that fails", None)


# --- groq ---------------------------------------------------------------------------------------------------------------------------------------
async def groq_words(model: str) -> Tokens | None:
    """Groq's streams carry their usage under `x_groq`."""
    usage = None
    async with groq.AsyncGroq(max_retries=0) as client:
        stream = await client.chat.completions.create(model=model, messages=PROMPT, stream=True)
        async for chunk in stream:
            usage = (chunk.x_groq and chunk.x_groq.usage) or usage
    return (usage.prompt_tokens, usage.completion_tokens) if usage else None


def run_groq() -> None:
    """A chat and an async stream."""
    with track_tokens(operation="classification", tenant_id="acme", operation_id="groq chat"):
        usage = groq.Groq(max_retries=0).chat.completions.create(model="openai/gpt-oss-120b", messages=PROMPT).usage
        say("groq chat", (usage.prompt_tokens, usage.completion_tokens))
    with track_tokens(operation="extraction", tenant_id="initech", operation_id="groq async stream"):
        say("groq async stream", asyncio.run(groq_words(os.environ.get("GROQ_STREAM_MODEL", "llama3-8b-8192"))))


# --- ollama -------------------------------------------------------------------------------------------------------------------------------------
def run_ollama() -> None:
    """Chat, a stream, generate, embed."""
    with track_tokens("chat", tenant_id="globex", operation_id="ollama chat"):
        answer = ollama.chat(model="llama3", messages=PROMPT)
        say("ollama chat", (answer.prompt_eval_count, answer.eval_count))
    with track_tokens("chat", tenant_id="globex", operation_id="ollama stream"):
        *_, last = ollama.chat(model="llama3", messages=PROMPT, stream=True)
        say("ollama stream", (last.prompt_eval_count, last.eval_count))
    with track_tokens("generation", tenant_id="globex", operation_id="ollama generate"):
        made = ollama.generate(model="llama3.2", prompt="Count to three.")
        say("ollama generate", (made.prompt_eval_count, made.eval_count))
    with track_tokens("vector_search", tenant_id="globex", operation_id="ollama embed"):
        embedded = ollama.embed(model="all-minilm", input="hello")
        say("ollama embed", (embedded.prompt_eval_count, 0))


# --- a real model on this machine, and usage that no SDK reports ----------------------------------------------------------------------------------
async def local_words(client: openai.AsyncOpenAI) -> AsyncIterator[str]:
    """An async generator over a stream."""
    async for chunk in await client.chat.completions.create(model="smollm2", messages=PROMPT, stream=True, max_tokens=24):
        if chunk.choices and chunk.choices[0].delta.content:
            yield chunk.choices[0].delta.content


async def drain_local(url: str) -> None:
    """Read a local stream to its end."""
    async with openai.AsyncOpenAI(base_url=url, api_key="none") as client:
        async for _word in local_words(client):
            pass


def run_local() -> None:
    """A real model makes real tokens: chat, a stream, embeddings."""
    url = os.environ["LOCAL_MODEL_URL"]
    client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)
    with track_tokens("query", tenant_id="acme", operation_id="local chat"):
        usage = client.chat.completions.create(model="smollm2", messages=PROMPT, max_tokens=24).usage
        say("local chat", (usage.prompt_tokens, usage.completion_tokens))
    with track_tokens("chat", tenant_id="initech", operation_id="local async stream, no include_usage"):
        asyncio.run(drain_local(url))
    say("local async stream, no include_usage", None)
    with track_tokens("vector_search", tenant_id="acme", operation_id="local embeddings"):
        embedded = client.embeddings.create(model="smollm2", input="hello", encoding_format="float").usage
        say("local embeddings", (embedded.prompt_tokens, 0))


def run_manual() -> None:
    """What no SDK reports is told by hand. Told twice under one key, it counts once."""
    for _ in range(2):
        track_token_usage(
            token_type="fine_tuning",
            operation="batch",
            tenant_id="acme",
            provider="openai",
            model="gpt-4o-mini",
            input_tokens=1000,
            idempotency_key="job-2026-0001",
            operation_id="a fine-tuning job, told twice",
        )
    say("a fine-tuning job, told twice", (1000, 0))


RUNS: dict[str, Callable[[], None]] = {"openai": run_openai, "groq": run_groq, "ollama": run_ollama, "local": run_local, "manual": run_manual}


def main(names: list[str]) -> None:
    """Run what is asked for, and wait until the Collector has it (nothing depends on the waiting)."""
    tokentrail.setup_opentelemetry(service_name="quickstart")
    tokentrail.instrument()
    for name in names or ["openai", "groq", "ollama", "manual"]:
        if name not in RUNS:
            sys.exit(f"there is no {name!r}: choose among {', '.join(RUNS)}")
        print(f"{name}:", flush=True)
        RUNS[name]()
    shipped = tokentrail.flush(timeout=10)
    print("all shipped" if shipped else "not all shipped yet: the rest waits in the journal (tokentrail journal status)")
    tally = os.environ.get("QUICKSTART_TALLY")
    if tally:
        Path(tally).write_text(json.dumps(answered), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
