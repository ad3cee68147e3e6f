"""OpenAI's text completions and embeddings, and the usage that they and chat completions state; also of everybody who speaks like them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tokentrail.instrumentation.contract import Answer, Reading
from tokentrail.integrations.shapes.json_objects import Body, fields_of, items_of
from tokentrail.integrations.shapes.known_text import KNOWN_EMPTY

__all__ = [
    "CompletionChunks",
    "add_counts",
    "forget_usage",
    "named_and_counted",
    "read_completion",
    "read_embeddings",
    "texts_of_completion",
    "texts_of_embeddings",
    "texts_of_prompt",
    "usage_in",
]


def texts_of_prompt(prompt: Any) -> Sequence[str]:
    """The texts of a prompt or an embedding's input: a text, or a list of them. Token numbers are no texts."""
    if isinstance(prompt, str):
        return (prompt,)
    return [text for text in prompt if isinstance(text, str)] if isinstance(prompt, (list, tuple)) else ()


def texts_of_completion(body: Mapping[str, Any]) -> Sequence[str]:
    """The texts of a completions request."""
    return texts_of_prompt(body.get("prompt"))


def texts_of_embeddings(body: Mapping[str, Any]) -> Sequence[str]:
    """The texts of an embeddings request."""
    return texts_of_prompt(body.get("input"))


def add_counts(answer: Answer, usage: Any) -> None:
    """Take the counts of a usage object. Cached and cache-write tokens lie inside `prompt_tokens`, reasoning inside `completion_tokens`."""
    fields = fields_of(usage)
    answer.input_tokens = fields.get("prompt_tokens")
    answer.output_tokens = fields.get("completion_tokens")
    details = fields.get("prompt_tokens_details") or fields.get("prompt_token_details")  # the latter: writer
    if details:
        inside = fields_of(details)
        answer.cache_read_tokens = inside.get("cached_tokens")
        answer.cache_write_tokens = inside.get("cache_write_tokens")
        answer.audio_input_tokens = inside.get("audio_tokens")
        answer.image_input_tokens = inside.get("image_tokens")
    else:
        cached = fields.get("cached_tokens")  # together
        answer.cache_read_tokens = cached if cached is not None else fields.get("num_cached_tokens")  # mistral_ai
    details = fields.get("completion_tokens_details") or fields.get("completion_token_details")
    if details:
        inside = fields_of(details)
        answer.reasoning_tokens = inside.get("reasoning_tokens")
        answer.audio_output_tokens = inside.get("audio_tokens")
        answer.image_output_tokens = inside.get("image_tokens")


def usage_in(value: Any) -> Any:
    """The usage object of an answer or chunk. Groq's streams have it in `x_groq` (a plain dictionary where the SDK does not know that field)."""
    usage = getattr(value, "usage", None)
    if usage is None and (groq := getattr(value, "x_groq", None)) is not None:
        usage = fields_of(groq).get("usage")
    return usage


def named_and_counted(value: Any) -> Answer:
    """Take an answer's model, id and counts: what must be right, whatever the rest looks like."""
    answer = Answer(model=getattr(value, "model", None) or "", response_id=getattr(value, "id", None) or "")
    usage = usage_in(value)
    if usage is not None:
        add_counts(answer, usage)
    return answer


def read_completion(completion: Any) -> Reading:
    """Read a text completion."""
    answer = named_and_counted(completion)
    choices = [fields_of(choice) for choice in items_of(getattr(completion, "choices", None))]
    answer.output_texts = [text for choice in choices if (text := choice.get("text")) and isinstance(text, str)]
    answer.finish_reasons = [reason for choice in choices if (reason := choice.get("finish_reason"))]
    return answer, "complete"


def read_embeddings(response: Any) -> Reading:
    """Read embeddings: they have no output, so the output's count stays what the provider states of it, usually nothing."""
    answer = named_and_counted(response)
    if answer.input_tokens is None and (usage := usage_in(response)) is not None:
        answer.input_tokens = fields_of(usage).get("total_tokens")  # voyage states only the total, which is the input
    return answer, "complete"


class CompletionChunks:
    """What is gathered from a stream of text completions. `asked`: tokentrail asked for the usage, which is kept from the caller.

    `body` is the request: of a stream without any text, it says whether nothing else can have been answered.
    """

    __slots__ = ("answer", "asked", "body", "reasons", "silent", "texts", "usage")

    def __init__(self, body: Mapping[str, Any], asked: bool) -> None:
        self.answer = Answer()
        self.asked = asked
        self.body = body
        self.reasons: list[str] = []
        self.texts: list[str] = []
        self.silent: list[Any] = []  # deltas that came before the first text
        self.usage: Any = None

    def absorb(self, chunk: Any) -> bool:
        """Take a chunk's texts and usage."""
        seen = Body.of(chunk) if type(chunk) is dict else chunk  # the caller asked for dictionaries
        choices = getattr(seen, "choices", None)
        for choice in items_of(choices):
            self._take(fields_of(choice))
        self._name(seen)
        usage = usage_in(seen)
        if usage is not None:
            self.usage = usage
            return self.asked and not choices
        if self.asked:
            forget_usage(chunk)
        return False

    def _take(self, choice: Mapping[str, Any]) -> None:
        if (text := choice.get("text")) and isinstance(text, str):
            self.texts += (text,)
        if reason := choice.get("finish_reason"):
            self.reasons += (reason,)

    def _name(self, chunk: Any) -> None:
        self.answer.model = self.answer.model or getattr(chunk, "model", None) or ""
        self.answer.response_id = self.answer.response_id or getattr(chunk, "id", None) or ""

    def reading(self, *, exhausted: bool) -> Reading:
        """Say what is known: complete if the model said its last word and, where the caller stopped reading, its usage is known too."""
        self.answer.output_texts = self.texts or (KNOWN_EMPTY if self._is_known_empty() else ())
        self.answer.finish_reasons = self.reasons
        if self.usage is not None:
            add_counts(self.answer, self.usage)
        known = self.usage is not None
        return self.answer, "complete" if (exhausted and (self.reasons or known)) or (self.reasons and known) else "partial"

    def _is_known_empty(self) -> bool:
        return True


def forget_usage(chunk: Any) -> None:
    """Let a chunk forget the `"usage": null` that only the asking put there: else that field shows in `to_json()` and `model_fields_set`."""
    if type(chunk) is dict:
        chunk.pop("usage", None)
        return
    try:
        chunk.__pydantic_fields_set__.discard("usage")
    except AttributeError:
        getattr(chunk, "__fields_set__", set()).discard("usage")  # pydantic 1
