"""A frame's payload: the JSON of one of four records, distinguished by `event`. A usage's payload is the body of the log record that travels."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from tokentrail import semconv
from tokentrail.idempotency import claimed_key, shorten
from tokentrail.journal.frames import FORMAT, MAX_PAYLOAD, MSGPACK
from tokentrail.usage import Closing, Refused, Usage

__all__ = ["Header", "Record", "as_text", "coarsen", "decode", "encode", "encode_usage", "gaps", "join_ranges", "repaired"]

LONG_PAYLOAD: Final = 4 * 1024
MAX_METADATA_BYTES: Final = 16 * 1024
FIELD_CHARS: Final = (1024, 256, 64)
"""Longest texts of a usage whose record would be too large; each limit applies if the one before is not enough (JSON writes a control character with
six bytes, and there are twenty fields)."""
NULL: Final = b":null"
INT64: Final = range(-(2**63), 2**63)


class Header(msgspec.Struct, frozen=True, kw_only=True, tag="header", tag_field="event"):
    """The first record of every segment: the writer, and the attributes common to all its records."""

    writer_id: str
    created: int  # UTC nanoseconds
    first_seq: int  # the number of the next record when the segment began
    resource: dict[str, str | int] = {}
    schema: int = semconv.SCHEMA_VERSION


Record = Header | Usage | Refused | Closing

encode = msgspec.json.Encoder().encode
_decode: Final = {FORMAT: msgspec.json.Decoder(Record).decode, MSGPACK: msgspec.msgpack.Decoder(Record).decode}
_decode_anything: Final = {FORMAT: msgspec.json.Decoder().decode, MSGPACK: msgspec.msgpack.Decoder().decode}
_FIELDS: Final = {field.name: field for field in msgspec.structs.fields(Usage)}


def encode_usage(usage: Usage, on_error: Callable[[str, BaseException], object] = lambda _where, _error: None) -> bytes:
    """Encodes a usage as a payload of at most 64 KiB, whatever its fields hold: lone surrogates, a megabyte of model name, numbers beyond 64 bits.

    A usage with a value that its field cannot hold is repaired. `on_error` then gets the error, but not for a lone surrogate: applications have such
    texts, and the escaped text still differs from all others.
    """
    try:
        payload = encode(usage)
        if NULL in payload:
            _check_finite(usage)
    except Exception as error:
        if not isinstance(error, UnicodeEncodeError):
            on_error("journal.encode", error)
        usage = repaired(msgspec.structs.asdict(usage))
        payload = encode(usage)
    if len(payload) > LONG_PAYLOAD:
        for chars in FIELD_CHARS:
            payload = encode(_shorten(usage, chars))
            if len(payload) <= MAX_PAYLOAD:
                break
        else:  # metadata of quotes alone, or numbers of thousands of digits
            least = msgspec.structs.replace(repaired(msgspec.structs.asdict(usage)), metadata="{}", metadata_cut=True)
            payload = encode(_shorten(least, FIELD_CHARS[-1]))
    return payload


def _check_finite(usage: Usage) -> None:
    """Raises `ValueError` for a float that JSON writes as null. Other nulls of a usage are parts of its texts, for "not stated" is left out."""
    if not all(map(math.isfinite, filter(lambda value: isinstance(value, float), msgspec.structs.astuple(usage)))):
        raise ValueError("a number that is not finite")


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
    except Exception:  # counted by the caller: only a value that could not be encoded has no text
        return type(value).__name__


def _number(value: Any) -> int | None:
    try:
        number = int(value)
        fits = number == value and number in INT64
    except Exception:  # counted by the caller, as above
        return None
    return number if fits else None


def decode(payload: bytes, form: int = FORMAT) -> tuple[Record, bytes]:
    """Decodes a payload: the record, and the JSON that travels, which is the payload itself where format and fields fit.

    A usage whose values do not fit their fields is repaired. Raises `msgspec.MsgspecError` if the payload is no record.
    """
    if form not in _decode:
        raise msgspec.DecodeError(f"no record of format {form} can be read")
    try:
        record: Record = _decode[form](payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        repaired_usage = _decode_usage_leniently(payload, form, error)
        return repaired_usage, encode_usage(repaired_usage)
    if form == FORMAT:
        return record, payload
    return record, encode_usage(record) if isinstance(record, Usage) else encode(record)


def _decode_usage_leniently(payload: bytes, form: int, error: Exception) -> Usage:
    try:
        values = _decode_anything[form](payload)
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
