"""OpenAI's text completions and embeddings, and the usage object that chat completions share; also of compatible APIs of other providers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from tokentrail.instrumentation.contract import Answer, Reading
from tokentrail.integrations.shapes.json_objects import JSON_OBJECTS, TOO_MUCH, Body, fields_of, items_of, merged, whole
from tokentrail.integrations.shapes.known_text import KNOWN_EMPTY

__all__ = [
    "USAGE",
    "CompletionChunks",
    "add_any_counts",
    "add_counts",
    "answer_with_counts",
    "later_usage",
    "read_any_embeddings",
    "read_completion",
    "read_embeddings",
    "remove_usage",
    "texts_of_completion",
    "texts_of_embeddings",
    "texts_of_prompt",
    "usage_in",
]


def texts_of_prompt(prompt: Any) -> Sequence[str]:
    """Returns the texts of a prompt or an embedding's input: one text, or a list of texts. Token ids are no texts."""
    if isinstance(prompt, str):
        return (prompt,)
    return [text for text in prompt if isinstance(text, str)] if isinstance(prompt, (list, tuple)) else ()


def texts_of_completion(body: Mapping[str, Any]) -> Sequence[str]:
    """Returns the texts of a completions request."""
    return texts_of_prompt(body.get("prompt"))


def texts_of_embeddings(body: Mapping[str, Any]) -> Sequence[str]:
    """Returns the texts of an embeddings request."""
    return texts_of_prompt(body.get("input"))


def add_counts(answer: Answer, usage: Any) -> None:
    """Adds the counts of a usage object. `prompt_tokens` includes cached and cache-write tokens, `completion_tokens` includes reasoning.

    The usual usage, an SDK's model with OpenAI's fields and both details, is read without a function call; any other by `add_any_counts`.
    """
    try:
        fields = usage.__dict__  # empty for `Body`
        prompt, completion = fields["prompt_tokens_details"], fields["completion_tokens_details"]
        given, made = prompt.__dict__, completion.__dict__
        is_usual = not (usage.__pydantic_extra__ or prompt.__pydantic_extra__ or completion.__pydantic_extra__)
    except (AttributeError, KeyError):
        is_usual = False
    if not is_usual:
        add_any_counts(answer, usage)
        return
    answer.input_tokens = fields["prompt_tokens"] if "prompt_tokens" in fields else None
    answer.output_tokens = fields["completion_tokens"] if "completion_tokens" in fields else None
    answer.cache_read_tokens = given["cached_tokens"] if "cached_tokens" in given else None
    answer.cache_write_tokens = given["cache_write_tokens"] if "cache_write_tokens" in given else None
    answer.audio_input_tokens = given["audio_tokens"] if "audio_tokens" in given else None
    answer.image_input_tokens = given["image_tokens"] if "image_tokens" in given else None
    answer.reasoning_tokens = made["reasoning_tokens"] if "reasoning_tokens" in made else None
    answer.audio_output_tokens = made["audio_tokens"] if "audio_tokens" in made else None
    answer.image_output_tokens = made["image_tokens"] if "image_tokens" in made else None


def add_any_counts(answer: Answer, usage: Any) -> None:
    """Adds the counts of any usage object; see `add_counts`."""
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
        cached = whole(fields.get("cached_tokens"))  # together
        answer.cache_read_tokens = cached if cached is not None else fields.get("num_cached_tokens")  # mistral_ai
    details = fields.get("completion_tokens_details") or fields.get("completion_token_details")
    if details:
        inside = fields_of(details)
        answer.reasoning_tokens = inside.get("reasoning_tokens")
        answer.audio_output_tokens = inside.get("audio_tokens")
        answer.image_output_tokens = inside.get("image_tokens")


def usage_in(value: Any) -> Any:
    """Returns the usage object of an answer or chunk. Groq's streams have it in `x_groq` (a dictionary where the SDK does not declare the field)."""
    usage = getattr(value, "usage", None)
    if usage is None and (groq := getattr(value, "x_groq", None)) is not None:
        usage = fields_of(groq).get("usage")
    return usage


def later_usage(before: Any, after: Any) -> Any:
    """Returns the usage of a stream that states several; see `merged`."""
    return Body(merged(before, after))


def answer_with_counts(value: Any) -> Answer:
    """Returns an answer with model, id and counts, which must be right even if other fields have another shape."""
    answer = Answer(model=getattr(value, "model", None) or "", response_id=getattr(value, "id", None) or "")
    usage = usage_in(value)
    if usage is not None:
        add_counts(answer, usage)
    return answer


def read_completion(completion: Any) -> Reading:
    """Reads a text completion."""
    answer = answer_with_counts(completion)
    choices = [fields_of(choice) for choice in items_of(getattr(completion, "choices", None))]
    answer.output_texts = [text for choice in choices if (text := choice.get("text")) and isinstance(text, str)]
    answer.finish_reasons = [reason for choice in choices if (reason := choice.get("finish_reason"))]
    return answer, "complete"


