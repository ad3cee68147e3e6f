"""Bedrock's Converse: reads requests, answers and events; Amazon's Nova models answer InvokeModel in the same shape.

`inputTokens` leaves out cache reads and writes (docs.aws.amazon.com/bedrock, "Prompt caching": `totalTokens` is the sum of all); in tokentrail a
total includes its subsets, so the input is that sum. Converse names the cache `cacheReadInputTokens`, InvokeModel `cacheReadInputTokenCount`.
The answer names no model, unless a prompt router has chosen one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from tokentrail.instrumentation.contract import Answer, Reading
from tokentrail.integrations.shapes.json_objects import TOO_MUCH, fields_of, items_of, sum_of, whole
from tokentrail.integrations.shapes.known_text import KNOWN_EMPTY

__all__ = ["ConverseEvents", "ConverseMessages", "add_any_counts", "add_counts", "read_any_converse", "read_converse", "texts_of_converse"]

decode: Final = msgspec.json.Decoder().decode


def texts_of_converse(body: Mapping[str, Any]) -> Sequence[str]:
    """Returns the texts of a request, in order: the system prompt, then the messages' texts, documents in plain text and results of tools."""
    texts = list(_texts_in(body["system"])) if "system" in body else []
    for message in items_of(body["messages"]) if "messages" in body else ():
        try:
            for block in message["content"]:
                text = block["text"] if len(block) == 1 and "text" in block else None
                texts += (text,) if type(text) is str else _texts_in((block,))
        except (KeyError, TypeError):
            continue  # no content of this API
    return texts


def _texts_in(blocks: Any) -> Iterator[str]:
    for block in items_of(blocks):
        fields = fields_of(block)
        text = fields.get("text")
        if isinstance(text, str):
            yield text
        for nested in (fields.get("guardContent"), fields_of(fields.get("document")).get("source")):
            inside = fields_of(nested)
            text = fields_of(inside.get("text")).get("text") if "text" in inside and not isinstance(inside["text"], str) else inside.get("text")
            if isinstance(text, str):
                yield text
            yield from _texts_in(inside.get("content"))
        yield from _texts_in(fields_of(fields.get("toolResult")).get("content"))


def add_counts(answer: Answer, usage: Mapping[str, Any]) -> None:
    """Adds the counts of a usage object. The usual one, with integers alone, costs no further call; any other is read by `add_any_counts`."""
    try:
        uncached, output = usage["inputTokens"], usage["outputTokens"]
        read = usage["cacheReadInputTokens"] if "cacheReadInputTokens" in usage else None
        written = usage["cacheWriteInputTokens"] if "cacheWriteInputTokens" in usage else None
        is_usual = type(uncached) is type(output) is int and type(read) in _COUNTS and type(written) in _COUNTS
        is_usual = is_usual and not ("cacheDetails" in usage or (read is None and "cacheReadInputTokenCount" in usage))
    except (KeyError, TypeError):
        is_usual = False
    if (
        not is_usual
        or (written is None and "cacheWriteInputTokenCount" in usage)
        or not 0 <= (uncached | output | (read or 0) | (written or 0)) < TOO_MUCH
    ):
        add_any_counts(answer, usage)
        return
    answer.input_tokens, answer.output_tokens = uncached + (read or 0) + (written or 0), output
    answer.cache_read_tokens, answer.cache_write_tokens = read, written


_COUNTS: Final = (int, type(None))


def add_any_counts(answer: Answer, usage: Mapping[str, Any]) -> None:
    """Adds the counts of any usage object; see `add_counts`."""
    read, written = whole(usage.get("cacheReadInputTokens")), whole(usage.get("cacheWriteInputTokens"))
    answer.cache_read_tokens = whole(usage.get("cacheReadInputTokenCount")) if read is None else read
    answer.cache_write_tokens = whole(usage.get("cacheWriteInputTokenCount")) if written is None else written
    for_an_hour = (fields_of(each) for each in items_of(usage.get("cacheDetails")))
    answer.cache_write_1h_tokens = sum_of(*(each.get("inputTokens") for each in for_an_hour if each.get("ttl") == "1h"))
    uncached = whole(usage.get("inputTokens"))
    if uncached is not None:
        answer.input_tokens = sum_of(uncached, answer.cache_read_tokens, answer.cache_write_tokens)
    answer.output_tokens = whole(usage.get("outputTokens"))


def read_converse(body: Any) -> Reading:
    """Reads a whole answer. The usual one, of one text, costs no further call; any other is read by `read_any_converse`."""
    try:
        (block,) = body["output"]["message"]["content"]
        text, reason, usage = block["text"], body["stopReason"], body["usage"]
        is_usual = type(text) is type(reason) is str and text and reason and len(block) == 1 and "trace" not in body and type(usage) is dict
    except (KeyError, TypeError, ValueError):
        is_usual = False
    if not is_usual:
        return read_any_converse(body)
    answer = Answer(finish_reasons=(reason,), output_texts=[text])
    add_counts(answer, usage)
    return answer, "complete"


