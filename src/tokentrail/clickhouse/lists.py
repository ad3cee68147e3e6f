"""The named lists that `.sql` files repeat a line for: `{{each counts: $name,}}` is one such line for every count.

An item is a mapping: `$name` the column, `$attribute` the attribute that states the count, `$text` the alias of that attribute's text while a record
is read, `$comment` the column's comment, `$literal` the same as the inside of an SQL literal.

A count that is added here needs a migration that adds its column to `usage_parsed` and `usage_ledger`, and nothing else in SQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tokentrail import semconv

__all__ = ["COUNTS", "Count", "Item", "lists"]

Item = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Count:
    """A number of tokens that a record may state: its column, its attribute, and its column's comment in the view `usage`."""

    name: str
    attribute: str
    comment: str


COUNTS: Final = (
    Count("input_tokens", semconv.INPUT_TOKENS, "Input tokens, cache reads and writes included. NULL: not stated. Negative in a correction"),
    Count("output_tokens", semconv.OUTPUT_TOKENS, "Output tokens, reasoning included. NULL: not stated. Negative in a correction"),
    Count("cache_read_tokens", semconv.CACHE_READ_TOKENS, "Of the input tokens, those read from a cache: a subset, never to be added"),
    Count("cache_write_tokens", semconv.CACHE_WRITE_TOKENS, "Of the input tokens, those written to a cache: a subset, never to be added"),
    Count("reasoning_tokens", semconv.REASONING_TOKENS, "Of the output tokens, those spent on reasoning: a subset, never to be added"),
    Count("audio_input_tokens", semconv.AUDIO_INPUT_TOKENS, "Of the input tokens, audio: a subset, never to be added"),
    Count("audio_output_tokens", semconv.AUDIO_OUTPUT_TOKENS, "Of the output tokens, audio: a subset, never to be added"),
    Count("image_input_tokens", semconv.IMAGE_INPUT_TOKENS, "Of the input tokens, images: a subset, never to be added"),
    Count("image_output_tokens", semconv.IMAGE_OUTPUT_TOKENS, "Of the output tokens, images: a subset, never to be added"),
    Count(
        "consumed_input_tokens",
        semconv.CONSUMED_INPUT_TOKENS,
        "Input tokens processed, where the provider bills another number (which input_tokens holds)",
    ),
    Count(
        "consumed_output_tokens",
        semconv.CONSUMED_OUTPUT_TOKENS,
        "Output tokens produced, where the provider bills another number (which output_tokens holds)",
    ),
)
_SIZES: Final = (
    Count("input_chars", semconv.INPUT_CHARS, "Characters sent"),
    Count("output_chars", semconv.OUTPUT_CHARS, "Characters received"),
    Count("texts", semconv.TEXTS, "Number of texts sent"),
)
_FIRST: Final = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
    "image_input_tokens",
    "image_output_tokens",
)
"""The counts whose hash tells two sets of numbers of a claimed key apart, in the hash's order: a stored hash never changes, so neither does this."""
_NEVER: Final = ("consumed_input_tokens", "consumed_output_tokens")
"""Counts in which two sets of numbers may differ without a conflict."""
_MAIN: Final = _FIRST[:5]
"""The counts that `key_conflicts` and `report` show."""


def lists(counts: Sequence[Count] | None = None) -> dict[str, list[Item]]:
    """Every list by its name, made of `COUNTS` or of others."""
    counts = COUNTS if counts is None else counts
    by_name = {count.name: count for count in counts}
    return {
        "counts": _items(counts),
        "sizes": _items(_SIZES),
        "first_counts": _items(by_name[name] for name in _FIRST),
        "later_counts": _items(count for count in counts if count.name not in (*_FIRST, *_NEVER)),
        "main_counts": _items(by_name[name] for name in _MAIN),
    }


def _items(counts: Iterable[Count]) -> list[Item]:
    return [
        {
            "name": count.name,
            "attribute": count.attribute,
            "text": f"{count.name}_text",
            "comment": count.comment,
            "literal": count.comment.replace("'", "''"),
        }
        for count in counts
    ]