def read_embeddings(response: Any) -> Reading:
    """Reads embeddings, which have no output: the output's count is that of the provider, usually none.

    The usual answer, an SDK's model with a usage of OpenAI's two fields, is read by attribute; any other by `read_any_embeddings`.
    """
    try:
        named, usage = response.__dict__, response.usage
        fields, model = usage.__dict__, named["model"]
        tokens = fields["prompt_tokens"]
        is_usual = (
            type(tokens) is int
            and 0 <= tokens < TOO_MUCH
            and "total_tokens" in fields
            and len(fields) == _FIELDS_OF_EMBEDDINGS
            and not ("id" in named or response.__pydantic_extra__ or usage.__pydantic_extra__)
        )
    except (AttributeError, KeyError):
        is_usual = False
    return (Answer(model=model or "", input_tokens=tokens), "complete") if is_usual else read_any_embeddings(response)


_FIELDS_OF_EMBEDDINGS: Final = 2


def read_any_embeddings(response: Any) -> Reading:
    """Reads any embeddings; see `read_embeddings`."""
    answer = answer_with_counts(response)
    if whole(answer.input_tokens) is None and (usage := usage_in(response)) is not None:
        answer.input_tokens = fields_of(usage).get("total_tokens")  # voyage states only the total, which is the input
    return answer, "complete"


USAGE: Final = frozenset({"usage"})


class CompletionChunks:
    """Collects a stream of text completions. `asked`: tokentrail requested the usage, which is hidden from the caller.

    `body` is the request, which decides whether a stream without any text can have had another answer.
    """

    __slots__ = ("answer", "asked", "body", "failed", "reasons", "textless", "texts", "usage")
    removes_null: ClassVar[bool] = True
    """Whether `"usage": null` in a chunk is due to the request for the usage."""

    def __init__(self, body: Mapping[str, Any], asked: bool) -> None:
        self.answer = Answer()
        self.asked = asked
        self.body = body
        self.failed = False  # a chunk states an error, at which some SDKs do not raise
        self.reasons: list[str] = []
        self.texts: list[str] = []
        self.textless: list[Any] = []  # deltas that came before the first text
        self.usage: Any = None

    def absorb(self, chunk: Any) -> bool:
        """Takes a chunk's texts and usage. The usual chunk, an SDK's model with one piece of text, costs no further call."""
        if type(chunk) in JSON_OBJECTS:
            return self._absorb_json(chunk)
        try:
            (choice,) = chunk.choices
            text = choice.text
            is_usual = text and type(text) is str and chunk.usage is None and choice.finish_reason is None and self.answer.model
            if is_usual and self.asked and self.removes_null:
                stated = chunk.__pydantic_fields_set__
                stated -= USAGE  # as `remove_usage`, without a function call
        except (AttributeError, TypeError, ValueError):
            is_usual = False
        if not is_usual:
            return self.absorb_any(chunk)
        self.texts += (text,)
        return False

    def _absorb_json(self, chunk: Any) -> bool:
        try:
            (choice,) = chunk["choices"]
            text = choice["text"]
            is_usual = text and type(text) is str and not choice["finish_reason"] and self.answer.model
            is_usual = is_usual and "error" not in chunk and not ("usage" in chunk and chunk["usage"] is not None)
            if is_usual and not (self.asked and self.removes_null):
                self.texts += (text,)
                return False
        except (KeyError, TypeError, ValueError):
            pass
        return self.absorb_any(chunk)

    def absorb_any(self, chunk: Any) -> bool:
        """Takes the texts and usage of any chunk."""
        seen = Body.of(chunk) if type(chunk) is dict else chunk  # the caller requested dictionaries
        choices = getattr(seen, "choices", None)
        if getattr(seen, "error", None):
            self.failed = True
        for choice in items_of(choices):
            self._take(fields_of(choice))
        self._name(seen)
        usage = usage_in(seen)
        if usage is not None:
            self.usage = usage if self.usage is None else later_usage(self.usage, usage)
            return self.asked and not choices
        if self.asked and self.removes_null:
            remove_usage(chunk)
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
        """Returns the answer so far: complete with a finish reason or a usage at the end, or with both where the caller stopped reading.

        An error among the chunks ends the answer as one.
        """
        self.answer.output_texts = self.texts or (KNOWN_EMPTY if self._is_known_empty() else ())
        self.answer.finish_reasons = self.reasons
        if self.usage is not None:
            add_counts(self.answer, self.usage)
        if self.failed:
            return self.answer, "error"
        known = self.usage is not None
        return self.answer, "complete" if (exhausted and (self.reasons or known)) or (self.reasons and known) else "partial"

    def _is_known_empty(self) -> bool:
        return True


def remove_usage(chunk: Any) -> None:
    """Removes `"usage": null`, which is due to tokentrail's request, from a chunk: the field would show in `to_json()` and `model_fields_set`."""
    if isinstance(chunk, dict):
        chunk.pop("usage", None)
        return
    try:
        chunk.__pydantic_fields_set__.discard("usage")
    except AttributeError:
        getattr(chunk, "__fields_set__", set()).discard("usage")  # pydantic 1
