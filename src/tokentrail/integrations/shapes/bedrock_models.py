"""Bedrock's InvokeModel: each family of models has requests, answers and chunks of its own, which their fields tell apart.

| family                                       | counts                                                                        |
|----------------------------------------------|-------------------------------------------------------------------------------|
| Anthropic's messages                         | `usage`, as Anthropic's own API states it                                     |
| Amazon Nova                                  | `usage`, as Converse states it                                                |
| OpenAI's shape (Mistral, DeepSeek, imported) | `usage`, where it is stated                                                   |
| Amazon Titan, text and embeddings            | `inputTextTokenCount`, `tokenCount` of each result, `totalOutputTextTokenCount` |
| Meta Llama                                   | `prompt_token_count`, `generation_token_count`                                |
| Cohere, AI21, Mistral's and Anthropic's text | none in the body                                                              |

What a body leaves out, the response's headers state (`x-amzn-bedrock-input-token-count`, …), and in a stream the `amazon-bedrock-invocationMetrics`
of the last chunk. The body comes first: seen in recordings, the metrics of Claude's streams leave out the tokens of tool calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tokentrail.instrumentation.contract import Answer, Endpoint, Reading
from tokentrail.integrations.shapes.anthropic_messages import read_message, texts_of_messages
from tokentrail.integrations.shapes.converse import read_converse, texts_of_converse
from tokentrail.integrations.shapes.json_objects import Body, fields_of, items_of, sum_of, whole
from tokentrail.integrations.shapes.openai_chat import read_any_chat
from tokentrail.integrations.shapes.openai_completions import read_completion

__all__ = [
    "HEADERS",
    "INPUTS",
    "LISTS",
    "METRICS",
    "OUTPUTS",
    "REASONS",
    "TEXTS",
    "add_stated",
    "count_in",
    "is_embedding",
    "is_of_tokens",
    "parts_of",
    "read_invoked",
    "read_with_headers",
    "texts_in",
    "texts_of_invoked",
]

HEADERS: Final = {
    "input": "x-amzn-bedrock-input-token-count",
    "output": "x-amzn-bedrock-output-token-count",
    "read": "x-amzn-bedrock-cache-read-input-token-count",
    "written": "x-amzn-bedrock-cache-write-input-token-count",
}
METRICS: Final = {
    "input": "inputTokenCount",
    "output": "outputTokenCount",
    "read": "cacheReadInputTokenCount",
    "written": "cacheWriteInputTokenCount",
}


def add_stated(answer: Answer, stated: Mapping[str, Any], names: Mapping[str, str]) -> None:
    """Adds the counts of headers or metrics to the halves of an answer that the body leaves open; the input leaves out the cache there too."""
    if answer.input_tokens is None and (uncached := whole(stated.get(names["input"]))) is not None:
        answer.cache_read_tokens = whole(stated.get(names["read"]))
        answer.cache_write_tokens = whole(stated.get(names["written"]))
        answer.input_tokens = sum_of(uncached, answer.cache_read_tokens, answer.cache_write_tokens)
    if answer.output_tokens is None:
        answer.output_tokens = whole(stated.get(names["output"]))


def read_with_headers(endpoint: Endpoint, headers: Mapping[str, Any], body: Any) -> Reading | None:
    """Reads a whole body, and what the headers state beside it. None: nothing is counted (a ranking or an image of a deferred endpoint)."""
    reading = endpoint.read(body)
    if reading is None:
        return None
    answer = reading[0]
    if answer.input_tokens is None or answer.output_tokens is None:
        add_stated(answer, headers, HEADERS)
        if endpoint.deferred and answer.input_tokens is None and answer.output_tokens is None:
            return None
    return reading


def is_embedding(model: str, body: Mapping[str, Any]) -> bool:
    """Whether a request asks for vectors, by its fields, or by the model's name."""
    task = body.get("taskType")
    return (isinstance(task, str) and task.endswith("EMBEDDING")) or "input_type" in body or "embed" in model or "embeddingConfig" in body


