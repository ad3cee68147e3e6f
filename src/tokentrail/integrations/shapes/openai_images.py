"""OpenAI's images: generations, edits and variations, and their streams, of which the last event states the usage.

A usage has `input_tokens` with text and image tokens, and `output_tokens`. Models that are billed per image (dall-e) state none. `svg_usage` is
what a model spent that wrote an SVG, beside the model that draws; both are one call, and their counts are added.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tokentrail.instrumentation.contract import Answer, Endpoint, Reading
from tokentrail.integrations.shapes.json_objects import fields_of, sum_of
from tokentrail.integrations.shapes.openai_completions import add_any_counts, texts_of_completion
from tokentrail.integrations.shapes.openai_responses import add_counts

__all__ = ["IMAGES", "IMAGE_PATHS", "ImageEvents", "read_images"]


def read_images(response: Any) -> Reading:
    """Reads an answer with images, or the last event of a stream; both state their usage alike. The images themselves are not looked at."""
    fields = fields_of(response)
    answer = Answer()
    usage = fields_of(fields.get("usage"))
    (add_any_counts if "prompt_tokens" in usage else add_counts)(answer, usage)  # as in chats: OpenRouter
    written = fields_of(fields.get("svg_usage"))
    if written:
        answer.input_tokens = sum_of(answer.input_tokens, written.get("input_tokens"))
        answer.output_tokens = sum_of(answer.output_tokens, written.get("output_tokens"))
        answer.reasoning_tokens = sum_of(answer.reasoning_tokens, written.get("reasoning_tokens"))
        if not usage:
            answer.model = written.get("model") or ""
    return answer, "complete"


class ImageEvents:
    """Collects a stream of images: partial images, which state nothing, and a last event with the usage."""

    __slots__ = ("failed", "last")

    def __init__(self, _body: Mapping[str, Any], _asked: bool) -> None:
        self.failed = False
        self.last: Any = None  # the usages of the last event: the event has the image too

    def absorb(self, event: Any) -> bool:
        """Takes an event's usage."""
        fields = fields_of(event)
        kind = fields.get("type")
        if kind in _COMPLETED:
            self.last = {name: fields.get(name) for name in ("usage", "svg_usage")}
        elif kind == "error" or fields.get("error"):
            self.failed = True
        return False

    def reading(self, *, exhausted: bool) -> Reading:  # noqa: ARG002 - a stream without its last event was interrupted
        """Returns the answer so far."""
        if self.last is None:
            return Answer(), "error" if self.failed else "partial"
        return read_images(self.last)


_COMPLETED: Final = ("image_generation.completed", "image_edit.completed")

IMAGES: Final = Endpoint(
    name="images", gen_ai_operation="generate_content", operation="generation", texts=texts_of_completion, read=read_images, chunks=ImageEvents
)
IMAGE_PATHS: Final = {"images/generations": IMAGES, "images/edits": IMAGES, "images/variations": IMAGES}
