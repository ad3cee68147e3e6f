"""Gemini's API, also on Vertex: reads requests and answers of generate_content, its stream, and embeddings, as JSON.

`promptTokenCount` includes cached tokens and leaves out the results of the provider's own tools (`toolUsePromptTokenCount`); `candidatesTokenCount`
(in Live sessions `responseTokenCount`) leaves out thoughts (`thoughtsTokenCount`). In tokentrail a total includes its subsets, so input and output
are the sums (ai.google.dev/api, `UsageMetadata`: "totalTokenCount" is the sum of all four). Each chunk of a stream states the whole usage so far: the
last one counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from tokentrail.instrumentation.contract import Answer, Reading
from tokentrail.integrations.shapes.json_objects import JSON_OBJECTS, fields_of, items_of, sum_of, whole

__all__ = [
    "GeminiChunks",
    "add_counts",
    "is_embedding",
    "parsed_body",
    "read_content",
    "read_embeddings",
    "texts_of_contents",
    "texts_of_embeddings",
    "texts_of_part",
]


def texts_of_contents(body: Mapping[str, Any]) -> Sequence[str]:
    """Returns the texts of a request, in order: the system instruction, then the contents' parts."""
    return [*_texts_in((body.get("systemInstruction"),)), *_texts_in(items_of(body.get("contents")))]


def _texts_in(contents: Iterable[Any]) -> Iterator[str]:
    for content in contents:
        for part in items_of(fields_of(content).get("parts")):
            text = fields_of(part).get("text")
            if isinstance(text, str):
                yield text


def texts_of_embeddings(body: Mapping[str, Any]) -> Sequence[str]:
    """Returns the texts to embed: of one content, of a list of requests, or of Vertex's instances."""
    texts = list(_texts_in((body.get("content"),)))
    for request in items_of(body.get("requests")):
        texts += _texts_in((fields_of(request).get("content"),))
    return texts + [text for instance in items_of(body.get("instances")) if isinstance(text := fields_of(instance).get("content"), str)]


def texts_of_part(part: Mapping[str, Any]) -> Sequence[str]:
    """Returns a part's text, or the arguments of its function call."""
    text = part.get("text")
    if isinstance(text, str):
        return (text,) if text else ()
    call = fields_of(part.get("functionCall"))
    return (json.dumps(call.get("args") or {}, ensure_ascii=False, separators=(",", ":"), default=str),) if call else ()


def is_embedding(body: Mapping[str, Any]) -> bool:
    """Whether a request to Vertex's `predict` asks for embeddings: images and videos are made from prompts, and their answers state no tokens."""
    return any("content" in fields_of(instance) for instance in items_of(body.get("instances")))


def _of_kind(usage: Mapping[str, Any], kind: str, *names: str) -> int | None:
    """Returns the tokens of a modality in lists of details; None if no list states the modality."""
    details = [fields_of(detail) for name in names for detail in items_of(usage.get(name))]
    return sum_of(*(detail.get("tokenCount") for detail in details if detail.get("modality") == kind))


def add_counts(answer: Answer, usage: Mapping[str, Any]) -> None:
    """Adds the counts of a usage object."""
    prompt = whole(usage.get("promptTokenCount"))
    if prompt is not None:
        answer.input_tokens = sum_of(prompt, usage.get("toolUsePromptTokenCount"))
    made = whole(usage.get("candidatesTokenCount"))
    answer.output_tokens = sum_of(usage.get("responseTokenCount") if made is None else made, usage.get("thoughtsTokenCount"))
    answer.cache_read_tokens = whole(usage.get("cachedContentTokenCount"))
    answer.reasoning_tokens = whole(usage.get("thoughtsTokenCount"))
    prompts = ("promptTokensDetails", "promptTokenDetails", "toolUsePromptTokensDetails")
    answer.audio_input_tokens = _of_kind(usage, "AUDIO", *prompts)
    answer.image_input_tokens = _of_kind(usage, "IMAGE", *prompts)
    outputs = "candidatesTokensDetails" if "candidatesTokensDetails" in usage else "responseTokensDetails"
    answer.audio_output_tokens = _of_kind(usage, "AUDIO", outputs)
    answer.image_output_tokens = _of_kind(usage, "IMAGE", outputs)


