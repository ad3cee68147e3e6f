"""watsonx.ai's API: reads answers and events of chat, text generation, embeddings and rerank, as JSON.

A chat is OpenAI's. Text generation states `input_token_count` and `generated_token_count` in each result. In the events of its stream a count goes up
to its total, or is 0 until the event that states the total, so the highest count is the total. Vectors and scores state `input_token_count`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tokentrail.instrumentation.contract import Answer, Reading
from tokentrail.integrations.shapes.json_objects import TOO_MUCH, fields_of, items_of, sum_of, whole
from tokentrail.integrations.shapes.known_text import KNOWN_EMPTY
from tokentrail.integrations.shapes.openai_json import ChatEvents, read_chat_json

__all__ = ["GenerationEvents", "WatsonxChatEvents", "read_chat", "read_generation", "read_input"]

UNFINISHED: Final = "not_finished"
"""The `stop_reason` of an event before the last one."""


def read_chat(body: Any) -> Reading:
    """Reads a chat completion, which names its model twice, or only as `model_id`."""
    answer, ended = read_chat_json(body)
    answer.model = answer.model or _model_of(fields_of(body))
    return answer, ended


def _model_of(body: Mapping[str, Any]) -> str:
    return body.get("model_id") or ""


class WatsonxChatEvents(ChatEvents):
    """Collects the events of a stream of chat completions; an error is an event with `errors`."""

    __slots__ = ()

    def absorb_careful(self, chunk: dict[str, Any]) -> bool:
        """Takes any chunk; the usual one names the model as another did before."""
        self.failed = self.failed or bool(chunk.get("errors"))
        super().absorb_careful(chunk)
        if not self.answer.model:
            self.answer.model = _model_of(chunk)
        return False


def read_generation(body: Any) -> Reading:
    """Reads generated text."""
    fields = fields_of(body)
    results = [fields_of(each) for each in items_of(fields.get("results"))]
    answer = Answer(
        model=_model_of(fields),
        finish_reasons=[reason for each in results if (reason := each.get("stop_reason"))],
        input_tokens=sum_of(*(each.get("input_token_count") for each in results)),
        output_tokens=sum_of(*(each.get("generated_token_count") for each in results)),
        output_texts=[text for each in results if isinstance(text := each.get("generated_text"), str) and text],
    )
    return answer, "error" if fields.get("errors") else "complete"


class GenerationEvents:
    """Collects the events of a stream of generated text."""

    __slots__ = ("answer", "ended", "texts")

    def __init__(self, _body: Mapping[str, Any], _asked: bool) -> None:
        self.answer = Answer()
        self.ended = "partial"  # until an event says otherwise
        self.texts: list[str] = []

    def absorb(self, event: Any) -> bool:
        """Takes an event's text and counts. The usual event, a piece of one text and a count that goes up, costs no further call."""
        answer = self.answer
        try:
            (result,) = event["results"]
            text, made, given = result["generated_text"], result["generated_token_count"], result["input_token_count"]
            before: Any = answer.output_tokens
            prompt: Any = answer.input_tokens
            is_usual = type(text) is str and type(made) is type(given) is int and result["stop_reason"] == UNFINISHED and "errors" not in event
            if is_usual and answer.model and 0 <= before <= made < TOO_MUCH and 0 <= given <= prompt:
                self.texts += (text,) if text else ()
                answer.output_tokens = made
                return False
        except (KeyError, TypeError, ValueError):
            pass
        self._take(event)
        return False

    def _take(self, event: Any) -> None:
        """Takes any event; see `absorb`."""
        if "errors" in event and event["errors"]:
            self.ended = "error"
        answer = self.answer
        answer.model = answer.model or _model_of(event)
        for each in items_of(event.get("results")):
            result = fields_of(each)
            answer.input_tokens = _higher(answer.input_tokens, result.get("input_token_count"))
            answer.output_tokens = _higher(answer.output_tokens, result.get("generated_token_count"))
            text, reason = result.get("generated_text"), result.get("stop_reason")
            if isinstance(text, str) and text:
                self.texts.append(text)
            if reason and reason != UNFINISHED and self.ended != "error":
                answer.finish_reasons, self.ended = [reason], "complete"

    def reading(self, *, exhausted: bool) -> Reading:  # noqa: ARG002 - a stream without its last event was interrupted
        """Returns the answer so far."""
        self.answer.output_texts = self.texts or KNOWN_EMPTY
        return self.answer, self.ended


def _higher(known: int | None, stated: Any) -> int | None:
    count = whole(stated)
    return count if known is None else known if count is None else max(known, count)


def read_input(body: Any) -> Reading:
    """Reads vectors, or the scores of a rerank."""
    fields = fields_of(body)
    return Answer(model=_model_of(fields), input_tokens=fields.get("input_token_count")), "complete"
