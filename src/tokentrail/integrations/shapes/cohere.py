"""Cohere's API, versions 1 and 2: reads requests and answers of chat and its stream, generate, summarize, embed, rerank and classify, as JSON.

`billed_units` are the counts. `tokens` is the whole prompt, with what Cohere itself puts around the caller's words, and the answer with its marks:
the consumed tokens, which no bill has (docs.cohere.com, "How does Cohere's pricing work?"). `cached_tokens` are of the whole prompt, so there may be
more of them than billed input. Units that are no tokens (search units, classifications, images, pages) have no count. Version 1 states all of these
in `meta`, version 2 of chat in `usage`. Only the last event of a stream (`stream-end`, `message-end`) states them, and no answer names its model.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tokentrail.instrumentation.contract import Answer, Reading
from tokentrail.integrations.shapes.cohere_texts import contents_of, texts_in
from tokentrail.integrations.shapes.json_objects import TOO_MUCH, fields_of, items_of, sum_of, whole

__all__ = ["CohereChunks", "read_answer", "read_vectors"]


def _count(value: Any) -> int | None:
    """Returns a count; None for a negative number: the SDK's client for AWS writes -1 where a header is missing."""
    count = whole(value)
    return None if count is not None and count < 0 else count


def add_counts(answer: Answer, stated: Any) -> None:
    """Adds the counts of version 1's `meta` or version 2's `usage`. The usual object is read without function calls, any other to the same effect."""
    try:
        billed, tokens = stated["billed_units"], stated["tokens"]
        into, out, read, written = billed["input_tokens"], billed["output_tokens"], tokens["input_tokens"], tokens["output_tokens"]
        cached = stated["cached_tokens"] if "cached_tokens" in stated else 0
        are_whole = type(into) is type(out) is type(read) is type(written) is type(cached) is int
        usual = are_whole and 0 <= (into | out | read | written | cached) < TOO_MUCH
    except (KeyError, TypeError):
        usual = False
    if not usual or "reasoning_tokens" in tokens or "image_tokens" in tokens or "image_tokens" in billed:
        _add_any_counts(answer, fields_of(stated))
        return
    answer.input_tokens, answer.output_tokens, answer.consumed_input_tokens, answer.consumed_output_tokens = into, out, read, written
    answer.cache_read_tokens = cached if "cached_tokens" in stated else None


def _add_any_counts(answer: Answer, stated: Mapping[str, Any]) -> None:
    """Without billed units, tokens are all that is known."""
    billed, tokens = fields_of(stated.get("billed_units")), fields_of(stated.get("tokens"))
    answer.consumed_input_tokens, answer.consumed_output_tokens = _count(tokens.get("input_tokens")), _count(tokens.get("output_tokens"))
    answer.input_tokens, answer.output_tokens = _count(billed.get("input_tokens")), _count(billed.get("output_tokens"))
    if answer.input_tokens is None and answer.output_tokens is None:
        answer.input_tokens, answer.output_tokens = answer.consumed_input_tokens, answer.consumed_output_tokens
    answer.cache_read_tokens = _count(stated.get("cached_tokens"))
    answer.reasoning_tokens = _count(tokens.get("reasoning_tokens"))
    images = _count(tokens.get("image_tokens"))
    answer.image_input_tokens = _count(billed.get("image_tokens")) if images is None else images


WITH_CONTENT: Final = ("content-delta", "content-start")
WITHOUT_TEXT: Final = ("content-end", "tool-call-end", "citation-start", "citation-end", "citation-generation", "search-results")


