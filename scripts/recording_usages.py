"""The usages that a recorded exchange has to give, read from its bytes after the providers' documentation; nothing of tokentrail reads along.

Tests compare what tokentrail records with these, so this reader must not share a line with what it judges: of tokentrail it takes the names of the
counts alone. It takes no short cuts either: it has the whole exchange before it, and says what holds when a caller has read all of it.

| provider's page                                                  | what is taken from it                                                  |
|------------------------------------------------------------------|------------------------------------------------------------------------|
| OpenAI, API reference: the (streamed) chat completion object     | `usage`, its details, the last chunk's usage, `[DONE]`, `finish_reason` |
| OpenAI, API reference: the response object, streaming events     | `usage`, `status`, terminal events, background responses                |
| OpenAI, API reference: images, audio, their streaming events    | the last event's usage; seconds are no tokens                           |
| OpenAI, API reference: the run object                            | `usage`, `status`; a run that goes on                                   |
| Groq, API reference: chat; its Python SDK's `x_groq`             | the usage of a stream                                                  |
| Anthropic, Messages; Streaming messages; Prompt caching          | the input beside the cache, cumulative `message_delta`, 1 hour writes   |
| Anthropic, Compaction                                            | `iterations`, which the totals leave out                                |
| Ollama, docs/api.md, docs/openai.md                              | `prompt_eval_count`, `eval_count`, `done`; loading a model             |
| Gemini API, UsageMetadata; Vertex AI, text embeddings            | thoughts and results of tools beside the totals; a chunk's usage so far |
| Cohere, API reference v1 and v2: chat, generate, embed, rerank   | billed units before tokens; `meta`, `usage`; the last event of a stream |
| Gemini API: Interactions                                         | tools and thoughts beside the totals; the last event's interaction      |
| Mistral, API: chat, conversations, audio; Agents: websearch      | audio and what connectors read, which only the total holds; last events |
| Amazon Bedrock                                                   | see `recording_bedrock`                                                |
| Hugging Face, Replicate, Voyage, xAI over gRPC, Claude's agents  | see `recording_packages`                                               |
| Together, Writer, OpenRouter: API references                     | OpenAI's shape; where a cache or reasoning stands, and a rerank's total |
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from recording_bedrock import COUNTED, KINDS, kind_of, model_of, read_bedrock
from recording_packages import KINDS_OF_PACKAGES, kind_of_package, read_package
from recording_selection import FAILED

from tokentrail.counts import COUNTS

__all__ = ["usages_of"]

Event = dict[str, Any]


@dataclass(frozen=True)
class Endpoint:
    """What the ledger calls a path, and how its answers read."""

    name: str
    gen_ai_operation: str
    operation: str
    family: str  # openai, responses, media, runs, anthropic, ollama, gemini, interactions, cohere, mistral, bedrock
    token_type: str = "llm"


_RESPONSES = Endpoint("responses", "chat", "generation", "responses")
_IMAGES = Endpoint("images", "generate_content", "generation", "media")
_RUNS = Endpoint("runs", "invoke_agent", "chat", "runs")
_GEMINI = Endpoint("generate", "generate_content", "chat", "gemini")
_GEMINI_VECTORS = Endpoint("embeddings", "embeddings", "vector_search", "gemini", "embedding")
_OLLAMA_VECTORS = Endpoint("embeddings", "embeddings", "vector_search", "ollama", "embedding")
_COHERE = Endpoint("chat", "chat", "chat", "cohere")
_COHERE_VECTORS = Endpoint("embeddings", "embeddings", "vector_search", "cohere", "embedding")
_COHERE_RANKS = Endpoint("rerank", "rerank", "vector_search", "cohere", "embedding")
ENDPOINTS = {
    "/chat/completions": Endpoint("chat", "chat", "chat", "openai"),
    "/completions": Endpoint("completions", "text_completion", "generation", "openai"),
    "/embeddings": Endpoint("embeddings", "embeddings", "vector_search", "openai", "embedding"),
    "/responses": _RESPONSES,
    "/responses/compact": _RESPONSES,
    "/images/generations": _IMAGES,
    "/images/edits": _IMAGES,
    "/audio/transcriptions": Endpoint("transcriptions", "generate_content", "generation", "media"),
    "/audio/translations": Endpoint("translations", "generate_content", "generation", "media"),
    "/audio/speech": Endpoint("speech", "generate_content", "generation", "media"),
    "/threads/runs": _RUNS,
    "/messages": Endpoint("messages", "chat", "chat", "anthropic"),
    "/api/chat": Endpoint("chat", "chat", "chat", "ollama"),
    "/api/generate": Endpoint("generate", "text_completion", "generation", "ollama"),
    "/api/embed": _OLLAMA_VECTORS,
    "/api/embeddings": _OLLAMA_VECTORS,
    ":generateContent": _GEMINI,
    ":streamGenerateContent": _GEMINI,
    ":batchEmbedContents": _GEMINI_VECTORS,
    ":embedContent": _GEMINI_VECTORS,
    ":predict": _GEMINI_VECTORS,
    "/chat": _COHERE,
    "/v2/chat": _COHERE,
    "/generate": Endpoint("generate", "text_completion", "generation", "cohere"),
    "/embed": _COHERE_VECTORS,
    "/v2/embed": _COHERE_VECTORS,
    "/rerank": _COHERE_RANKS,
    "/v2/rerank": _COHERE_RANKS,
    "/summarize": Endpoint("summarize", "text_completion", "summarize", "cohere"),
    "/classify": Endpoint("classify", "classify", "classification", "cohere", "embedding"),
    "/interactions": Endpoint("interactions", "chat", "generation", "interactions"),
}
MISTRALS = {
    "/chat/completions": Endpoint("chat", "chat", "chat", "mistral"),
    "/agents/completions": Endpoint("agents", "chat", "chat", "mistral"),
    "/fim/completions": Endpoint("fim", "text_completion", "generation", "mistral"),
    "/embeddings": Endpoint("embeddings", "embeddings", "vector_search", "mistral", "embedding"),
    "/conversations": Endpoint("conversations", "chat", "chat", "mistral"),
    "/audio/transcriptions": Endpoint("transcriptions", "generate_content", "generation", "mistral"),
    "/audio/speech": Endpoint("speech", "generate_content", "generation", "mistral"),
    "/ocr": Endpoint("ocr", "generate_content", "extraction", "mistral"),
    "/responses": _RESPONSES,
}
"""Paths of Mistral, some of which are OpenAI's too."""

