"""The list of all counts that a usage may state. A new subset needs a line here, a line in a shape, and `make docs`.

`make docs` writes the lines with every count (`scripts/counts_code.py`: fields, checks, attributes) and the migration that adds the column; a test
fails while one of these is missing. SQL (`tokentrail.clickhouse.lists`) and the pages of the docs are generated from this list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["COUNTS", "Count"]


@dataclass(frozen=True, slots=True)
class Count:
    """A number of tokens: the name of field and column, the attribute, the meaning. The unit is a token.

    `kind`: a `total`; a `subset` of a total, which is included in the total and never added; or tokens that were `processed` where the provider bills
    another number. A span has a total or processed count of 0, but no subset of 0.
    """

    name: str
    attribute: str
    comment: str
    kind: str = "subset"


COUNTS: Final = (
    Count(
        "input_tokens",
        "gen_ai.usage.input_tokens",
        "Input tokens, cache reads and writes included. NULL: not stated. Negative in a correction",
        "total",
    ),
    Count(
        "output_tokens",
        "gen_ai.usage.output_tokens",
        "Output tokens, reasoning included. NULL: not stated. Negative in a correction",
        "total",
    ),
    Count("cache_read_tokens", "gen_ai.usage.cache_read.input_tokens", "Of the input tokens, those read from a cache: a subset, never to be added"),
    Count(
        "cache_write_tokens", "gen_ai.usage.cache_write.input_tokens", "Of the input tokens, those written to a cache: a subset, never to be added"
    ),
    Count("reasoning_tokens", "gen_ai.usage.reasoning.output_tokens", "Of the output tokens, those spent on reasoning: a subset, never to be added"),
    Count("audio_input_tokens", "gen_ai.usage.audio.input_tokens", "Of the input tokens, audio: a subset, never to be added"),
    Count("audio_output_tokens", "gen_ai.usage.audio.output_tokens", "Of the output tokens, audio: a subset, never to be added"),
    Count("image_input_tokens", "gen_ai.usage.image.input_tokens", "Of the input tokens, images: a subset, never to be added"),
    Count("image_output_tokens", "gen_ai.usage.image.output_tokens", "Of the output tokens, images: a subset, never to be added"),
    Count(
        "consumed_input_tokens",
        "tokentrail.usage.consumed.input_tokens",
        "Input tokens processed, where the provider bills another number (which input_tokens holds)",
        "processed",
    ),
    Count(
        "consumed_output_tokens",
        "tokentrail.usage.consumed.output_tokens",
        "Output tokens produced, where the provider bills another number (which output_tokens holds)",
        "processed",
    ),
    Count(
        "cache_write_1h_tokens",
        "tokentrail.usage.cache_write_1h.input_tokens",
        "Of the input tokens written to a cache, those kept for an hour: a subset, never to be added",
    ),
)
"""All counts, in the order of fields and columns; a new count is appended."""
