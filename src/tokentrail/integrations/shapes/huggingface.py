"""Hugging Face's tasks: reads requests, answers and events of chat, text generation and feature extraction, as JSON.

A chat is OpenAI's, whatever provider answers. Text generation is that of Text Generation Inference (TGI), or OpenAI's completions where another
provider answers. TGI states the answer's tokens in `details`, which the caller asks for, and in the last event of every stream; the prompt's tokens
stand in a stream's `input_length`, and as a list in `prefill`, which the caller asks for (`decoder_input_details`). Vectors state nothing, unless an
object is around them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tokentrail.instrumentation.contract import Answer, Reading
from tokentrail.integrations.shapes import openai_json
from tokentrail.integrations.shapes.json_objects import Body, fields_of, items_of, sum_of, whole
from tokentrail.integrations.shapes.known_text import KNOWN_EMPTY
from tokentrail.integrations.shapes.openai_chat import read_any_chat
from tokentrail.integrations.shapes.openai_completions import read_any_embeddings, read_completion, texts_of_prompt

__all__ = ["ChatEvents", "GenerationEvents", "read_chat", "read_generation", "read_vectors", "texts_of_inputs"]


def texts_of_inputs(body: Mapping[str, Any]) -> Sequence[str]:
    """Returns the texts of a prompt, or of what becomes vectors; the field's name is the provider's."""
    return texts_of_prompt(next((body[name] for name in ("inputs", "prompt", "input") if name in body), ()))


def read_chat(body: Any) -> Reading:
    """Reads a chat completion."""
    fields = fields_of(body)
    return read_any_chat(Body(fields))[0], "error" if fields.get("error") and not fields.get("choices") else "complete"


class ChatEvents(openai_json.ChatEvents):
    """Collects a stream of chat completions, of events that are plain JSON; the SDK's objects are alike with `"usage": null` and without."""

    __slots__ = ()
    removes_null = False


def read_generation(body: Any) -> Reading:
    """Reads generated text: one answer, or a list of answers."""
    answers = [fields_of(each) for each in items_of(body) or (body,)]
    if any("choices" in each for each in answers):
        return read_completion(Body(answers[0]))
    answer = Answer(output_texts=[text for each in answers if isinstance(text := each.get("generated_text"), str) and text])
    for each in answers:
        _add_details(answer, fields_of(each.get("details")))
    return answer, "error" if any(each.get("error") for each in answers) else "complete"


def _add_details(answer: Answer, details: Mapping[str, Any]) -> None:
    """Adds the counts of TGI's details; the sequences of `best_of` that were not chosen were generated too."""
    sequences = [details, *map(fields_of, items_of(details.get("best_of_sequences")))]
    answer.output_tokens = sum_of(answer.output_tokens, *(each.get("generated_tokens") for each in sequences))
    prompt = len(items_of(details.get("prefill"))) or None  # an empty list: not asked for
    stated = whole(details.get("input_length"))
    answer.input_tokens = sum_of(answer.input_tokens, prompt if stated is None else stated)
    if reason := details.get("finish_reason"):
        answer.finish_reasons = (*answer.finish_reasons, reason)


class GenerationEvents:
    """Collects the events of TGI's stream: a token each, and the details in the last one."""

    __slots__ = ("answer", "ended", "texts")

    def __init__(self, _body: Mapping[str, Any], _asked: bool) -> None:
        self.answer = Answer()
        self.ended = "partial"  # until an event says otherwise
        self.texts: list[str] = []

    def absorb(self, event: Any) -> bool:
        """Takes an event. The usual event, a token, costs no further call."""
        try:
            token = event["token"]
            text = token["text"]
            if type(text) is str and token["special"] is False and event["details"] is None and event["generated_text"] is None:
                self.texts += (text,)
                return False
        except (KeyError, TypeError):
            pass
        self._take(fields_of(event))
        return False

    def _take(self, event: Mapping[str, Any]) -> None:
        token = fields_of(event.get("token"))
        text = token.get("text")
        if isinstance(text, str) and not token.get("special"):
            self.texts.append(text)
        if event.get("error"):
            self.ended = "error"
        elif event.get("details") or isinstance(event.get("generated_text"), str):
            self.ended = "complete"
            if not self.texts and isinstance(text := event.get("generated_text"), str):
                self.texts.append(text)  # a whole answer: a stream's last event repeats its tokens
            _add_details(self.answer, fields_of(event.get("details")))

    def reading(self, *, exhausted: bool) -> Reading:  # noqa: ARG002 - a stream without its last event was interrupted
        """Returns the answer so far."""
        self.answer.output_texts = self.texts or KNOWN_EMPTY
        return self.answer, self.ended


def read_vectors(body: Any) -> Reading:
    """Reads vectors, in an object of OpenAI's shape where another provider than Hugging Face answers."""
    return read_any_embeddings(Body(fields_of(body)))
