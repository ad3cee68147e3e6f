"""The usages of packages with shapes of their own, after the providers' documentation; as in `recording_usages`, nothing of tokentrail reads along.

| provider's page                                              | what is taken from it                                                      |
|--------------------------------------------------------------|----------------------------------------------------------------------------|
| Text Generation Inference: /generate, /generate_stream       | `generated_tokens`, `input_length`, the list `prefill`                     |
| Replicate: predictions                                       | `metrics.input_token_count`, `output_token_count`; ends; a job             |
| Voyage: API reference                                        | `total_tokens`; of images what is beside `text_tokens`                     |
| xAI: gRPC API reference, Reasoning                           | reasoning beside the completion if the total has both; a missing number: 0 |
| Gemini: Live API, Pricing & billing                          | the sum of the messages' counts; thoughts beside the response              |
| Claude Agent SDK: Track cost and usage                       | the last totals of each model; a cache beside the input                    |
"""

from __future__ import annotations

import json
from typing import Any

__all__ = ["KINDS_OF_PACKAGES", "kind_of_package", "read_package"]

Event = dict[str, Any]
KINDS_OF_PACKAGES = {
    ("huggingface", "chat"): ("chat", "chat", "chat", "llm"),
    ("huggingface", "generate"): ("generate", "text_completion", "generation", "llm"),
    ("huggingface", "embeddings"): ("embeddings", "embeddings", "vector_search", "embedding"),
    ("replicate", "predictions"): ("predictions", "text_completion", "generation", "llm"),
    ("voyage", "embeddings"): ("embeddings", "embeddings", "vector_search", "embedding"),
    ("voyage", "rerank"): ("rerank", "rerank", "vector_search", "embedding"),
    ("xai_grpc", "chat"): ("chat", "chat", "chat", "llm"),
    ("xai_grpc", "compact"): ("compact", "chat", "chat", "llm"),
    ("google_genai", "live"): ("live", "generate_content", "chat", "llm"),
    ("vertex", "live"): ("live", "generate_content", "chat", "llm"),
    ("claude_agent", "agent"): ("agent", "invoke_agent", "chat", "llm"),
}
"""Endpoint, operation of the conventions, operation, and kind of token, by provider and endpoint in the corpus's words."""
_HOW_PREDICTIONS_END = {"succeeded": "complete", "failed": "error", "canceled": "partial", "aborted": "partial"}
_OF_VOYAGE = {"contextualizedembeddings": "contextualized_embeddings", "multimodalembeddings": "multimodal_embeddings"}
Read = tuple[str, str, dict[str, int], str, bool]
"""The model, the id, the counts, how the answer ended, whether a stream carries an error."""


def kind_of_package(exchange: dict[str, Any]) -> tuple[str, str, str, str] | None:
    """The names of an exchange's endpoint."""
    kind = KINDS_OF_PACKAGES.get((exchange["provider"], exchange["endpoint"]))
    name = _OF_VOYAGE.get(exchange["path"].rpartition("/")[2])
    return (name, *kind[1:]) if kind is not None and name is not None else kind


def read_package(exchange: dict[str, Any]) -> Read | None:
    """What an exchange tells; none where nothing is spent, or nothing is known yet."""
    events = _events(exchange["response_body"])
    if exchange["endpoint"] == "live":
        return _live(events)
    readers = {"replicate": _replicate, "voyage": _voyage, "xai_grpc": _xai, "claude_agent": _claude}
    if exchange["provider"] != "huggingface":
        return readers[exchange["provider"]](events)
    return _vectors(events) if exchange["endpoint"] == "embeddings" else _tgi(events) if exchange["endpoint"] == "generate" else _chat(events)


def _events(text: str) -> list[Any]:
    """All objects of a body: of one JSON text, of lines, of server-sent events."""
    try:
        whole = json.loads(text)
    except ValueError:
        lines = (line.removeprefix("data:").strip() for line in text.splitlines())
        return [json.loads(line) for line in lines if line.startswith("{")]
    return whole if isinstance(whole, list) else [whole]


def _found(**counts: int | None) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count is not None}


