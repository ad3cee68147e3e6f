"""Anthropic's Messages: reads requests, messages, and the events of streams.

Anthropic states cache reads and cache writes apart from `input_tokens` (the SDK's `RawMessageDeltaEvent`: "Total input tokens in a request is the
summation of" the three); in tokentrail a total includes its subsets, so the input is that sum. A stream states its usage twice: `message_start` has
the input and a first, provisional output; `message_delta` is cumulative and replaces the stated fields (seen in recordings: older models state only
the output there, server tools increase the input). Without a `message_delta` the output is unknown.

The tokens of a compaction of the context are stated in `iterations` and not in the totals (the SDK's `BetaIterationsUsage`), so they are added.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tokentrail.instrumentation.contract import Answer, Reading
from tokentrail.integrations.shapes.json_objects import JSON_OBJECTS, Body, fields_of, items_of, merged, sum_of, whole
from tokentrail.integrations.shapes.known_text import KNOWN_EMPTY

__all__ = ["DELTA_FIELDS", "MessageEvents", "add_counts", "read_message", "texts_of_messages"]


def texts_of_messages(body: Mapping[str, Any]) -> Sequence[str]:
    """Returns the texts of a request, in order: the system prompt, then the messages' texts, documents in plain text and results of tools."""
    texts = list(_texts_in(body.get("system")))
    for message in items_of(body.get("messages")):
        content = message.get("content") if type(message) is dict else getattr(message, "content", None)
        if type(content) is str:
            texts += (content,)
        elif content:
            texts += _texts_in(content)
    return texts


def _texts_in(content: Any) -> Iterator[str]:
    """Yields the texts of a content: a text, or blocks with texts or nested contents."""
    if isinstance(content, str):
        yield content
    for block in items_of(content):
        fields = fields_of(block)
        kind = fields.get("type")
        if kind == "text" and isinstance(text := fields.get("text"), str):
            yield text
        elif kind == "document":
            source = fields_of(fields.get("source"))
            yield from _texts_in(source.get("data") if source.get("type") == "text" else source.get("content"))
        elif isinstance(kind, str) and kind.endswith("_result"):  # of a tool, of a search
            yield from _texts_in(fields.get("content"))


def add_counts(answer: Answer, usage: Any) -> None:
    """Adds the counts of a usage object."""
    fields = fields_of(usage)
    parts = [fields]
    parts += [fields_of(each) for each in items_of(fields.get("iterations")) if fields_of(each).get("type") == "compaction"]
    answer.cache_read_tokens = sum_of(*(whole(part.get("cache_read_input_tokens")) for part in parts))
    answer.cache_write_tokens = sum_of(*(whole(part.get("cache_creation_input_tokens")) for part in parts))
    answer.cache_write_1h_tokens = sum_of(*(whole(fields_of(part.get("cache_creation")).get("ephemeral_1h_input_tokens")) for part in parts))
    uncached = [whole(part.get("input_tokens")) for part in parts]
    if uncached[0] is not None:
        answer.input_tokens = sum_of(*uncached, answer.cache_read_tokens, answer.cache_write_tokens)
    written = [whole(part.get("output_tokens")) for part in parts]
    if written[0] is not None:
        answer.output_tokens = sum_of(*written)
    if details := fields.get("output_tokens_details"):
        answer.reasoning_tokens = whole(fields_of(details).get("thinking_tokens"))


def read_message(message: Any) -> Reading:
    """Reads a whole message."""
    fields = fields_of(message)
    answer = Answer(model=fields.get("model") or "", response_id=fields.get("id") or "")
    if (usage := fields.get("usage")) is not None:
        add_counts(answer, usage)
    if reason := fields.get("stop_reason"):
        answer.finish_reasons = (reason,)
    answer.output_texts = [text for block in items_of(fields.get("content")) if (text := _output_text(fields_of(block)))]
    return answer, "complete"


def _output_text(block: Mapping[str, Any]) -> str:
    """Returns the model's output in a block: text, thinking, the arguments of a tool call."""
    text = block.get("text") or block.get("thinking")
    if isinstance(text, str):
        return text
    arguments = block.get("input")
    return json.dumps(arguments, ensure_ascii=False, separators=(",", ":"), default=str) if arguments else ""


DELTA_FIELDS = {"text_delta": "text", "input_json_delta": "partial_json", "thinking_delta": "thinking", "compaction_delta": "content"}
"""The fields with the model's output in the deltas of a stream."""


class MessageEvents:
    """Collects a stream of events; Anthropic states usage without a request for usage."""

    __slots__ = ("answer", "blocks", "ended", "texts", "usage")

    def __init__(self, _body: Mapping[str, Any], _asked: bool) -> None:
        self.answer = Answer()
        self.blocks: set[str] = set()  # the kinds of the blocks so far
        self.ended = False  # a stop reason was sent, and the usage is complete
        self.texts: list[str] = []
        self.usage: dict[str, Any] = {}

    def absorb(self, event: Any) -> bool:  # noqa: C901, PLR0912 - each step in a function of its own would cost a call for each event
        """Takes an event's text or usage. The usual event (a delta of text) costs no further call."""
        if type(event) in JSON_OBJECTS:
            try:
                if "content_block" in event and event["type"] == "content_block_start":
                    self.blocks |= {event["content_block"]["type"]}
                    return False
                delta = event["delta"]
                text = delta[DELTA_FIELDS[delta["type"]]]
                if type(text) is str and event["type"] == "content_block_delta":
                    self.texts += (text,) if text else ()
                    return False
            except (KeyError, TypeError):
                pass
            event = event if type(event) is Body else Body.of(event)  # the caller requested dictionaries
        try:
            kind = event.type
            if kind == "content_block_delta":
                delta = event.delta
                form = delta.type
                if form == "text_delta":
                    text = delta.text
                elif form == "input_json_delta":
                    text = delta.partial_json
                else:
                    text = getattr(delta, DELTA_FIELDS[form]) if form in DELTA_FIELDS else None  # none: signatures, citations
                if text and type(text) is str:
                    self.texts += (text,)
            elif kind == "content_block_start":
                self.blocks.add(event.content_block.type)
            elif kind == "message_start":
                self._start(fields_of(event.message))
            elif kind == "message_delta":
                self._complete(fields_of(event.delta), getattr(event, "usage", None))
        except (AttributeError, TypeError):
            return False  # an event of another shape states no usage
        return False

    def _start(self, message: Mapping[str, Any]) -> None:
        self.answer.model = message.get("model") or ""
        self.answer.response_id = message.get("id") or ""
        self._take(message.get("usage"))
        for provisional in ("output_tokens", "output_tokens_details"):
            self.usage.pop(provisional, None)

    def _complete(self, delta: Mapping[str, Any], usage: Any) -> None:
        self._take(usage)
        if reason := delta.get("stop_reason"):
            self.answer.finish_reasons = (reason,)
            self.ended = True

    def _take(self, usage: Any) -> None:
        self.usage = merged(self.usage, usage)

    def reading(self, *, exhausted: bool) -> Reading:  # noqa: ARG002 - a stream that ends without a stop reason was interrupted
        """Returns the answer so far."""
        add_counts(self.answer, self.usage)
        self.answer.output_texts = self.texts or (KNOWN_EMPTY if self.blocks == {"text"} else ())  # before the first block, a model may reason
        return self.answer, "complete" if self.ended else "partial"