class CohereChunks:
    """Collects a stream's events, of either version; a whole answer is read by the same methods."""

    __slots__ = ("answer", "ended", "texts")

    def __init__(self, _body: Mapping[str, Any], _asked: bool) -> None:
        self.answer = Answer()
        self.ended = "partial"  # until an event says otherwise
        self.texts: list[Any] = []

    def absorb(self, event: Any) -> bool:
        """Takes an event."""
        self.absorb_all((event,))
        return False

    def absorb_all(self, events: Iterable[Any]) -> None:  # noqa: C901 - a kind of event each
        """Takes events. A piece of text, as nearly every event is, costs no function call."""
        for event in events:
            try:
                kind = event["type"] if "type" in event else event["event_type"]
                if kind in WITH_CONTENT and type(content := event["delta"]["message"]["content"]) is dict:
                    if "text" in content:
                        self.texts += (content["text"],)
                    if "thinking" in content:
                        self.texts += (content["thinking"],)
                elif kind == "text-generation":
                    self.texts += (event["text"],)
                elif kind == "tool-plan-delta":
                    self.texts += (event["delta"]["message"]["tool_plan"],)
                elif kind == "tool-call-delta":
                    self.texts += (event["delta"]["message"]["tool_calls"]["function"]["arguments"],)
                elif kind == "tool-calls-chunk" and "text" not in event:
                    self.texts += (event["tool_call_delta"]["parameters"],)
                elif kind not in WITHOUT_TEXT:
                    self._take(kind, fields_of(event))
            except (KeyError, TypeError):
                fields = fields_of(event)
                self._take(fields.get("type") or fields.get("event_type"), fields)

    def _take(self, kind: Any, event: Mapping[str, Any]) -> None:
        """Takes any event: the id at the stream's start, pieces of tool calls, and the end, with counts."""
        if kind in WITHOUT_TEXT:
            return
        self.answer.response_id = event.get("id") or event.get("generation_id") or self.answer.response_id
        delta = fields_of(event.get("delta"))
        if kind == "stream-end" or (not kind and event.get("is_finished")):  # generate once named no kinds
            self.texts = []  # the response has all of it
            self.take_whole(fields_of(event.get("response")))
            self._take_reason(event)
        elif kind == "message-end":
            self.ended = "complete"
            self._take_reason(delta)
            add_counts(self.answer, delta.get("usage"))
        elif kind == "stream-error":
            self.ended = "error"
            self._take_reason(event)
        elif kind == "tool-calls-chunk":
            self._take_texts(event.get("text"), fields_of(event.get("tool_call_delta")).get("parameters"))
        else:
            self._take_texts(event.get("text"))
            self._take_message(fields_of(delta.get("message")))

    def _take_texts(self, *texts: Any) -> None:
        self.texts += texts_in(texts)

    def _take_reason(self, fields: Mapping[str, Any]) -> None:
        if (reason := fields.get("finish_reason")) and not self.answer.finish_reasons:
            self.answer.finish_reasons = (reason,)

    def _take_message(self, message: Mapping[str, Any]) -> None:
        """Takes the texts of version 2's message, or of a piece of it: plan, arguments of tools, contents."""
        calls = message.get("tool_calls")
        functions = [fields_of(fields_of(call).get("function")) for call in items_of(calls) or (calls,)]
        self._take_texts(message.get("tool_plan"), *(function.get("arguments") for function in functions), *contents_of(message.get("content")))

    def take_whole(self, body: Mapping[str, Any]) -> None:
        """Takes a whole answer: of either version's chat, of generate, or of summarize. The usual text of a chat costs no function call."""
        self.ended = "complete"
        try:
            reason, stated = body["finish_reason"], body["usage"] if "usage" in body else body["meta"]
            others = not reason or not stated or type(stated) is not dict or "tool_calls" in body
            if "message" in body:
                name, message = body["id"], body["message"]
                (part,) = message["content"]
                texts = (part["text"],)
                others = others or "text" in body or "thinking" in part or "tool_calls" in message or "tool_plan" in message
            else:
                name, texts = body["response_id"], (body["text"],)
        except (KeyError, TypeError, ValueError):
            others = True
        if others:
            self._take_any(body)
            return
        self.answer.response_id = name or ""
        self.texts += texts
        self.answer.finish_reasons = (reason,)
        add_counts(self.answer, stated)

    def _take_any(self, body: Mapping[str, Any]) -> None:
        self.answer.response_id = body.get("response_id") or body.get("id") or body.get("generation_id") or ""
        generations = [fields_of(generation) for generation in items_of(body.get("generations"))]
        self._take_texts(body.get("text"), body.get("summary"), *(generation.get("text") for generation in generations))
        for call in items_of(body.get("tool_calls")):
            self._take_texts(json.dumps(fields_of(call).get("parameters") or {}, ensure_ascii=False, separators=(",", ":"), default=str))
        self._take_message(fields_of(body.get("message")))
        self.answer.finish_reasons = [reason for generation in generations if (reason := generation.get("finish_reason"))]
        self._take_reason(body)
        add_counts(self.answer, fields_of(body.get("usage")) or body.get("meta"))

    def reading(self, *, exhausted: bool) -> Reading:  # noqa: ARG002 - a stream without its last event was interrupted
        """Returns the answer so far."""
        try:
            text = "".join(self.texts)
        except TypeError:  # a server sent something else as a text
            text = "".join(texts_in(self.texts))
        self.answer.output_texts = (text,) if text else ()
        return self.answer, self.ended


def read_answer(body: Any) -> Reading:
    """Reads a whole answer of chat, generate or summarize."""
    chunks = CohereChunks({}, False)
    chunks.take_whole(body if type(body) is dict else fields_of(body))
    return chunks.reading(exhausted=True)


def read_vectors(body: Any) -> Reading:
    """Reads an answer of embed, rerank or classify. An image's tokens that exceed the input's are no part of these: then both are the input."""
    fields = fields_of(body)
    answer = Answer(response_id=fields.get("id") or "")
    add_counts(answer, fields.get("meta"))
    if answer.image_input_tokens is not None and answer.image_input_tokens > (answer.input_tokens or 0):
        answer.input_tokens = sum_of(answer.input_tokens, answer.image_input_tokens)
    return answer, "complete"
