"""OpenAI's chat, completions and embeddings, and everybody who speaks like them: how to read a request, an answer, a chunk.

Answers are read by attribute: the SDK's models, or `Body` for JSON that the SDK did not parse. A field that a provider leaves out is not an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tokentrail.call import Answer
from tokentrail.providers import Reading
from tokentrail.providers.known_text import KNOWN_EMPTY, chat_in_text

__all__ = ["Body", "ChatChunks", "CompletionChunks", "add_counts", "read_chat", "read_completion", "read_embeddings", "texts_of_chat"]


class Body(dict[str, Any]):
    """A JSON object that is read by attribute, as the SDK's models are; what is not there is None."""

    def __getattr__(self, name: str) -> Any:
        return self.get(name)

    @staticmethod
    def parse(text: bytes) -> Any:
        """Parse JSON; raises `ValueError`."""
        return json.loads(text, object_hook=Body)

    @staticmethod
    def of(value: Any) -> Any:
        """Turn dictionaries, however deep, into bodies; leave anything else as it is."""
        if isinstance(value, Mapping):
            return Body({key: Body.of(item) if isinstance(item, (Mapping, list)) else item for key, item in value.items()})
        if isinstance(value, list):
            return [Body.of(item) if isinstance(item, (Mapping, list)) else item for item in value]
        return value


_JSON_OBJECTS = (dict, Body)


def fields_of(value: Any) -> Mapping[str, Any]:
    """The fields of an SDK's model, with those that it does not declare, or of a JSON object; of anything else, none.

    Asking a pydantic model for a field that is not there is an exception and five calls; asking a dictionary is one.
    """
    if type(value) in _JSON_OBJECTS:
        return value  # type: ignore[no-any-return]
    extra = getattr(value, "__pydantic_extra__", None)
    try:
        return {**value.__dict__, **extra} if extra else value.__dict__
    except AttributeError:
        return {}


def items_of(value: Any) -> Sequence[Any]:
    """The items of a list; of anything else that a server may send instead, none."""
    return value if isinstance(value, (list, tuple)) else ()


def texts_of_chat(body: Mapping[str, Any]) -> Sequence[str]:
    """The texts of chat messages, in order: contents, and the text parts of contents. Tool definitions and calls are no texts."""
    texts: list[str] = []
    for message in body.get("messages") or ():
        content = message.get("content") if type(message) is dict else getattr(message, "content", None)
        if type(content) is str:
            texts += (content,)
        elif content:
            texts += texts_of_parts(content)
    return texts


def texts_of_parts(parts: Iterable[Any]) -> list[str]:
    """The texts among the parts of a content."""
    if isinstance(parts, (dict, bytes)):
        return []
    return [
        part if isinstance(part, str) else part["text"]
        for part in parts
        if isinstance(part, str) or (isinstance(part, dict) and isinstance(part.get("text"), str))
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


def read_chat(completion: Any) -> Reading:
    """Read a chat completion."""
    answer = named_and_counted(completion)
    texts: list[str] = []
    reasons: list[str] = []
    for choice in items_of(getattr(completion, "choices", None)):
        fields = fields_of(choice)
        texts += texts_of_message(fields.get("message"))
        if reason := fields.get("finish_reason"):
            reasons += (reason,)
    answer.output_texts = texts
    answer.finish_reasons = reasons
    return answer, "complete"


def texts_of_message(message: Any) -> list[str]:
    """What a model said in a message, or in a delta of one: content, refusal, reasoning, the arguments of tool calls."""
    fields = fields_of(message)
    texts = [text for name in ("content", "refusal", "reasoning_content", "reasoning") if (text := fields.get(name)) and isinstance(text, str)]
    if tool_calls := fields.get("tool_calls"):
        for tool_call in items_of(tool_calls):
            called = fields_of(tool_call)
            said = fields_of(called.get("function") or called.get("custom"))
            text = said.get("arguments") or said.get("input")
            if text and isinstance(text, str):
                texts.append(text)
    return texts


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
    """What is gathered from a stream of text completions. `asked`: the usage was asked for by us, and is kept from the caller.

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


def _says_nothing(delta: Any) -> bool:
    """Whether a delta without text has nothing else either: no tool call, no audio, no image, nothing that is not known here."""
    return not any(value for name, value in fields_of(delta).items() if name not in _NO_CONTENT)


_NO_CONTENT = frozenset({"role", "content", "refusal", "name"})


class ChatChunks(CompletionChunks):
    """What is gathered from a stream of chat completions."""

    __slots__ = ()

    def absorb(self, chunk: Any) -> bool:
        """Take a chunk's texts and usage. The usual chunk (one choice with some content) costs no further call."""
        try:
            choices, usage = chunk.choices, chunk.usage
            said: list[str] = []
            reasons: list[str] = []
            silent: list[Any] = []
            for choice in choices:
                text = choice.delta.content
                if text and type(text) is str:
                    said += (text,)
                else:
                    said += texts_of_message(choice.delta)
                    silent += (choice.delta,)
                if choice.finish_reason:
                    reasons += (choice.finish_reason,)
                    usage = usage if usage is not None else usage_in(chunk)
            if not self.answer.model:
                self.answer.model, self.answer.response_id = chunk.model, chunk.id
        except (AttributeError, TypeError):
            return super().absorb(chunk)  # content filters' results, errors, whatever a gateway adds
        self.texts += said
        self.reasons += reasons
        if not self.texts:
            self.silent += silent
        if usage is not None:
            self.usage = usage
            return self.asked and not choices
        if self.asked:
            try:
                chunk.__pydantic_fields_set__.discard("usage")  # as `forget_usage`
            except AttributeError:
                forget_usage(chunk)
        return False

    def _take(self, choice: Mapping[str, Any]) -> None:
        self.texts += texts_of_message(choice.get("delta"))
        self.silent += (choice.get("delta"),)
        if reason := choice.get("finish_reason"):
            self.reasons += (reason,)

    def _is_known_empty(self) -> bool:
        return chat_in_text(self.body) and all(map(_says_nothing, self.silent))


def forget_usage(chunk: Any) -> None:
    """Let a chunk forget the `"usage": null` that only our asking put there: else it shows in `to_json()` and `model_fields_set`."""
    if type(chunk) is dict:
        chunk.pop("usage", None)
        return
    try:
        chunk.__pydantic_fields_set__.discard("usage")
    except AttributeError:
        getattr(chunk, "__fields_set__", set()).discard("usage")  # pydantic 1