def read_any_converse(body: Any) -> Reading:
    """Reads any answer; see `read_converse`."""
    fields = fields_of(body)
    answer = Answer(model=_model_in(fields))
    add_counts(answer, fields_of(fields.get("usage")))
    if reason := fields.get("stopReason"):
        answer.finish_reasons = (reason,)
    message = fields_of(fields_of(fields.get("output")).get("message"))
    answer.output_texts = [text for block in items_of(message.get("content")) for text in _output_texts(fields_of(block))]
    return answer, "complete"


def _model_in(fields: Mapping[str, Any]) -> str:
    """Returns the model that a prompt router has chosen."""
    return fields_of(fields_of(fields.get("trace")).get("promptRouter")).get("invokedModelId") or ""


def _output_texts(block: Mapping[str, Any]) -> Iterator[str]:
    """Yields the model's output in a block or a delta: text, thinking, the arguments of a tool call."""
    reasoning = fields_of(block.get("reasoningContent"))
    thought = fields_of(reasoning.get("reasoningText")).get("text") or reasoning.get("text")
    for text in (block.get("text"), thought):
        if text and isinstance(text, str):
            yield text
    for part in items_of(fields_of(block.get("citationsContent")).get("content")):
        if isinstance(text := fields_of(part).get("text"), str):
            yield text
    arguments = fields_of(block.get("toolUse")).get("input")
    if arguments:
        yield arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False, separators=(",", ":"), default=str)


class ConverseEvents:
    """Collects a stream's events; `metadata`, the last one, states the usage."""

    __slots__ = ("answer", "ended", "fails", "others", "request_id", "texts", "usage")

    def __init__(self, _body: Mapping[str, Any], _asked: bool) -> None:
        self.answer = Answer()
        self.ended = False  # a stop reason was sent
        self.fails: Callable[[Any], None] = _ignore
        """Called with a message for which the SDK may raise: an error, or no JSON. Set by the transport."""
        self.others = False  # something else than text was sent
        self.request_id = ""  # of the response; set by the transport
        self.texts: list[str] = []
        self.usage: Mapping[str, Any] = {}

    def take(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Takes an event of a kind."""
        if kind == "contentBlockDelta":
            texts = list(_output_texts(delta := fields_of(fields.get("delta"))))
            self.texts += texts
            self.others = self.others or not ("text" in delta and len(delta) == 1)
        elif kind == "contentBlockStart":
            self.others = True
        elif kind == "messageStop":
            self.ended = True
            if reason := fields.get("stopReason"):
                self.answer.finish_reasons = (reason,)
        elif kind == "metadata":
            self.usage = fields_of(fields.get("usage"))
            self.answer.model = _model_in(fields)

    def reading(self, *, exhausted: bool) -> Reading:  # noqa: ARG002 - a stream that ends without a stop reason was interrupted
        """Returns the answer so far."""
        add_counts(self.answer, self.usage)
        self.answer.response_id = self.request_id
        self.answer.output_texts = self.texts or (KNOWN_EMPTY if self.ended and not self.others else ())
        return self.answer, "complete" if self.ended else "partial"


_PIECES: Final = {"toolUse": "input", "reasoningContent": "text"}
"""By the kind of a delta that is no text: the field with the piece of it."""


class ConverseMessages(ConverseEvents):
    """Collects the messages of an AWS event stream, each with `headers` that name the event, and a JSON object as `payload`."""

    __slots__ = ()

    def absorb(self, message: Any) -> bool:
        """Takes a message. The usual one (a delta of text, of arguments, or of a thought) costs one further call."""
        headers = message.headers
        if ":event-type" not in headers:
            self.fails(message)
            return False
        try:
            fields = decode(message.payload)
        except (ValueError, RecursionError):  # no JSON: botocore raises for bytes that are no text, and ignores any other
            self.fails(message)
            return False
        try:
            (name,) = delta = fields["delta"]
            text = delta["text"] if name == "text" else delta[name][_PIECES[name]]
            is_usual = type(text) is str and headers[":event-type"] == "contentBlockDelta"
            if is_usual and (name != "reasoningContent" or "reasoningText" not in delta[name]):
                self.texts += (text,) if text else ()
                self.others = self.others or name != "text"
                return False
        except (LookupError, TypeError, ValueError):
            pass  # no text
        self.take(headers[":event-type"], fields_of(fields))
        return False


def _ignore(_message: Any) -> None:
    pass
