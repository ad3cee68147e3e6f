"""Converts free metadata to the stored JSON object: for any values, the text is valid JSON, valid UTF-8 and within its bound."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Mapping
from typing import Any, Final

from tokentrail.recording.runtime import internal_error

__all__ = ["MAX_METADATA_BYTES", "metadata_text"]

MAX_METADATA_BYTES: Final = 16 * 1024
MAX_DEPTH: Final = 32
MAX_VALUES: Final = MAX_METADATA_BYTES
"""Beyond this depth, or this number of nested values, only the type of a value is stored: circular values have no end."""


def metadata_text(metadata: Mapping[Any, Any] | None) -> tuple[str, bool]:
    """Returns metadata as a JSON object, and whether the object was cut: beyond 16 KiB of UTF-8 the largest values are left out.

    Values without a JSON type become text: dates, decimals, bytes, NaN, objects. Lone surrogates become U+FFFD. An object whose text or entries
    cannot be read is replaced by the name of its type, and counted as an internal error. Raises `TypeError` if `metadata` is no mapping.
    """
    if metadata is None:
        return "", False
    if not isinstance(metadata, Mapping):
        raise TypeError(f"metadata is a mapping or a function of the arguments, not {type(metadata).__name__}")
    try:
        given = dict(metadata)
    except Exception as error:
        internal_error("metadata", error)
        return "{}", True
    if not given:
        return "", False
    with contextlib.suppress(Exception):  # at least one value cannot be converted: below each value is converted, and counted, separately
        text = json.dumps(given, allow_nan=False, ensure_ascii=False, default=str)
        if len(text.encode()) <= MAX_METADATA_BYTES:
            return text, False
    return _fitting_object([_member(name, value) for name, value in given.items()])


def _fitting_object(members: list[str]) -> tuple[str, bool]:
    """Returns an object of as many members as fit: small members first, in their original order."""
    sizes = [len(member.encode()) + 2 for member in members]  # with the comma and the blank, or the braces
    room = MAX_METADATA_BYTES
    kept = set()
    for place in sorted(range(len(members)), key=sizes.__getitem__):
        room -= sizes[place]
        if room < 0:
            break
        kept.add(place)
    return "{" + ", ".join(member for place, member in enumerate(members) if place in kept) + "}", len(kept) < len(members)


def _member(name: Any, value: Any) -> str:
    try:
        text = json.dumps({_text(name): _plain(value, 0, [MAX_VALUES])}, ensure_ascii=False)[1:-1]
    except (ValueError, RecursionError):  # an int of more digits than Python prints
        text = json.dumps({_text(name): f"<{type(value).__name__}>"}, ensure_ascii=False)[1:-1]
    except Exception as error:  # a mapping or a list of the application's own, whose entries cannot be read
        internal_error("metadata", error)
        text = json.dumps({_text(name): f"<{type(value).__name__}>"}, ensure_ascii=False)[1:-1]
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _plain(value: Any, depth: int, room: list[int]) -> Any:
    room[0] -= 1
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if not isinstance(value, (dict, list, tuple)):
        return _text(value)
    if depth >= MAX_DEPTH or room[0] < len(value):
        return f"<{type(value).__name__}>"
    if isinstance(value, dict):
        return {_text(name): _plain(inner, depth + 1, room) for name, inner in value.items()}
    return [_plain(inner, depth + 1, room) for inner in value]


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception as error:
        internal_error("metadata", error)
        return f"<{type(value).__name__}>"
