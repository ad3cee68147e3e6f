"""The list of all rates that a price may have. Each is a column of the table `prices`, and a field of a price file."""

from __future__ import annotations

from typing import Final

from tokentrail.counts import Count

__all__ = ["PER_CALL", "PER_HOUR", "RATES"]

PER_CALL: Final = "call"
PER_HOUR: Final = "hour"
RATES: Final = (
    Count("input", "", "Per million input tokens, of those that no other rate is for"),
    Count("output", "", "Per million output tokens, of those that no other rate is for"),
    Count("cache_read", "", "Per million input tokens read from a cache"),
    Count("cache_write", "", "Per million input tokens written to a cache"),
    Count("cache_write_1h", "", "Per million input tokens written to a cache for an hour"),
    Count("reasoning", "", "Per million output tokens spent on reasoning"),
    Count("audio_input", "", "Per million input tokens of audio"),
    Count("audio_output", "", "Per million output tokens of audio"),
    Count("image_input", "", "Per million input tokens of images"),
    Count("image_output", "", "Per million output tokens of images"),
    Count(PER_CALL, "", "Per call"),
    Count(PER_HOUR, "", "Per hour of the calls' durations: a machine of one's own"),
)
