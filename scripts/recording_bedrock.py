"""What an exchange with Amazon Bedrock states, read from its bytes after AWS's documentation; see `recording_usages`.

| page                                                           | what is taken from it                                                       |
|----------------------------------------------------------------|-----------------------------------------------------------------------------|
| Bedrock API reference: Converse, ConverseStream, TokenUsage    | `usage`; the events `messageStop` and `metadata`                            |
| Bedrock user guide, Prompt caching                             | reads and writes beside `inputTokens`; `cacheDetails`                       |
| Bedrock user guide, Inference request parameters of each model | the counts in a body of Titan, Llama, Nova, Claude, and in OpenAI's shape   |
| Bedrock API reference: InvokeModel                             | the counts in the headers, `amazon-bedrock-invocationMetrics` in the stream |
"""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import unquote

from aws_frames import frames_in, header_in

__all__ = ["COUNTED", "KINDS", "kind_of", "model_of", "read_bedrock"]

Event = dict[str, Any]
Counts = dict[str, int | None]
COUNTED = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "reasoning_tokens")
"""What Bedrock's models state."""
KINDS = {
    "converse": ("converse", "chat", "chat", "llm"),
    "chat": ("invoke_model", "chat", "chat", "llm"),
    "text": ("invoke_model", "text_completion", "generation", "llm"),
    "vectors": ("embeddings", "embeddings", "vector_search", "embedding"),
}
"""What the ledger calls a kind of call: endpoint, operation of the conventions, operation, kind of token."""


def model_of(path: str) -> str:
    """The model that a path names: /model/amazon.nova-lite-v1%3A0/converse."""
    return unquote(path.split("/")[2])


def kind_of(exchange: dict[str, Any]) -> str:
    """The kind of a call; empty where no tokens are spent: tokens that are only counted, rankings."""
    verb, request = exchange["path"].rpartition("/")[2], exchange["request"] or {}
    if verb in {"converse", "converse-stream"}:
        return "converse"
    if verb not in {"invoke", "invoke-with-response-stream"} or "rerank" in model_of(exchange["path"]):
        return ""
    if "embed" in model_of(exchange["path"]):
        return "vectors"
    return "chat" if "messages" in request or "message" in request else "text"


def read_bedrock(exchange: dict[str, Any]) -> tuple[str, str, Counts, str]:
    """The model, the id, the counts by their names in the ledger, and how the answer ended."""
    if exchange["stream"]:
        events = [_event_in(headers, json.loads(payload)) for headers, payload in frames_in(exchange["response_body"])]
        return _read_events(events)
    body = json.loads(exchange["response_body"])
    counts = _counts_in(body)
    headers = {name: int(value) for name, value in exchange["response_headers"].items() if name.endswith("-token-count")}
    _complete(counts, headers.get("x-amzn-bedrock-input-token-count"), headers.get("x-amzn-bedrock-output-token-count"))
    return body.get("model") or "", body.get("id") or body.get("response_id") or "", counts, "complete"


def _event_in(headers: bytes, payload: Event) -> Event:
    """A chunk of InvokeModelWithResponseStream is JSON in base64; an event of ConverseStream is named in the frame's header."""
    return json.loads(base64.b64decode(payload["bytes"])) if "bytes" in payload else {header_in(headers, ":event-type"): payload}  # type: ignore[no-any-return]


def _read_events(events: list[Event]) -> tuple[str, str, Counts, str]:
    model = name = ""
    ended = "partial"
    stated: Event = {}
    for event in events:
        if event.get("type") == "message_start":
            model, name = event["message"]["model"], event["message"]["id"]
            stated = {key: value for key, value in event["message"]["usage"].items() if not key.startswith("output")}
        elif event.get("type") == "message_delta":
            stated |= event["usage"]
        stated |= event.get("metadata", {}).get("usage", {})
        stated |= {key: event[key] for key in ("inputTextTokenCount", "totalOutputTextTokenCount") if event.get(key) is not None}
        if "messageStop" in event or "completionReason" in event or event.get("delta", {}).get("stop_reason"):
            ended = "complete"
    metrics: Event = next((event["amazon-bedrock-invocationMetrics"] for event in events if "amazon-bedrock-invocationMetrics" in event), {})
    counts = _counts_in({"usage": stated} | stated)
    _complete(counts, metrics.get("inputTokenCount"), metrics.get("outputTokenCount"))
    return model, name, counts, "complete" if metrics or counts["output_tokens"] is not None else ended


def _counts_in(body: Event) -> Counts:
    """The counts of a body. A total holds its subsets: reads and writes of the cache are added to the input, which is stated beside them."""
    usage = body.get("usage") or {}
    found: Counts = {
        "cache_read_tokens": _first(usage, "cacheReadInputTokens", "cacheReadInputTokenCount", "cache_read_input_tokens"),
        "cache_write_tokens": _first(usage, "cacheWriteInputTokens", "cacheWriteInputTokenCount", "cache_creation_input_tokens"),
        "cache_write_1h_tokens": (usage.get("cache_creation") or {}).get("ephemeral_1h_input_tokens"),
        "reasoning_tokens": (usage.get("output_tokens_details") or {}).get("thinking_tokens"),
        "input_tokens": _first(usage, "inputTokens", "input_tokens", "prompt_tokens"),
        "output_tokens": _first(usage, "outputTokens", "output_tokens", "completion_tokens"),
    }
    for_an_hour = [each["inputTokens"] for each in usage.get("cacheDetails") or () if each["ttl"] == "1h"]
    if for_an_hour:
        found["cache_write_1h_tokens"] = sum(for_an_hour)
    if found["input_tokens"] is None:
        found["input_tokens"] = _first(body, "inputTextTokenCount", "prompt_token_count")
    else:
        found["input_tokens"] += (found["cache_read_tokens"] or 0) + (found["cache_write_tokens"] or 0)
    if found["output_tokens"] is None:
        found["output_tokens"] = _first(body, "totalOutputTextTokenCount", "generation_token_count")
    if found["output_tokens"] is None and "results" in body:
        found["output_tokens"] = sum(int(result["tokenCount"]) for result in body["results"])
    return found


def _first(usage: Event, *names: str) -> int | None:
    stated = next((usage[name] for name in names if usage.get(name) is not None), None)
    return None if stated is None else int(stated)


def _complete(counts: Counts, given: int | None, made: int | None) -> None:
    """What the body does not state stands in the headers, or in the metrics of the last chunk."""
    if counts["input_tokens"] is None:
        counts["input_tokens"] = given
    if counts["output_tokens"] is None:
        counts["output_tokens"] = made
