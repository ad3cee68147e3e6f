"""What is checked of the rows themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tokentrail.counts import COUNTS
from tokentrail.usage import Usage

__all__ = ["assert_sound", "fields_of", "rows"]

_MOST = 1 << 63


def fields_of(usage: Usage, like: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields of a usage that are expected; those of the SDK's own exceptions have the name that the SDK gives them."""
    return {name: getattr(usage, name) for name in like}


def rows(usages: Iterable[Usage]) -> list[str]:
    """Returns the rows, a short text each."""
    return [
        f"{each.endpoint} {each.response_model} {each.input_tokens}+{each.output_tokens} {each.ended} {each.error_type}".rstrip() for each in usages
    ]


def assert_sound(usage: Usage) -> None:
    """Raises `AssertionError` unless the journal can hold the usage, and each count is stated as a whole number from 0 that 64 bits hold."""
    if msgspec.msgpack.decode(msgspec.msgpack.encode(usage), type=Usage) != usage:
        raise AssertionError(f"the journal would not give this record back: {usage!r}")
    odd = {
        count.name: value for count in COUNTS if (value := getattr(usage, count.name)) is not None and not (type(value) is int and 0 <= value < _MOST)
    }
    if odd:
        raise AssertionError(f"what is no count was recorded as one: {odd}")
