"""Chooses the exchanges that are shipped: a greedy cover of everything that makes one exchange different from another for a token counter."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from aws_frames import frames_in

ENDPOINTS = {
    "anthropic": {"messages"},
    "azure_ai": {"chat", "embeddings"},
    "cerebras": {"chat"},
    "cohere": {"cohere_chat", "cohere_generate", "embeddings", "rerank", "count_tokens"},
    "openai": {"assistant_runs", "chat", "completions", "count_tokens", "embeddings", "images", "moderations", "responses", "responses_get"},
    "groq": {"chat"},
    "mistral": {"audio", "chat", "embeddings", "ocr"},
    "ollama": {"chat", "embeddings", "ollama_chat", "ollama_generate"},
    "openrouter": {"chat", "embeddings", "rerank", "responses"},
    "together": {"chat", "completions"},
    "huggingface": {"chat"},
    "replicate": {"predictions"},
    "voyage": {"rerank"},
    "writer": {"chat", "completions"},
    "google_genai": {"generate_content", "embeddings", "interactions"},
    "vertex": {"generate_content", "embeddings"},
    "bedrock": {"converse", "invoke_model", "count_tokens", "rerank"},
}
"""What the shipped recordings cover, in the corpus's words."""
MOST = 230
FAILED = 400  # statuses from here on are errors
LONGEST = 45_000  # characters of a request, and of an answer: longer ones teach nothing that a shorter one does not
SHORT = 15_000  # the same of providers that answer as OpenAI does
LIKE_OPENAI = ("azure_ai", "cerebras", "huggingface", "openrouter", "together", "writer")

_FAMILIES = re.compile(
    r"amazon\.titan-(embed|text|tg1)|amazon\.nova(-2-multi)?|anthropic\.claude(-v2)?|cohere\.(command(-r)?|embed|rerank)|meta|mistral"
)
_OUTPUT = "x-amzn-bedrock-output-token-count"
_FLAGS = ("cached", "cache_write", "reasoning", "tool_call", "tools_offered", "multi_choice", "media")
_FINISH = re.compile(r'"(finish_reason|done_reason|stop_reason|reason|finishReason|blockReason|stopReason|completionReason)": ?"(\w+)"')
_ITEMS = re.compile(r'"(?:event_)?type": ?"(\w*_call|reasoning|refusal|compaction|[a-z]+(?:-[a-z]+)+)"')


def eligible(exchange: dict[str, Any]) -> bool:
    """Whether an exchange may be shipped: an endpoint that is supported, not doubtful, not too long."""
    return (
        exchange["endpoint"] in ENDPOINTS.get(exchange["provider"], ())
        and not exchange["flags"].get("hand_made_suspect")
        and (exchange["response_encoding"] == "text" or exchange["response_shape"] == "eventstream")
        and "sagemaker" not in exchange["path"]  # names an account
        # what Google's SDK for Python does not ask for
        and exchange["response_shape"] != "jsonarray"
        and "enum-encoding" not in exchange["path"]
        and not (exchange["provider"] == "openrouter" and exchange["endpoint"] == "chat" and not _is_of_today(exchange))
        and (len(exchange["response_body"]) <= LONGEST or exchange["endpoint"] == "embeddings")
        and (len(request := json.dumps(exchange["request"])) <= LONGEST or "input_audio" in request)  # a sound is long, whatever it says
        and (len(exchange["response_body"]) <= SHORT or exchange["provider"] not in LIKE_OPENAI)
    )


def _is_of_today(exchange: dict[str, Any]) -> bool:
    """Whether OpenRouter's SDK accepts an answer: older answers lack fields that its types require."""
    body = exchange["response_body"]
    return exchange["stream"] or exchange["status"] >= FAILED or '"system_fingerprint"' in body


def _positive(value: Any, path: str = "") -> Iterator[str]:
    """Dotted names of all counts above 0 in a usage object."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _positive(item, f"{path}.{key}")
    elif isinstance(value, list):  # Google's details: [{"modality": "AUDIO", "tokenCount": 12}]
        for item in value:
            yield from _positive(item, f"{path}.{item.get('modality') if isinstance(item, dict) else ''}")
    elif isinstance(value, (int, float)) and value > 0:
        yield path


def features(exchange: dict[str, Any]) -> set[str]:
    """What an exchange shows, each thing together with its provider, endpoint and whether it is a stream."""
    flags, body = exchange["flags"], _text_of(exchange)
    found = {f"path {exchange['method']} {_place_of(exchange)}", f"status {exchange['status']}"}
    if exchange["status"] < FAILED:
        found |= {name for name in _FLAGS if flags.get(name)}
        found |= {f"include_usage {flags.get('include_usage')}", f"has_usage {flags['has_usage']}", f"ended {flags.get('ended')}"}
        found |= {" ".join(match) for match in _FINISH.findall(body)} | set(_ITEMS.findall(body))
        found |= {f"count {name}" for name in _positive(exchange["usage_raw"])}
        found |= {name for name in ("refusal", "logprobs") if re.search(rf'"{name}": ?["{{]', body)}
        found |= {name for name in ("x_groq", "guardrail", "cacheDetails", "citation", "reasoningContent", "redactedContent") if name in body}
        found |= {"headers beside the body"} if exchange["response_headers"].get(_OUTPUT) and exchange["expected"]["output_tokens"] is None else set()
        found |= {"another model answers"} if exchange["expected"]["model"] not in {None, exchange["request_model"]} else set()
    cell = f"{exchange['provider']}/{exchange['endpoint']}/{'stream' if exchange['stream'] else 'plain'}"
    return {f"{cell}: {name}" for name in found}


def _text_of(exchange: dict[str, Any]) -> str:
    """The body; of AWS frames their payloads."""
    if exchange["response_shape"] != "eventstream":
        return str(exchange["response_body"])
    payloads = [json.loads(payload) for _, payload in frames_in(exchange["response_body"])]
    return "\n".join(base64.b64decode(each["bytes"]).decode() if "bytes" in each else json.dumps(each) for each in payloads)


def _place_of(exchange: dict[str, Any]) -> str:
    """The path without ids, and without the models of Google's vectors; of Bedrock's models the family, where each has a shape of its own."""
    path = re.sub(r"(resp|run|thread)_\w+", "", exchange["path"].split("?")[0])
    path = re.sub(r"/models/[^/:]+(?=:\w*[eE]mbed)", "/models/", path)  # vectors of any model read alike
    if not path.startswith("/model/"):
        return path
    _, _, model, verb = path.split("/")
    family = _FAMILIES.search(model) if verb.startswith("invoke") else None
    return f"{family[0] if family else ''} {verb} {'arn' if model.startswith('arn') else ''}"


def select(exchanges: Iterable[dict[str, Any]], most: int = MOST) -> list[dict[str, Any]]:
    """Choose at most `most` exchanges: again and again the one that shows most new things, the shortest (then the first by id) among equals."""
    left = {exchange["id"]: (features(exchange), exchange) for exchange in exchanges if eligible(exchange)}
    seen: set[str] = set()
    chosen: list[dict[str, Any]] = []
    while left and len(chosen) < most:
        best = min(left, key=lambda name: (-len(left[name][0] - seen), _length(left[name][1]), name))
        shown, exchange = left.pop(best)
        if not shown - seen:
            break
        seen |= shown
        chosen.append(exchange)
    return sorted(chosen, key=lambda exchange: str(exchange["id"]))


def _length(exchange: dict[str, Any]) -> int:
    return len(exchange["response_body"]) + len(str(exchange["request"]))
