"""A frame's payload: msgpack of one of four records, distinguished by `event`."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from tokentrail import semconv
from tokentrail.idempotency import claimed_key, shorten
from tokentrail.journal.frames import MAX_PAYLOAD
from tokentrail.usage import Closing, Refused, Usage

__all__ = ["Header", "Record", "as_text", "coarsen", "decode", "encode", "encode_usage", "gaps", "join_ranges", "repaired"]

LONG_PAYLOAD: Final = 4 * 1024
MAX_METADATA_BYTES: Final = 16 * 1024
FIELD_CHARS: Final = (1024, 256)
"""Longest texts of a usage whose record would be too large; the second limit applies if the first is not enough (four bytes a character, twenty
fields)."""
INT64: Final = range(-(2**63), 2**63)


class Header(msgspec.Struct, frozen=True, kw_only=True, tag="header", tag_field="event"):
    """The first record of every segment: the writer, and the attributes common to all its records."""

    writer_id: str
    created: int  # UTC nanoseconds
    first_seq: int  # the number of the next record when the segment began
    resource: dict[str, str | int] = {}
    schema: int = semconv.SCHEMA_VERSION


Record = Header | Usage | Refused | Closing

encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Header | Usage | Refused | Closing).decode
_decode_anything = msgspec.msgpack.Decoder().decode
_FIELDS: Final = {field.name: field for field in msgspec.structs.fields(Usage)}


def encode_usage(usage: Usage) -> bytes:
    """Encodes a usage as a payload of at most 64 KiB, whatever its fields hold: lone surrogates, a megabyte of model name, numbers beyond 64 bits."""
    try:
        payload = encode(usage)
    except Exception:
        usage = repaired(msgspec.structs.asdict(usage))
        payload = encode(usage)
    if len(payload) > LONG_PAYLOAD:
        for chars in FIELD_CHARS:
            payload = encode(_shorten(usage, chars))
            if len(payload) <= MAX_PAYLOAD:
                break
    return payload


def _shorten(usage: Usage, chars: int) -> Usage:
    """Shortens all texts of a usage. Metadata that is too long is left out and flagged; other texts keep their head and a hash of the whole."""
    changes: dict[str, Any] = {}
    for name, value in msgspec.structs.asdict(usage).items():
        if not isinstance(value, str):
            continue
        if name == "metadata":
            if len(value) > MAX_METADATA_BYTES // 4 and len(value.encode()) > MAX_METADATA_BYTES:
                changes |= {"metadata": "{}", "metadata_cut": True}
        elif name in ("key", "corrects_key"):
            changes[name] = claimed_key(value).text
        else:
            changes[name] = shorten(value, chars)
    return msgspec.structs.replace(usage, **changes)


def repaired(values: Mapping[str, Any]) -> Usage:
    """Returns a usage from values of any type. A value that does not fit its field is converted, or becomes "not stated"; no record is lost."""
    fitting: dict[str, Any] = {}
    for name, field in _FIELDS.items():
        if field.type is str:
            fitting[name] = as_text(values.get(name, field.default))
        elif field.type is bool:
            fitting[name] = bool(values.get(name, field.default))
        else:
            number = _number(values.get(name))
            if number is not None:
                fitting[name] = number
    fitting.setdefault("ts", time.time_ns())
    for half in ("input", "output"):
        if values.get(f"{half}_tokens") is not None and f"{half}_tokens" not in fitting:
            fitting[f"{half}_source"] = "unknown"
    return Usage(**fitting)


def as_text(value: Any) -> str:
    """Returns any value as text that UTF-8 can encode."""
    if value is None or value is msgspec.NODEFAULT:
        return ""
    try:
        # a lone surrogate becomes \udc80, so that different keys stay different
        return str(value).encode("utf-8", "backslashreplace").decode()
    except Exception:
        return type(value).__name__


def _number(value: Any) -> int | None:
    try:
        number = int(value)
        fits = number == value and number in INT64
    except Exception:
        return None
    return number if fits else None


def decode(payload: bytes) -> Record:
    """Decodes the record of a payload; a usage whose values do not fit their fields is repaired. Raises `msgspec.MsgspecError` for other payloads."""
    try:
        record: Record = _decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return _decode_usage_leniently(payload, error)
    return record


def _decode_usage_leniently(payload: bytes, error: Exception) -> Usage:
    try:
        values = _decode_anything(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        values = None
    if isinstance(values, dict) and values.get("event") == "usage":
        return repaired(values)
    raise msgspec.DecodeError(str(error)) from None


def join_ranges(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sorts ranges `(first, last)`, and joins ranges that touch or overlap."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return joined


def coarsen(ranges: Iterable[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """Returns at most `most` ranges that hold all given numbers: the nearest neighbours are joined."""
    joined = join_ranges(ranges)
    if len(joined) <= most:
        return joined
    widest = sorted(range(1, len(joined)), key=lambda place: joined[place - 1][1] - joined[place][0])[: most - 1]
    cuts = [0, *sorted(widest), len(joined)]
    return [(joined[begin][0], joined[end - 1][1]) for begin, end in itertools.pairwise(cuts)]


def gaps(first: int, last: int, ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Returns the numbers from `first` to `last` that no range holds, as ranges."""
    missing = []
    for low, high in join_ranges(ranges):
        if low > last:
            break
        if low > first:
            missing.append((first, low - 1))
        first = max(first, high + 1)
    if first <= last:
        missing.append((first, last))
    return missing