LIKE_OPENAI = {
    **dict.fromkeys(("azure_ai", "cerebras", "fireworks", "openrouter"), "openai"),
    "together": "together",
    "writer": "writer",
}
"""Providers that answer in OpenAI's shape on paths of their own, and the family of their usage objects."""
LIKE_OPENAIS = {
    **{path: ENDPOINTS[path] for path in ("/chat/completions", "/completions", "/embeddings", "/responses", "/messages")},
    "/chat": ENDPOINTS["/chat/completions"],
    "/images/embeddings": ENDPOINTS["/embeddings"],
    "/rerank": Endpoint("rerank", "rerank", "vector_search", "openai", "embedding"),
}

FREE = {"/tokenize", "/detokenize", "/moderations", "/responses/input_tokens"}
"""Cohere and OpenAI count tokens for nothing, and OpenAI's moderation is free."""

PLACES = {
    "openai": {
        "input_tokens": "prompt_tokens",
        "output_tokens": "completion_tokens",
        "cache_read_tokens": "prompt_tokens_details.cached_tokens",
        "cache_write_tokens": "prompt_tokens_details.cache_write_tokens",
        "reasoning_tokens": "completion_tokens_details.reasoning_tokens",
        "audio_input_tokens": "prompt_tokens_details.audio_tokens",
        "audio_output_tokens": "completion_tokens_details.audio_tokens",
        "image_input_tokens": "prompt_tokens_details.image_tokens",
        "image_output_tokens": "completion_tokens_details.image_tokens",
    },
    "responses": {
        "input_tokens": "input_tokens",
        "output_tokens": "output_tokens",
        "cache_read_tokens": "input_tokens_details.cached_tokens",
        "cache_write_tokens": "input_tokens_details.cache_write_tokens",
        "reasoning_tokens": "output_tokens_details.reasoning_tokens",
        "audio_input_tokens": "input_tokens_details.audio_tokens",
        "audio_output_tokens": "output_tokens_details.audio_tokens",
        "image_input_tokens": "input_tokens_details.image_tokens",
        "image_output_tokens": "output_tokens_details.image_tokens",
    },
    "media": {
        "input_tokens": "input_tokens",
        "output_tokens": "output_tokens",
        "audio_input_tokens": "input_token_details.audio_tokens",
        "image_input_tokens": "input_tokens_details.image_tokens",
        "image_output_tokens": "output_tokens_details.image_tokens",
    },
    "runs": {
        "input_tokens": "prompt_tokens",
        "output_tokens": "completion_tokens",
        "cache_read_tokens": "prompt_token_details.cached_tokens",
        "reasoning_tokens": "completion_tokens_details.reasoning_tokens",
    },
    "anthropic": {
        "input_tokens": "input_tokens",
        "output_tokens": "output_tokens",
        "cache_read_tokens": "cache_read_input_tokens",
        "cache_write_tokens": "cache_creation_input_tokens",
        "cache_write_1h_tokens": "cache_creation.ephemeral_1h_input_tokens",
        "reasoning_tokens": "output_tokens_details.thinking_tokens",
    },
    "ollama": {"input_tokens": "prompt_eval_count", "output_tokens": "eval_count", "cache_read_tokens": "prompt_eval_cached_count"},
    "gemini": {
        "input_tokens": "promptTokenCount",
        "output_tokens": "candidatesTokenCount",
        "cache_read_tokens": "cachedContentTokenCount",
        "reasoning_tokens": "thoughtsTokenCount",
    },
    "cohere": {
        "input_tokens": "billed_units.input_tokens",
        "output_tokens": "billed_units.output_tokens",
        "cache_read_tokens": "cached_tokens",
        "reasoning_tokens": "tokens.reasoning_tokens",
        "image_input_tokens": "tokens.image_tokens",
        "consumed_input_tokens": "tokens.input_tokens",
        "consumed_output_tokens": "tokens.output_tokens",
    },
    "interactions": {
        "input_tokens": "total_input_tokens",
        "output_tokens": "total_output_tokens",
        "cache_read_tokens": "total_cached_tokens",
        "reasoning_tokens": "total_thought_tokens",
    },
    "mistral": {
        "input_tokens": "prompt_tokens",
        "output_tokens": "completion_tokens",
        "cache_read_tokens": "prompt_tokens_details.cached_tokens",
        "audio_input_tokens": "prompt_tokens_details.audio_tokens",
    },
    "bedrock": {name: name for name in COUNTED},
    "packages": {count.name: count.name for count in COUNTS},
}
"""Where a family's usage states a count. What stands nowhere here, nobody of the family states."""