def is_of_tokens(model: str, body: Mapping[str, Any]) -> bool:
    """Whether a request is answered in tokens: rankings, images and videos are not."""
    is_ranking = "query" in body and "documents" in body
    return not (is_ranking or "taskType" in body or "text_prompts" in body or model.startswith(("stability.", "luma.")))


def texts_of_invoked(body: Mapping[str, Any]) -> Sequence[str]:
    """Returns the texts of a request of any family, in order."""
    texts = [text for name in ("inputText", "prompt", "message", "query") if isinstance(text := body.get(name), str)]
    for name in ("texts", "documents", "inputs"):
        texts += [text for text in items_of(body.get(name)) if isinstance(text, str)]
    history = [fields_of(each).get("message") for each in items_of(body.get("chat_history"))]
    text = fields_of(fields_of(body.get("singleEmbeddingParams")).get("text")).get("value")
    texts += [each for each in (*history, text) if isinstance(each, str)]
    contents = [fields_of(message).get("content") for message in items_of(body.get("messages"))]
    are_typed = any("type" in fields_of(part) for content in contents for part in items_of(content))
    texts_of = texts_of_messages if are_typed or any(isinstance(content, str) for content in contents) else texts_of_converse
    return [*texts, *texts_of(body)]


TEXTS: Final = ("outputText", "generation", "completion", "text")
LISTS: Final = ("results", "outputs", "generations", "completions")
INPUTS: Final = ("inputTextTokenCount", "prompt_token_count")
OUTPUTS: Final = ("totalOutputTextTokenCount", "generation_token_count")
REASONS: Final = ("stop_reason", "completionReason", "finish_reason")


def read_invoked(body: Any) -> Reading:
    """Reads an answer of any family."""
    fields = fields_of(body)
    if "output" in fields and "stopReason" in fields:
        return read_converse(fields)
    if fields.get("type") == "message":
        return read_message(fields)
    if choices := items_of(fields.get("choices")):
        return read_completion(Body.of(fields)) if "text" in fields_of(choices[0]) and "usage" in fields else _read_choices(fields)
    answer = Answer(response_id=fields.get("id") or fields.get("response_id") or "")
    parts = parts_of(fields)
    answer.input_tokens, answer.output_tokens = count_in(fields, *INPUTS), count_in(fields, *OUTPUTS)
    if answer.output_tokens is None:
        answer.output_tokens = sum_of(*(part.get("tokenCount") for part in parts))
    answer.output_texts = list(texts_in(parts))
    answer.finish_reasons = [reason for part in parts for name in REASONS if (reason := part.get(name))]
    return answer, "complete"


def _read_choices(fields: Mapping[str, Any]) -> Reading:
    """Reads an answer in OpenAI's shape; Mistral's name the reason `stop_reason`."""
    answer, ended = read_any_chat(Body.of(fields))
    choices = [fields_of(choice) for choice in items_of(fields.get("choices"))]
    answer.output_texts = [*answer.output_texts, *texts_in(choices)]
    answer.finish_reasons = [reason for choice in choices if (reason := choice.get("finish_reason") or choice.get("stop_reason"))]
    return answer, ended


def parts_of(fields: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Returns an answer and the parts in its lists: results, generations and so on."""
    return [fields, *(fields_of(item) for name in LISTS for item in items_of(fields.get(name)))]


def texts_in(parts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yields the model's output in the parts of an answer."""
    for part in parts:
        for text in (*(part.get(name) for name in TEXTS), fields_of(part.get("data")).get("text")):
            if text and isinstance(text, str):
                yield text


def count_in(fields: Mapping[str, Any], *names: str) -> int | None:
    """Returns the first count that is stated under one of these names."""
    return next((count for name in names if (count := whole(fields.get(name))) is not None), None)
