"""Bedrock's InvokeModelWithResponseStream: the chunks of every family of models; see `bedrock_models`.

Many chunks are decoded at once: one by one, the calls for decoding would be most of what a chunk costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from tokentrail.instrumentation.contract import Answer, Reading
from tokentrail.integrations.shapes.anthropic_messages import DELTA_FIELDS, MessageEvents
from tokentrail.integrations.shapes.bedrock_models import INPUTS, LISTS, METRICS, OUTPUTS, REASONS, TEXTS, add_stated, count_in, parts_of, texts_in
from tokentrail.integrations.shapes.converse import ConverseEvents
from tokentrail.integrations.shapes.json_objects import fields_of
from tokentrail.integrations.shapes.known_text import KNOWN_EMPTY
from tokentrail.integrations.shapes.openai_json import ChatEvents

__all__ = ["InvokedMessages"]

AT_ONCE: Final = 64
METRICS_KEY: Final = "amazon-bedrock-invocationMetrics"
LATER: Final[dict[str, Any]] = {}
"""What a chunk states whose counts come later."""
NAMES: Final = (*INPUTS, *OUTPUTS, "id", "response_id")


class _Payload(msgspec.Struct, rename={"chunk": "bytes"}):
    """A message's payload; decoding undoes the base64."""

    chunk: bytes = b""


_payloads: Final = msgspec.json.Decoder(_Payload)
_chunks: Final = msgspec.json.Decoder()


class InvokedMessages:
    """Collects the messages of an AWS event stream whose payloads hold a family's chunks.

    `fails` is called with an error's message, and `request_id` names the answer where its chunks do not; the transport sets both.
    """

    __slots__ = ("_chats", "_converse", "_events", "_pieces", "_reasons", "_room", "_stated", "fails", "metrics", "request_id", "waiting")

    def __init__(self, body: Mapping[str, Any], _asked: bool) -> None:
        self._chats = ChatEvents(body, False)  # of OpenAI's shape
        self._converse = ConverseEvents(body, False)  # of Nova
        self._events = MessageEvents(body, False)  # of Claude
        self._pieces: list[str] = []  # of every other family: its texts, …
        self._stated: dict[str, Any] = {}  # … its counts and ids, …
        self._reasons: list[str] = []  # … and why it ended
        self.waiting: list[bytes] = []  # payloads that are not decoded yet
        self._room = AT_ONCE  # how many more may wait
        self.fails: Callable[[Any], None] = _ignore
        self.metrics: Mapping[str, Any] = {}
        self.request_id = ""

    def absorb(self, message: Any) -> bool:
        """Takes a message."""
        if ":event-type" not in message.headers:
            self.fails(message)
            return False
        self.waiting += (message.payload,)
        self._room -= 1
        if not self._room:
            self._decode()
        return False

    def _decode(self) -> None:
        """Reads what waits. The usual chunks (a piece of text, a count) cost no further call."""
        waiting, self.waiting, self._room = self.waiting, [], AT_ONCE
        for chunk in _chunks_of(waiting):
            if type(chunk) is not dict:
                continue
            if METRICS_KEY in chunk:
                self.metrics = fields_of(chunk[METRICS_KEY])
            try:
                if "type" in chunk and chunk["type"] == "content_block_delta":
                    delta = chunk["delta"]
                    text = delta[DELTA_FIELDS[delta["type"]]]
                    self._events.texts += (text,) if text and type(text) is str else ()
                elif "contentBlockDelta" in chunk:
                    text = chunk["contentBlockDelta"]["delta"]["text"]
                    self._converse.texts += (text,) if text and type(text) is str else ()
                elif "generation" in chunk and not chunk["stop_reason"]:
                    text, given, made = chunk["generation"], chunk["prompt_token_count"], chunk["generation_token_count"]
                    self._pieces += (text,) if text and type(text) is str else ()
                    self._stated |= LATER if made is None else {"generation_token_count": made}
                    self._stated |= LATER if given is None else {"prompt_token_count": given}
                elif "choices" in chunk:
                    self._chats.absorb(chunk)
                else:
                    self._take(chunk)
            except (KeyError, TypeError):  # no text
                self._take(chunk)

    def _take(self, chunk: dict[str, Any]) -> None:
        """Takes any chunk."""
        if "type" in chunk and chunk["type"] != "completion":
            self._events.absorb(chunk)
        elif "messageStart" in chunk or "contentBlockStop" in chunk or "contentBlockDelta" in chunk or "messageStop" in chunk or "metadata" in chunk:
            for kind, fields in chunk.items():
                self._converse.take(kind, fields_of(fields))
        else:
            self._take_piece(chunk)

    def _take_piece(self, chunk: Mapping[str, Any]) -> None:
        """Takes a piece of another family's answer: each count is stated where it is known."""
        for name in NAMES:
            if name in chunk and chunk[name] is not None:
                self._stated[name] = chunk[name]
        for name in TEXTS:
            if name in chunk and (text := chunk[name]) and type(text) is str:
                self._pieces += (text,)
        for name in REASONS:
            if name in chunk and (reason := chunk[name]):
                self._reasons += (reason,)
        for name in LISTS:
            if name in chunk:
                _, *parts = parts_of({name: chunk[name]})
                self._pieces += texts_in(parts)
                self._reasons += [reason for part in parts for name in REASONS if (reason := part.get(name))]

    def reading(self, *, exhausted: bool) -> Reading:
        """Returns the answer so far."""
        self._decode()
        if self._events.answer.model or self._events.usage or self._events.blocks:
            answer, ended = self._events.reading(exhausted=exhausted)
        elif self._chats.texts or self._chats.reasons or self._chats.textless:
            answer, ended = self._chats.reading(exhausted=exhausted)
            ended = "complete" if self.metrics else ended
        elif self._pieces or self._stated or self._reasons:
            answer, ended = self._reading_of_pieces(exhausted=exhausted)
        else:
            answer, ended = self._converse.reading(exhausted=exhausted)
        add_stated(answer, self.metrics, METRICS)
        answer.response_id = answer.response_id or self.request_id
        return answer, ended

    def _reading_of_pieces(self, *, exhausted: bool) -> Reading:
        answer = Answer(response_id=self._stated.get("id") or self._stated.get("response_id") or "")
        answer.input_tokens, answer.output_tokens = count_in(self._stated, *INPUTS), count_in(self._stated, *OUTPUTS)
        answer.output_texts = self._pieces or KNOWN_EMPTY
        answer.finish_reasons = self._reasons
        is_last_stated = self.metrics or self._reasons or (exhausted and answer.output_tokens is not None)  # a refused prompt has no reason
        return answer, "complete" if is_last_stated else "partial"


def _chunks_of(payloads: list[bytes]) -> list[Any]:
    """Decodes payloads; one that is no JSON is left out."""
    try:
        inside = [payload.chunk for payload in _payloads.decode_lines(b"\n".join(payloads))]
        return _chunks.decode_lines(b"\n".join(inside))
    except (msgspec.MsgspecError, ValueError):
        return [chunk for payload in payloads for chunk in _chunk_of(payload)]


def _chunk_of(payload: bytes) -> list[Any]:
    try:
        return [_chunks.decode(_payloads.decode(payload).chunk)]
    except (msgspec.MsgspecError, ValueError):
        return []


def _ignore(_message: Any) -> None:
    pass
