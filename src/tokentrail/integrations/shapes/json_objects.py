"""JSON objects with attributes, like an SDK's models: a missing field is None, since a field that a provider leaves out is no error."""

from __future__ import annotations

import json
import re
from calendar import timegm
from collections.abc import Mapping, Sequence
from datetime import datetime
from time import strptime
from typing import Any, Final

import msgspec

__all__ = ["JSON_OBJECTS", "NO_JSON", "TOO_MUCH", "Body", "fields_of", "items_of", "merged", "parsed_json", "sum_of", "unix_seconds", "whole"]


LONGEST_COUNT: Final = 19
"""A text of fewer digits is a 64-bit integer."""
TOO_MUCH: Final = 1 << 63
NO_JSON: Final = (ValueError, RecursionError)
"""What the parsers raise for a text that is no JSON, or is nested too deeply."""


class Body(dict[str, Any]):
    """A JSON object that is read by attribute, like the SDK's models; a missing field is None."""

    def __getattr__(self, name: str) -> Any:
        return self.get(name)

    @staticmethod
    def parse(text: bytes) -> Any:
        """Parses JSON; raises `ValueError`, also for JSON that is too deep to parse."""
        try:
            return json.loads(text, object_hook=Body)
        except RecursionError as error:
            raise ValueError("too deep") from error

    @staticmethod
    def of(value: Any) -> Any:
        """Converts dictionaries, at any depth, to bodies; returns other values unchanged."""
        if isinstance(value, Mapping):
            return Body({key: Body.of(item) if isinstance(item, (Mapping, list)) else item for key, item in value.items()})
        if isinstance(value, list):
            return [Body.of(item) if isinstance(item, (Mapping, list)) else item for item in value]
        return value


_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|([+-])(\d\d):(\d\d))").fullmatch


JSON_OBJECTS = (dict, Body)


def fields_of(value: Any) -> Mapping[str, Any]:
    """Returns the fields of an SDK's model (undeclared ones too) or of a JSON object; of any other value, none.

    Reading a missing field of a pydantic model costs an exception and five calls; of a dictionary, one call.
    """
    if type(value) in JSON_OBJECTS:
        return value  # type: ignore[no-any-return]
    try:
        extra = value.__pydantic_extra__
    except AttributeError:
        extra = None  # no model of pydantic 2
    try:
        return {**value.__dict__, **extra} if extra else value.__dict__
    except AttributeError:
        return {}


def parsed_json(text: bytes) -> Any:
    """Returns the value of a JSON text; None if the text is none, or null."""
    try:
        return msgspec.json.decode(text)
    except NO_JSON:
        try:
            return json.loads(text)  # as SDKs do: takes NaN, half characters, a byte order mark
        except NO_JSON:
            return None


def items_of(value: Any) -> Sequence[Any]:
    """Returns the items of a list; of any other value that a server may send, none."""
    return value if type(value) is list or isinstance(value, (list, tuple)) else ()


def whole(value: Any) -> int | None:
    """Returns a count from 0 that 64 bits hold as an integer, also from 12.0 and "12"; None, "not stated", for any other value."""
    if value is None or type(value) is int:  # as nearly always: without a call
        return value if value is not None and 0 <= value < TOO_MUCH else None
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) < LONGEST_COUNT else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < TOO_MUCH:
        return None
    return value if isinstance(value, int) else int(value) if value.is_integer() else None


def merged(before: Any, after: Any) -> dict[str, Any]:
    """Returns the usage of a stream that states several: each replaces the counts that it states; where it states no count, the former one stays."""
    known = dict(fields_of(before))
    for name, value in fields_of(after).items():
        if whole(value) is not None or (whole(known.get(name)) is None and value is not None):
            known[name] = value
    return known


def sum_of(*counts: Any) -> int | None:
    """Returns the sum of the stated counts; None if no count is stated."""
    stated = [count for count in map(whole, counts) if count is not None]
    return sum(stated) if stated else None


def unix_seconds(value: Any) -> int:
    """Returns a time in whole unix seconds, from seconds, RFC 3339 or a `datetime`: the same for every form of one time. 0 for any other value."""
    if isinstance(value, datetime):
        return int(value.timestamp() // 1) if value.tzinfo is not None else 0
    if not isinstance(value, str):
        seconds = whole(value)
        return seconds if seconds is not None else int(value) if isinstance(value, float) and 0 <= value < 1e12 else 0  # noqa: PLR2004 - no time
    match = _TIME(value)
    if match is None:
        return 0
    text, sign, hours, minutes = match.groups()
    try:
        seconds = timegm(strptime(text, "%Y-%m-%dT%H:%M:%S"))
    except ValueError:
        return 0
    return seconds - int(f"{sign}1") * (int(hours) * 3600 + int(minutes) * 60) if sign else seconds
