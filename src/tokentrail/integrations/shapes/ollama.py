"""Ollama's own API: chat, generate, embed, embeddings, System One.

`prompt_eval_count` includes `prompt_eval_cached_count`, which newer servers state, and which the SDK's models drop.
A request without messages or prompt loads or unloads a model (`done_reason: load`): nothing is spent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tokentrail.instrumentation.contract import Answer, Reading
from tokentrail.integrations.shapes.json_objects import JSON_OBJECTS, Body
from tokentrail.integrations.shapes.known_text import KNOWN_EMPTY
from tokentrail.integrations.shapes.openai_chat import texts_of_message
from tokentrail.integrations.shapes.openai_completions import texts_of_prompt

__all__ = [
    "CACHED",
    "OllamaChunks",
    "chat_spends",
    "generate_spends",
    "read",
    "texts_of_embed",
    "texts_of_embeddings",
    "texts_of_generate",
    "texts_of_state",
]

CACHED: Final = "prompt_eval_cached_count"
"""The field with the cached prompt tokens."""


def texts_of_generate(body: Mapping[str, Any]) -> Sequence[str]:
    """Returns the texts of a generate request."""
    return [text for name in ("system", "prompt", "suffix") if (text := body.get(name)) and isinstance(text, str)]


def texts_of_embed(body: Mapping[str, Any]) -> Sequence[str]:
    """Returns the texts of an embed request."""
    return texts_of_prompt(body.get("input"))


def texts_of_embeddings(body: Mapping[str, Any]) -> Sequence[str]:
    """Returns the text of a request to the older embeddings endpoint."""
    return texts_of_prompt(body.get("prompt"))


def texts_of_state(body: Mapping[str, Any]) -> Sequence[str]:
    """Returns the texts of the state that System One answers questions about."""
    return texts_of_prompt(body.get("state"))


def chat_spends(body: Mapping[str, Any]) -> bool:
    """Whether a chat request does more than load a model."""
    return bool(body.get("messages"))


def generate_spends(body: Mapping[str, Any]) -> bool:
    """Whether a generate request does more than load a model."""
    return bool(body.get("prompt") or body.get("suffix") or body.get("images"))


def _add_counts(answer: Answer, response: Any) -> None:
    answer.input_tokens = getattr(response, "prompt_eval_count", None)
    answer.output_tokens = getattr(response, "eval_count", None)
    answer.cache_read_tokens = getattr(response, CACHED, None)


def read(response: Any) -> Reading:
    """Reads a whole answer."""
    answer = Answer(model=getattr(response, "model", None) or "", output_texts=_texts(response))
    if reason := getattr(response, "done_reason", None):
        answer.finish_reasons = (reason,)
    _add_counts(answer, response)
    return answer, "complete"


def _texts(response: Any) -> list[str]:
    texts = [text for name in ("response", "thinking") if (text := getattr(response, name, None)) and isinstance(text, str)]
    message = getattr(response, "message", None)
    if message is not None:
        texts += texts_of_message(message)
        if (thinking := getattr(message, "thinking", None)) and isinstance(thinking, str):
            texts.append(thinking)
    return texts


def _has_others(chunk: Any) -> bool:
    message = getattr(chunk, "message", None)
    return any(getattr(place, name, None) for place in (chunk, message) for name in ("tool_calls", "images", "image", "completed"))


def _usual_text_in(chunk: Any) -> str:
    """Returns the one text of a chunk that was read from JSON; "" where the chunk has more than that, or is the last one."""
    try:
        inside = chunk["message"] if "message" in chunk else chunk
        text = inside["content"] if inside is not chunk else chunk["response"]
        if "thinking" in inside and inside["thinking"]:
            text = inside["thinking"] if not text else ""
        is_usual = type(text) is str and not chunk["done"] and not ("tool_calls" in inside and inside["tool_calls"])
    except (KeyError, TypeError):
        return ""
    return text if is_usual else ""


class OllamaChunks:
    """Collects a stream: texts, and the counts of the chunk with `done`."""

    __slots__ = ("last", "model", "others", "texts")

    def __init__(self, _body: Mapping[str, Any], _asked: bool) -> None:
        self.last: Any = None
        self.model = ""
        self.others = False  # the stream has other content than text: tool calls, images
        self.texts: list[str] = []

    def absorb(self, chunk: Any) -> bool:
        """Takes a chunk's texts, and keeps the last chunk. The usual chunk, an SDK's model of one text, costs no further call."""
        if type(chunk) in JSON_OBJECTS:
            if self.model and (said := _usual_text_in(chunk)):
                self.texts += (said,)
                return False
            chunk = chunk if type(chunk) is Body else Body.of(chunk)
        try:
            fields = chunk.__dict__  # `Body` has an empty one
            inside = fields["message"].__dict__ if "message" in fields else fields
            text = inside["content"] if inside is not fields else fields["response"]
            if "thinking" in inside and inside["thinking"]:
                text = inside["thinking"] if not text else None
            if type(text) is str and text and self.model and not fields["done"] and not ("tool_calls" in inside and inside["tool_calls"]):
                self.texts += (text,)
                return False
        except (AttributeError, KeyError, TypeError):
            pass
        texts = _texts(chunk)
        self.texts += texts
        if not texts and not self.texts:
            self.others = self.others or _has_others(chunk)
        self.model = chunk.model or self.model
        if chunk.done:
            self.last = chunk
        return False

    def reading(self, *, exhausted: bool) -> Reading:  # noqa: ARG002 - a stream without a chunk with `done` was interrupted
        """Returns the answer so far."""
        answer = Answer(model=self.model, output_texts=self.texts or (KNOWN_EMPTY if self.model and not self.others else ()))
        if self.last is None:
            return answer, "partial"
        if reason := getattr(self.last, "done_reason", None):
            answer.finish_reasons = (reason,)
        _add_counts(answer, self.last)
        return answer, "complete"
