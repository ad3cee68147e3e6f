"""Voyage's API: reads requests and answers of embeddings (of texts, chunks in context, images) and rerank, as JSON.

Every answer states `total_tokens`, which is the input: vectors and scores are no tokens. Of multimodal embeddings that number has the images' tokens
too (560 pixels are one); `text_tokens` and the pixels stand beside it (docs.voyageai.com, "Multimodal embeddings").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tokentrail.instrumentation.contract import Answer, Reading
from tokentrail.integrations.shapes.json_objects import fields_of, items_of, whole

__all__ = ["read_answer", "texts_of_request"]


def texts_of_request(body: Mapping[str, Any]) -> Sequence[str]:
    """Returns the texts of any request: a query and documents, or inputs, which may be lists of chunks, or parts of a content."""
    return [text for name in ("query", "documents", "input", "inputs") if name in body for text in _texts_in(body[name])]


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts_in(value["content"] if "content" in value else value["text"] if "text" in value else ())
    else:
        for item in items_of(value):
            yield from _texts_in(item)


def read_answer(body: Any) -> Reading:
    """Reads any answer."""
    fields = fields_of(body)
    usage = fields_of(fields.get("usage"))
    answer = Answer(model=fields.get("model") or "", input_tokens=usage.get("total_tokens"))
    total, text = whole(usage.get("total_tokens")), whole(usage.get("text_tokens"))
    if usage.get("image_pixels") and not usage.get("video_pixels") and total is not None and text is not None and total >= text:
        answer.image_input_tokens = total - text
    return answer, "complete"
