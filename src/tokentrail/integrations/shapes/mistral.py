"""Mistral's API: reads requests, answers and events of chats (also of agents and fill-in-the-middle), embeddings, OCR and audio, as JSON.

`prompt_tokens` includes cached tokens, and leaves out audio (`prompt_audio_seconds`) and what connectors have read (`connector_tokens`), both of
which are in `total_tokens`; in tokentrail a total includes its subsets. Mistral states usage in the last chunk of every stream, unasked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tokentrail.instrumentation.contract import Answer, Reading
from tokentrail.integrations.shapes.json_objects import Body, fields_of, items_of, merged, sum_of, whole
from tokentrail.integrations.shapes.known_text import KNOWN_EMPTY, chat_is_text_only

__all__ = [
    "AudioEvents",
    "MistralChunks",
    "TypedEvents",
    "add_counts",
    "arguments_of",
    "no_texts",
    "read_any_chat",
    "read_audio",
    "read_chat",
    "read_embeddings",
    "texts_of_fim",
    "texts_within",
]


def no_texts(_body: Mapping[str, Any]) -> Sequence[str]:
    """Returns nothing: a document, an image or audio is no text."""
    return ()


def texts_of_fim(body: Mapping[str, Any]) -> Sequence[str]:
    """Returns the texts before and after the gap that the model fills."""
    return [text for name in ("prompt", "suffix") if (text := body.get(name)) and isinstance(text, str)]


def texts_within(content: Any) -> Iterator[str]:
    """Yields the texts of a content: a text, or chunks with a text or with the text of a thought."""
    if isinstance(content, str):
        if content:
            yield content
        return
    for chunk in items_of(content):
        fields = fields_of(chunk)
        text = fields.get("text")
        if isinstance(text, str):
            yield text
        else:
            yield from texts_within(fields.get("thinking"))


def arguments_of(call: Any) -> Iterator[str]:
    """Yields the arguments of a function call: a JSON text, or the object itself."""
    arguments = fields_of(call).get("arguments")
    if arguments:
        yield arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False, separators=(",", ":"), default=str)


def add_counts(answer: Answer, usage: Any) -> None:
    """Adds the counts of a usage object. Cached tokens stand in the details, or beside them."""
    fields = usage if type(usage) is dict else fields_of(usage)
    answer.input_tokens = fields["prompt_tokens"] if "prompt_tokens" in fields else None
    answer.output_tokens = fields["completion_tokens"] if "completion_tokens" in fields else None
    for name in _DETAILS:
        details: Any = fields[name] if name in fields else None
        if type(details) in _OBJECTS:
            answer.cache_read_tokens = details["cached_tokens"] if "cached_tokens" in details else None
            answer.audio_input_tokens = details["audio_tokens"] if "audio_tokens" in details else None
            break
    if answer.cache_read_tokens is None and "num_cached_tokens" in fields:
        answer.cache_read_tokens = fields["num_cached_tokens"]
    if fields.get("connector_tokens") or fields.get("prompt_audio_seconds"):
        _add_to_prompt(answer, fields)


_DETAILS = ("prompt_tokens_details", "prompt_token_details")
_OBJECTS = (dict, Body)


def _add_to_prompt(answer: Answer, fields: Mapping[str, Any]) -> None:
    """Adds to the input what `prompt_tokens` leaves out."""
    connectors = whole(fields.get("connector_tokens")) or 0
    if connectors and whole(answer.input_tokens) is not None:
        answer.input_tokens = sum_of(answer.input_tokens, connectors)
    total, *others = (whole(fields.get(name)) for name in ("total_tokens", "prompt_tokens", "completion_tokens"))
    if fields.get("prompt_audio_seconds") and total is not None and None not in others:
        heard = total - sum(filter(None, others)) - connectors
        if heard > 0:
            answer.input_tokens = sum_of(answer.input_tokens, heard)
            answer.audio_input_tokens = whole(answer.audio_input_tokens) or heard


def _begin(body: Any) -> Answer:
    """Returns an answer with model, id and counts, which must be right even if other fields have another shape."""
    fields = fields_of(body)
    answer = Answer(model=fields.get("model") or "", response_id=fields.get("id") or "")
    if (usage := fields.get("usage")) is not None:
        add_counts(answer, usage)
    return answer


def _texts_of_message(message: Any) -> list[str]:
    """Returns the model's output in a message or a delta."""
    fields = fields_of(message)
    texts = list(texts_within(fields.get("content")))
    for call in items_of(fields.get("tool_calls")):
        texts += arguments_of(fields_of(call).get("function"))
    return texts


def read_chat(body: Any) -> Reading:
    """Reads the answer of a chat, an agent, or fill-in-the-middle. The usual answer, one text, costs few calls; any other `read_any_chat`."""
    try:
        (choice,) = body["choices"]
        message, usage = choice["message"], body["usage"]
        text = message["content"]
        if type(text) is str and text and type(usage) is dict and not (message.get("tool_calls")):
            reason = choice["finish_reason"]
            answer = Answer(body["model"] or "", body["id"] or "", [reason] if reason else [], output_texts=[text])
            add_counts(answer, usage)
            return answer, "complete"
    except (KeyError, TypeError, ValueError):
        pass
    return read_any_chat(body)