class GeminiChunks:
    """Collects a stream's answers; a whole answer is a stream of one."""

    __slots__ = ("answer", "blocked", "reasons", "texts", "usage")

    def __init__(self, _body: Mapping[str, Any], _asked: bool) -> None:
        self.answer = Answer()
        self.blocked = False
        self.reasons: dict[Any, str] = {}
        self.texts: list[str] = []
        self.usage: Mapping[str, Any] = {}

    def absorb(self, chunk: Any) -> bool:
        """Takes a chunk: a JSON object, or an answer of the SDK with the JSON as `body`. The usual chunk, a piece of text, costs one call."""
        if type(chunk) in JSON_OBJECTS:
            fields = chunk
        else:
            try:
                fields = _parse(chunk.body)
            except AttributeError:
                fields = chunk
            except (TypeError, ValueError, RecursionError):
                fields = parsed_body(chunk.body)
        try:
            (candidate,) = fields["candidates"]
            (part,) = candidate["content"]["parts"]
            text, usage = part["text"], fields["usageMetadata"]
            model, name = fields["modelVersion"], fields["responseId"]
            is_usual = type(text) is str and type(usage) in JSON_OBJECTS and not ("finishReason" in candidate or "promptFeedback" in fields)
        except (KeyError, TypeError, ValueError):
            is_usual = False
        if not is_usual:
            return self._absorb_any(fields)
        self.texts += (text,) if text else ()
        self.usage = {**usage} if usage else self.usage  # older SDKs remove the fields that they do not know from the same dictionary
        self.answer.model = model or self.answer.model
        self.answer.response_id = name or self.answer.response_id
        return False

    def _absorb_any(self, chunk: Any) -> bool:
        """Takes the texts, reasons, names and usage of any chunk."""
        fields = fields_of(chunk)
        for place, each in enumerate(items_of(fields.get("candidates"))):
            candidate = fields_of(each)
            for part in items_of(fields_of(candidate.get("content")).get("parts")):
                self.texts += texts_of_part(fields_of(part))
            if reason := candidate.get("finishReason"):
                self.reasons[str(candidate.get("index", place))] = reason
        if usage := fields_of(fields.get("usageMetadata")):
            self.usage = {**usage}
        if fields_of(fields.get("promptFeedback")).get("blockReason"):
            self.blocked = True
        self.answer.model = fields.get("modelVersion") or self.answer.model
        self.answer.response_id = fields.get("responseId") or self.answer.response_id
        return False

    def reading(self, *, exhausted: bool) -> Reading:
        """Returns the answer so far."""
        add_counts(self.answer, self.usage)
        self.answer.finish_reasons = list(self.reasons.values())
        self.answer.output_texts = self.texts
        if self.blocked and self.answer.input_tokens is not None and self.answer.output_tokens is None:
            self.answer.output_tokens = 0  # the prompt was refused, and the usage states the prompt alone
        return self.answer, "complete" if exhausted else "partial"


_parse = msgspec.json.decode


def parsed_body(body: Any) -> Any:
    """Returns the JSON of an answer's body, which may be parsed already; raises as the SDK does if the body is none."""
    if not isinstance(body, (str, bytes)):
        return body
    try:
        return _parse(body)
    except (ValueError, RecursionError):
        return json.loads(body) if body else {}


def read_content(body: Any) -> Reading:
    """Reads a whole answer."""
    chunks = GeminiChunks({}, False)
    chunks.absorb(body)
    return chunks.reading(exhausted=True)


def read_embeddings(body: Any) -> Reading:
    """Reads an answer of embeddings: its usage, or on Vertex the tokens of each prediction."""
    fields = fields_of(body)
    answer = Answer(model=fields.get("modelVersion") or "")
    if usage := fields_of(fields.get("usageMetadata")):
        add_counts(answer, usage)
    else:
        embeddings = (fields_of(fields_of(prediction).get("embeddings")) for prediction in items_of(fields.get("predictions")))
        answer.input_tokens = sum_of(*(fields_of(embedding.get("statistics")).get("token_count") for embedding in embeddings))
    return answer, "complete"