PLACES["together"] = PLACES["openai"] | {"cache_read_tokens": "cached_tokens"}
PLACES["writer"] = PLACES["openai"] | {
    "cache_read_tokens": "prompt_token_details.cached_tokens",
    "reasoning_tokens": "completion_token_details.reasoning_tokens",
}

HOW_RUNS_END = {"completed": "complete", "incomplete": "complete", "failed": "error", "cancelled": "partial", "expired": "partial"}
HOW_RESPONSES_END = {"completed": "complete", "incomplete": "complete", "failed": "error", "cancelled": "partial"}


@dataclass
class Told:
    """What an exchange tells of itself. `usage` is the provider's own object, `ended` empty while a job goes on.

    `raises`: a stream carries an error, of which an SDK makes an exception.
    """

    model: str = ""
    id: str = ""
    usage: Event | None = None
    ended: str = "complete"
    raises: bool = False


def usages_of(exchange: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The usages that an exchange has to give: none, or one. `None`: of an endpoint like this one nothing is counted.

    The names are those of a usage's fields. A count that is not stated is null; so is the error's type where the exchange does not tell it (an error
    without an HTTP status is named after the exception that an SDK makes of it). `provider` is who answers at the provider's own address.
    """
    if exchange["provider"] == "bedrock":
        return _usages_of_bedrock(exchange)
    if (exchange["provider"], exchange["endpoint"]) in KINDS_OF_PACKAGES:
        return _usages_of_package(exchange)
    path = exchange["path"].partition("?")[0].removeprefix("/openai").removeprefix("/v1")
    is_job = exchange["method"] == "GET" and path.startswith("/responses/")
    if path.startswith("/threads/"):
        path = "/threads/runs"
    _, colon, verb = path.rpartition(":")
    if path in FREE:
        return []
    endpoint = _endpoint_of(exchange, path, colon + verb, is_job=is_job)
    if endpoint is None:
        return None
    request = exchange["request"] or {}
    if endpoint.family == "ollama" and _only_loads(path, request):
        return []
    told = _read(exchange, endpoint.family)
    if endpoint is _RUNS:
        return [_usage(exchange, endpoint, told, "object")] if told.ended else []
    key_kind = "automatic"
    if is_job or request.get("background"):
        if _is_no_job(exchange, told, retrieved=is_job):
            return []
        key_kind = "object" if exchange["status"] < FAILED else "automatic"
    return [_usage(exchange, endpoint, told, key_kind)]


def _endpoint_of(exchange: dict[str, Any], path: str, end: str, *, is_job: bool) -> Endpoint | None:
    if exchange["provider"] == "mistral":
        return MISTRALS.get(re.sub("^/conversations/.*", "/conversations", path)) if exchange["method"] == "POST" else None
    if exchange["provider"] in LIKE_OPENAI:
        return _like_openai(exchange)
    is_interaction = exchange["method"] == "POST" and exchange["path"].partition("?")[0].endswith("/interactions")
    return ENDPOINTS.get("/responses" if is_job else "/interactions" if is_interaction else end)


def _like_openai(exchange: dict[str, Any]) -> Endpoint | None:
    """The endpoint of a path below a provider's own prefix."""
    path = re.sub("^(/api|/models|/inference|/openai)?(/v1)?", "", exchange["path"].partition("?")[0])
    endpoint = LIKE_OPENAIS.get(path)
    of_openai = endpoint is not None and endpoint.family == "openai"
    return replace(endpoint, family=LIKE_OPENAI[exchange["provider"]]) if of_openai else endpoint  # type: ignore[type-var]


def _usages_of_bedrock(exchange: dict[str, Any]) -> list[dict[str, Any]]:
    kind = kind_of(exchange)
    if not kind:
        return []
    endpoint, gen_ai_operation, operation, token_type = KINDS[kind]
    named = Endpoint(endpoint, gen_ai_operation, operation, "bedrock", token_type)
    told = Told(ended="error") if exchange["status"] >= FAILED else Told(*read_bedrock(exchange))
    return [_usage(exchange, named, told, "automatic")]


def _usages_of_package(exchange: dict[str, Any]) -> list[dict[str, Any]]:
    endpoint, gen_ai_operation, operation, token_type = kind_of_package(exchange) or ("", "", "", "")
    named = Endpoint(endpoint, gen_ai_operation, operation, "packages", token_type)
    failed = exchange["status"] >= FAILED
    read = None if failed else read_package(exchange)
    if read is None and not failed:
        return []
    told = Told(ended="error") if read is None else Told(*read)
    return [_usage(exchange, named, told, "object" if exchange["provider"] == "replicate" else "automatic")]


def _only_loads(path: str, request: Event) -> bool:
    """docs/api.md, "Load a model": a request without messages, or without a prompt, spends nothing."""
    fields = {"/api/chat": ("messages",), "/api/generate": ("prompt", "suffix", "images")}.get(path)
    return fields is not None and not any(request.get(name) for name in fields)


def _is_no_job(exchange: dict[str, Any], told: Told, *, retrieved: bool) -> bool:
    """Whether nothing is spent yet, or not here: a job that goes on, a response that another call has made and counted."""
    if exchange["status"] >= FAILED:
        return retrieved
    last = next((body for body in reversed([_response_in(event) for event in _events(exchange)]) if body), {})
    return not told.ended or last.get("background") is not True


def _usage(exchange: dict[str, Any], endpoint: Endpoint, told: Told, key_kind: str) -> dict[str, Any]:
    counts = _counts(told.usage, endpoint.family)
    sources = ["unknown" if counts[name] is None else "reported" for name in ("input_tokens", "output_tokens")]
    if endpoint.token_type == "embedding" and counts["output_tokens"] is None:
        sources[1] = sources[0]  # vectors are no tokens: there is no output that could be stated
    failed = exchange["status"] >= FAILED
    return {
        "provider": exchange["provider"],
        "endpoint": endpoint.name,
        "gen_ai_operation": endpoint.gen_ai_operation,
        "operation": endpoint.operation,
        "token_type": endpoint.token_type,
        "request_model": _model_asked(exchange, endpoint.family),
        "response_model": told.model,
        "response_id": told.id,
        "stream": exchange["stream"],
        "key_kind": key_kind,
        "ended": told.ended,
        "error_type": str(exchange["status"]) if failed else None if told.raises else "",
        **counts,
        "input_source": sources[0],
        "output_source": sources[1],
    }


def _model_asked(exchange: dict[str, Any], family: str) -> str:
    paths = {"gemini": _model_in, "bedrock": model_of}
    return paths[family](exchange["path"]) if family in paths else (exchange["request"] or {}).get("model", "")


def _model_in(path: str) -> str:
    """Google names the model in the path: /v1beta/models/gemini-2.5-flash:generateContent."""
    return path.partition("?")[0].rpartition(":")[0].rpartition("/")[2]


def _counts(usage: Event | None, family: str) -> dict[str, int | None]:
    """Every count, null where the usage does not state it. A total holds its subsets."""
    places = PLACES[family]
    parts = _parts(usage or {}) if family == "anthropic" else [usage or {}]
    found = {count.name: _sum(_at(part, places[count.name]) for part in parts) if count.name in places else None for count in COUNTS}
    if family == "anthropic" and found["input_tokens"] is not None:
        # "Total input tokens in a request is the summation of input_tokens, cache_creation_input_tokens, and cache_read_input_tokens"
        found["input_tokens"] = _sum([found["input_tokens"], found["cache_read_tokens"], found["cache_write_tokens"]])
    if family in LIKE_OPENAI.values() and found["input_tokens"] is None and found["output_tokens"] is None:
        found["input_tokens"] = (usage or {}).get("total_tokens")  # of a rerank only the total is stated: there is no output
    if family == "cohere":
        _complete_cohere(found, usage or {})
    if family == "mistral":
        return _with_mistral_sums(found, usage or {})
    if family == "interactions":
        found["input_tokens"] = _sum([found["input_tokens"], (usage or {}).get("total_tool_use_tokens")])
        found["output_tokens"] = _sum([found["output_tokens"], found["reasoning_tokens"]])
    return _with_gemini_sums(found, usage or {}) if family == "gemini" else found


def _complete_cohere(found: dict[str, int | None], usage: Event) -> None:
    """Of an embedding the images' tokens are billed units; where nothing is billed in tokens, the tokens are the count."""
    if found["image_input_tokens"] is None:
        found["image_input_tokens"] = _at(usage, "billed_units.image_tokens")
    if found["input_tokens"] is None and found["output_tokens"] is None:
        found["input_tokens"], found["output_tokens"] = found["consumed_input_tokens"], found["consumed_output_tokens"]


def _with_mistral_sums(found: dict[str, int | None], usage: Event) -> dict[str, int | None]:
    """The prompt is that of texts alone; the total holds audio and what connectors have read as well. Older answers state the cache elsewhere."""
    if found["cache_read_tokens"] is None:
        found["cache_read_tokens"] = usage.get("num_cached_tokens")
    heard = usage.get("prompt_audio_seconds") or found["audio_input_tokens"]
    if (heard or usage.get("connector_tokens")) and usage["total_tokens"] != usage["prompt_tokens"] + usage["completion_tokens"]:
        found["input_tokens"] = usage["total_tokens"] - usage["completion_tokens"]
        if heard and found["audio_input_tokens"] is None:
            found["audio_input_tokens"] = found["input_tokens"] - usage["prompt_tokens"]
    return found


def _with_gemini_sums(found: dict[str, int | None], usage: Event) -> dict[str, int | None]:
    """UsageMetadata: the prompt's count leaves out what the provider's own tools returned, the candidates' count leaves out thoughts."""
    found["input_tokens"] = _sum([found["input_tokens"], usage.get("toolUsePromptTokenCount")]) if found["input_tokens"] is not None else None
    found["output_tokens"] = _sum([found["output_tokens"], found["reasoning_tokens"]])
    for half, lists in (
        ("input", ("promptTokensDetails", "promptTokenDetails", "toolUsePromptTokensDetails")),
        ("output", ("candidatesTokensDetails",)),
    ):
        for kind in ("audio", "image"):
            of_kind = [each for name in lists for each in usage.get(name) or () if each["modality"] == kind.upper()]
            found[f"{kind}_{half}_tokens"] = _sum(each["tokenCount"] for each in of_kind)
    return found


def _parts(usage: Event) -> list[Event]:
    """Anthropic, Compaction: `iterations` lists every sampling, and the totals leave out those of the type `compaction`."""
    return [usage, *(each for each in usage.get("iterations") or () if each["type"] == "compaction")]


def _at(value: Any, place: str) -> int | None:
    for name in place.split("."):
        value = (value or {}).get(name)
    return value  # type: ignore[no-any-return]


def _sum(counts: Iterable[int | None]) -> int | None:
    stated = [count for count in counts if count is not None]
    return sum(stated) if stated else None


def _read(exchange: dict[str, Any], family: str) -> Told:
    events = list(_events(exchange))
    if exchange["status"] >= FAILED:
        return Told(usage=events[0].get("usage") if events else None, ended="error")
    told = _READERS[family](events, exchange)
    told.raises = any(event.get("error") and "output" not in event for event in events)  # a response has its own error beside its output
    if told.raises or any(event.get("type") == "error" for event in events):
        told.ended = "error"
    return told


def _read_openai(events: list[Event], exchange: dict[str, Any]) -> Told:
    """Chat, text completions, embeddings: an object, or chunks of which the last one with a usage states the whole exchange's."""
    named = [event for event in events if event.get("model")]
    usages = [usage for event in events for usage in (event.get("usage"), (event.get("x_groq") or {}).get("usage")) if usage]
    choices = [choice for event in events for choice in event.get("choices") or ()]
    has_no_last_word = exchange["provider"] == "writer" and exchange["endpoint"] == "completions"
    said_last_word = has_no_last_word or "data: [DONE]" in exchange["response_body"] or any(choice.get("finish_reason") for choice in choices)
    return Told(
        model=named[0]["model"] if named else "",
        id=next((event["id"] for event in events if event.get("id")), ""),
        usage=usages[-1] if usages else None,
        ended="complete" if said_last_word or not exchange["stream"] else "partial",
    )


def _response_in(event: Event) -> Event:
    """The response that an event of a stream carries, or that came whole."""
    return event.get("response") or (event if "object" in event else {})


def _read_responses(events: list[Event], exchange: dict[str, Any]) -> Told:
    """A response, or a stream of events of which some carry it as it stands by then; the terminal one has the usage."""
    last = next((body for body in reversed([_response_in(event) for event in events]) if body), {})
    status = last.get("status")
    is_job = last.get("background") is True
    unfinished = "" if is_job else "partial"
    return Told(
        model=last.get("model") or "",
        id=last.get("id") or "",
        usage=last.get("usage"),
        ended=HOW_RESPONSES_END.get(status, unfinished) if status or exchange["stream"] else "complete",  # a compaction has no status
    )


def _read_media(events: list[Event], exchange: dict[str, Any]) -> Told:
    """Images or a transcription, or events of which the last one says what all was: a usage in seconds states no count."""
    last = events[-1] if events else {}
    finished = str(last.get("type", "")).rpartition(".")[2] in {"completed", "done"}
    return Told(
        id=(last.get("x_groq") or {}).get("id", ""), usage=last.get("usage"), ended="complete" if finished or not exchange["stream"] else "partial"
    )


def _read_runs(events: list[Event], _exchange: dict[str, Any]) -> Told:
    """A run, or the events of its stream, among which are those of its steps and messages."""
    last = [event for event in events if event["object"] == "thread.run"][-1]
    return Told(last["model"], last["id"], last["usage"], HOW_RUNS_END.get(last["status"], ""))


def _read_anthropic(events: list[Event], exchange: dict[str, Any]) -> Told:
    """A message, or `message_start` and then `message_delta`, whose counts are cumulative: each stands for what was stated before under its name.

    The output of `message_start` is the first token or so, and no count of what was spent until a `message_delta` says so.
    """
    if not exchange["stream"]:
        (message,) = events
        return Told(message.get("model") or "", message.get("id") or "", message.get("usage"))
    told = Told(ended="partial")
    for event in events:
        if event.get("type") == "message_start":
            message = event["message"]
            told.model, told.id = message["model"], message["id"]
            told.usage = {name: value for name, value in message["usage"].items() if name not in {"output_tokens", "output_tokens_details"}}
        elif event.get("type") == "message_delta":
            told.usage = (told.usage or {}) | {name: value for name, value in (event.get("usage") or {}).items() if value is not None}
            if event["delta"].get("stop_reason"):
                told.ended = "complete"
    return told


def _read_ollama(events: list[Event], exchange: dict[str, Any]) -> Told:
    """An object, or lines of which the last one says `done` and has the counts."""
    done = next((event for event in events if event.get("done")), None) if exchange["stream"] else events[0]
    model = next((event["model"] for event in reversed(events) if event.get("model")), "")
    return Told(model=model, usage=done, ended="complete" if done is not None else "partial")


def _read_gemini(events: list[Event], _exchange: dict[str, Any]) -> Told:
    """An answer, or chunks of which each states the usage so far; of an embedding on Vertex the tokens of each prediction."""
    usages = [event["usageMetadata"] for event in events if event.get("usageMetadata")]
    predictions = [each["embeddings"]["statistics"]["token_count"] for event in events for each in event.get("predictions") or ()]
    return Told(
        model=next((event["modelVersion"] for event in reversed(events) if event.get("modelVersion")), ""),
        id=next((event["responseId"] for event in reversed(events) if event.get("responseId")), ""),
        usage=usages[-1] if usages else {"promptTokenCount": sum(predictions)} if predictions else None,
    )


def _read_cohere(events: list[Event], exchange: dict[str, Any]) -> Told:
    """An answer, or events of which the last one states the usage: version 1 has the whole answer in it, version 2 a delta."""
    if not exchange["stream"]:
        (answer,) = events
        return Told(id=answer.get("response_id") or answer["id"], usage=answer.get("usage") or answer.get("meta"))
    ends = [event for event in events if event.get("type", event.get("event_type")) in {"stream-end", "message-end"}]
    answer = ends[-1].get("response") or {} if ends else {}
    begun = next((name for event in events for name in (event.get("id"), event.get("generation_id")) if name), "")
    usage = (ends[-1].get("delta") or {}).get("usage") or answer.get("meta") if ends else None
    return Told(id=answer.get("response_id") or answer.get("id") or begun, usage=usage, ended="complete" if ends else "partial")


def _read_mistral(events: list[Event], exchange: dict[str, Any]) -> Told:
    """An object, or events of which the last states the usage: a chunk with a finish reason, or an event that says that all is done.

    A conversation's entries have models and ids of their own; the last one is the answer.
    """
    if exchange["path"].startswith("/v1/conversations"):
        said = [each for event in events for each in event.get("outputs") or [event] if each.get("type", "").startswith(("message", "function"))]
    else:
        said = events
    kinds = {event.get("type", "").rpartition(".")[2] for event in events}
    finished = "done" in kinds or any(choice.get("finish_reason") for event in events for choice in event.get("choices") or ())
    told = Told(
        model=next((each["model"] for each in reversed(said) if each.get("model")), ""),
        id=next((each["id"] for each in reversed(said) if each.get("id")), ""),
        usage=next((event["usage"] for event in reversed(events) if event.get("usage")), None),
        ended="complete" if finished or not exchange["stream"] else "partial",
    )
    if "error" in kinds or any(event.get("object") == "error" for event in events):
        told.ended = "error"
    return told


def _read_interactions(events: list[Event], _exchange: dict[str, Any]) -> Told:
    """An interaction, or events of which the last one with an interaction has it as it ended."""
    last = next(body for body in reversed([event.get("interaction") or event for event in events]) if body.get("object") == "interaction")
    return Told(last["model"], last["id"], last.get("usage"), "complete" if last["status"] == "completed" else "partial")


_READERS = {
    "cohere": _read_cohere,
    "openai": _read_openai,
    "responses": _read_responses,
    "media": _read_media,
    "runs": _read_runs,
    "anthropic": _read_anthropic,
    "ollama": _read_ollama,
    "gemini": _read_gemini,
    "interactions": _read_interactions,
    "mistral": _read_mistral,
    "together": _read_openai,
    "writer": _read_openai,
}


def _events(exchange: dict[str, Any]) -> Iterator[Event]:
    """The JSON objects of a body: itself, its lines, or the data of its server-sent events."""
    body = exchange["response_body"]
    if exchange["response_shape"] == "sse":
        for block in body.replace("\r\n", "\n").split("\n\n"):
            data = "\n".join(line[5:].lstrip(" ") for line in block.split("\n") if line.startswith("data:"))
            if data and data != "[DONE]":
                yield _parse(data)
    elif exchange["response_shape"] == "ndjson":
        yield from map(_parse, body.splitlines())
    elif body.strip():
        yield _parse(body)


def _parse(text: str) -> Event:
    """An object. What is none fails for its reader, and so it reads as an error."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"type": "error", "error": text}