def _chat(events: list[Event]) -> Read:
    usage = next((event["usage"] for event in reversed(events) if event.get("usage")), {})
    read, cached = usage.get("prompt_tokens"), usage.get("cached_tokens")  # the latter of Together, behind the router
    counts = _found(input_tokens=read, output_tokens=usage.get("completion_tokens"), cache_read_tokens=cached)
    ended = any(choice.get("finish_reason") for event in events for choice in event.get("choices", ()))
    return events[-1].get("model", ""), events[-1].get("id", ""), counts, "complete" if ended else "partial", False


def _tgi(events: list[Event]) -> Read:
    last = events[-1]
    details = last.get("details") or {}
    prompt = details.get("input_length", len(details.get("prefill", ())) or None)
    failed = "error" in last
    ended = "error" if failed else "complete" if last.get("generated_text") is not None else "partial"
    return "", "", _found(input_tokens=prompt, output_tokens=details.get("generated_tokens")), ended, failed and len(events) > 1


def _vectors(_events: list[Any]) -> Read:
    return "", "", {}, "complete", False


def _replicate(events: list[Event]) -> Read | None:
    prediction = events[0]
    metrics = prediction.get("metrics") or {}
    ended = _HOW_PREDICTIONS_END.get(prediction.get("status", ""), "")
    counts = _found(input_tokens=metrics.get("input_token_count"), output_tokens=metrics.get("output_token_count"))
    return (prediction["model"], prediction["id"], counts, ended, False) if ended and counts else None


def _voyage(events: list[Event]) -> Read:
    usage = events[0].get("usage", {})
    images = usage["total_tokens"] - usage["text_tokens"] if usage.get("image_pixels") else None
    return events[0].get("model", ""), "", _found(input_tokens=usage.get("total_tokens"), image_input_tokens=images), "complete", False


def _xai(events: list[Event]) -> Read:
    given = next((event["usage"] for event in reversed(events) if "usage" in event), None)
    outputs = [output for event in events for output in event.get("outputs", ())]
    ended = given is not None or any(output.get("finish_reason") or output.get("finishReason") for output in outputs)
    counts: dict[str, int] = {}
    if given is not None:
        usage = {name.lower().replace("_", ""): count for name, count in given.items()}
        prompt, completion, reasoning = (usage.get(f"{name}tokens", 0) for name in ("prompt", "completion", "reasoning"))
        beside = usage.get("totaltokens", 0) != prompt + completion
        counts = {
            "input_tokens": prompt,
            "output_tokens": completion + (reasoning if beside else 0),
            "reasoning_tokens": reasoning,
            "cache_read_tokens": usage.get("cachedprompttexttokens", 0),
            "image_input_tokens": usage.get("promptimagetokens", 0),
        }
    return events[-1].get("model", ""), events[-1].get("id", ""), counts, "complete" if ended else "partial", False


def _live(events: list[Event]) -> Read:
    stated = [event["usageMetadata"] for event in events if "usageMetadata" in event]

    def count(*names: str) -> int | None:
        counts = [usage[name] for usage in stated for name in names if name in usage]
        return sum(counts) if counts else None

    def of_sound(name: str) -> int | None:
        counts = [detail["tokenCount"] for usage in stated for detail in usage.get(name, ()) if detail["modality"] == "AUDIO"]
        return sum(counts) if counts else None

    counts = _found(
        input_tokens=count("promptTokenCount"),
        output_tokens=count("responseTokenCount", "candidatesTokenCount", "thoughtsTokenCount"),
        cache_read_tokens=count("cachedContentTokenCount"),
        reasoning_tokens=count("thoughtsTokenCount"),
        audio_input_tokens=of_sound("promptTokensDetails"),
        audio_output_tokens=of_sound("responseTokensDetails"),
    )
    return "", "", counts, "complete" if stated else "partial", False


def _claude(events: list[Event]) -> Read | None:
    result = next((event for event in reversed(events) if event.get("type") == "result"), None)
    if result is None:
        return None
    ended = "error" if result["is_error"] else "complete"
    if "modelUsage" in result:
        [(model, usage)] = result["modelUsage"].items()
        names = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
    else:
        usage, model = result["usage"], next(event["message"]["model"] for event in reversed(events) if event.get("type") == "assistant")
        names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    given, made, read, written = (usage[name] for name in names)
    counts = {"input_tokens": given + read + written, "output_tokens": made, "cache_read_tokens": read, "cache_write_tokens": written}
    return model, "", counts, ended, False