def read_any_chat(body: Any) -> Reading:
    """Reads any answer; see `read_chat`."""
    answer = _begin(body)
    choices = [fields_of(choice) for choice in items_of(fields_of(body).get("choices"))]
    answer.output_texts = [text for choice in choices for text in _texts_of_message(choice.get("message"))]
    answer.finish_reasons = [reason for choice in choices if (reason := choice.get("finish_reason"))]
    return answer, "complete"


def read_embeddings(body: Any) -> Reading:
    """Reads embeddings, which have no output: the output's count is the provider's own, 0."""
    return _begin(body), "complete"


def read_audio(body: Any) -> Reading:
    """Reads a transcription, speech, which states no usage, or the pages of a document, which are no tokens."""
    answer = _begin(body)
    answer.output_texts = list(texts_within(fields_of(body).get("text")))
    return answer, "complete"


class MistralChunks:
    """Collects the chunks of a chat, an agent, or fill-in-the-middle."""

    __slots__ = ("answer", "body", "failed", "reasons", "textless", "texts", "usage")

    def __init__(self, body: Mapping[str, Any], _asked: bool) -> None:
        self.answer = Answer()
        self.body = body
        self.failed = False
        self.reasons: list[str] = []
        self.textless = True  # nothing but empty texts came so far
        self.texts: list[str] = []
        self.usage: Any = None

    def absorb(self, chunk: Any) -> bool:
        """Takes a chunk's texts and usage. The usual chunk, of one text and nothing else, costs no further call."""
        try:
            (choice,) = chunk["choices"]
            delta = choice["delta"]
            text = delta["content"]
            if type(text) is list:  # a thought
                (part,) = text
                (piece,) = (part,) if "text" in part else part["thinking"]
                text = piece["text"]
            if (
                type(text) is str
                and text
                and self.answer.model
                and self.answer.response_id
                and chunk["object"] != "error"
                and choice["finish_reason"] is None
                and not ("usage" in chunk or "error" in chunk or "tool_calls" in delta)
            ):
                self.texts += (text,)
                return False
        except (KeyError, TypeError, ValueError):
            pass
        self.take(chunk)
        return False

    def take(self, chunk: Any) -> None:
        """Takes any chunk; see `absorb`."""
        fields = fields_of(chunk)
        for choice in items_of(fields.get("choices")):
            inside = fields_of(choice)
            delta = fields_of(inside.get("delta"))
            self.texts += _texts_of_message(delta)
            self.textless = self.textless and not any(value for name, value in delta.items() if name != "role")
            if reason := inside.get("finish_reason"):
                self.reasons += (reason,)
        self.answer.model = self.answer.model or fields.get("model") or ""
        self.answer.response_id = self.answer.response_id or fields.get("id") or ""
        if usage := fields_of(fields.get("usage")):
            self.usage = merged(self.usage, usage)
        self.failed = self.failed or fields.get("object") == "error" or bool(fields.get("error"))

    def reading(self, *, exhausted: bool) -> Reading:
        """Returns the answer so far: complete with a finish reason or a usage at the end, or with both where the caller stopped reading."""
        known = self.usage is not None
        if known:
            add_counts(self.answer, self.usage)
        self.answer.finish_reasons = self.reasons
        self.answer.output_texts = self.texts or (KNOWN_EMPTY if self.textless and chat_is_text_only(self.body) else ())
        if self.failed:
            return self.answer, "error"
        return self.answer, "complete" if (exhausted and (self.reasons or known)) or (self.reasons and known) else "partial"


TEXTS: Final = {"transcription.text.delta": "text", "message.output.delta": "content", "function.call.delta": "arguments"}
"""The fields with a piece of text, by the type of the event."""


class TypedEvents:
    """Collects events that have a type, of which the last one states the usage."""

    __slots__ = ("answer", "ended", "texts")
    are_entries = False
    """Whether each event names the answer, as a piece of an entry does."""

    def __init__(self, _body: Mapping[str, Any], _asked: bool) -> None:
        self.answer = Answer()
        self.ended = "partial"
        self.texts: list[str] = []

    def absorb(self, event: Any) -> bool:
        """Takes an event's text or usage. The usual event, a piece of text, costs no further call."""
        try:
            text = event[TEXTS[event["type"]]]
            if type(text) is str and "object" not in event:
                self.texts += (text,) if text else ()
                if self.are_entries and "id" in event:
                    self.answer.response_id = event["id"] or self.answer.response_id
                if self.are_entries and "model" in event:
                    self.answer.model = event["model"] or self.answer.model
                return False
        except (KeyError, TypeError):
            pass
        fields = fields_of(event)
        self.take(fields.get("type"), fields)
        if fields.get("object") == "error":
            self.ended = "error"
        return False

    def take(self, kind: Any, fields: Mapping[str, Any]) -> None:
        """Takes an event of a kind."""
        raise NotImplementedError

    def reading(self, *, exhausted: bool) -> Reading:  # noqa: ARG002 - events that stop before the last one were interrupted
        """Returns the answer so far."""
        self.answer.output_texts = self.texts
        return self.answer, self.ended


class AudioEvents(TypedEvents):
    """Collects the events of a transcription or of speech."""

    __slots__ = ()

    def take(self, kind: Any, fields: Mapping[str, Any]) -> None:
        """Takes an event of a kind."""
        if kind == "transcription.text.delta":
            self.texts += texts_within(fields.get("text"))
        elif kind in ("transcription.done", "speech.audio.done"):
            self.answer, self.ended = _begin(fields), "complete"
        elif kind == "error":
            self.ended = "error"
