"""Values of a query's parameters, from the texts that people and programs write."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone, tzinfo
from typing import Final

from tokentrail.clickhouse.literals import Parameter
from tokentrail.ledger.dimensions import parse_where
from tokentrail.ledger.query import Query, QueryError, Wanted
from tokentrail.ledger.times import end_of, parse_time, parse_zone
from tokentrail.wording import did_you_mean

__all__ = ["parse_parameters"]

_WHOLE: Final = re.compile(r"(U?)Int(8|16|32|64)")
_CURRENCY: Final = "currency"
_TIMEZONE: Final = "timezone"
"""The parameter by which a query, and the moments among its parameters, know the zone of days."""


def parse_parameters(query: Query, given: Mapping[str, Sequence[str]], *, now: datetime | None = None) -> dict[str, Parameter]:
    """Returns the values of parameters that are given as texts, several for a list.

    `from` a month or a year alone is this month or year: `to` is its end. Raises `QueryError` for what does not fit, in one sentence.
    """
    wanted = {each.name: each for each in query.parameters}
    for name in given:
        if name not in wanted:
            known = ", ".join(wanted) or "none"
            raise QueryError(f"query {query.name} has no parameter {name!r}.{did_you_mean(name, wanted)} It has {known}.")
    for each in query.parameters:
        if each.default is None and each.name not in given:
            raise QueryError(f"query {query.name} needs the parameter {each.name}: {each.text}.")
    try:
        zone = parse_zone(_only(wanted[_TIMEZONE], given[_TIMEZONE])) if _TIMEZONE in given else timezone.utc
        values = {name: _value(wanted[name], texts, zone, now) for name, texts in given.items()}
    except ValueError as error:
        raise QueryError(f"query {query.name}: {error}.") from None
    if "from" in given and "to" in wanted and "to" not in given and (end := end_of(given["from"][0], zone)):
        values["to"] = end
    return values


def _value(wanted: Wanted, texts: Sequence[str], zone: tzinfo, now: datetime | None) -> Parameter:
    if wanted.type == "Array(String)":
        return list(map(parse_where, texts)) if wanted.name == "where" else list(texts)
    text = _only(wanted, texts)
    if wanted.choices and text not in wanted.choices:
        raise ValueError(f"{wanted.name} is {text!r}.{did_you_mean(text, wanted.choices)} It is one of {', '.join(wanted.choices)}")
    if wanted.name == _CURRENCY and not re.fullmatch("([A-Z]{3})?", text):
        raise ValueError(f"{wanted.name} is {text!r}: write three letters, such as USD")
    if wanted.type.startswith("DateTime64"):
        return parse_time(text, zone, now=now)
    if found := _WHOLE.fullmatch(wanted.type):
        return _whole(wanted.name, text, signed=not found[1], bits=int(found[2]))
    return text


def _only(wanted: Wanted, texts: Sequence[str]) -> str:
    if len(texts) != 1:
        raise ValueError(f"{wanted.name} is one value, and {len(texts)} are given")
    return texts[0]


def _whole(name: str, text: str, *, signed: bool, bits: int) -> int:
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    value = int(text) if re.fullmatch(r"-?\d{1,20}", text, re.ASCII) else None
    if value is None or not low <= value <= high:
        raise ValueError(f"{name} is {text!r}: a whole number from {low} to {high}")
    return value
