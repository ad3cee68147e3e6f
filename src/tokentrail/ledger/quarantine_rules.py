"""Rules that turn a record of quarantine into one that the ledger can take: the same record always becomes the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tokentrail import semconv
from tokentrail.usage import Closing, Refused, Usage

__all__ = ["ATTRIBUTES", "FIELDS", "CannotFixError", "Rule", "fixed", "identity_of"]

FIELDS: Final = frozenset({*Usage.__struct_fields__, *Closing.__struct_fields__, *Refused.__struct_fields__})
"""The fields of a body that a rule may set or drop."""
ATTRIBUTES: Final = frozenset({semconv.EVENT, semconv.SCHEMA, semconv.WRITER_ID, semconv.SEQ})
"""The attributes of a record that a rule may set or drop."""
_EARLIEST: Final = 1_577_836_800 * 10**9
"""2020, in nanoseconds: earlier times are not believed."""
_DAY: Final = 86_400 * 10**9
_DIGITS: Final = 19
"""The time at the end of a key."""


class CannotFixError(Exception):
    """A record that no rule can change: the body is no JSON object. One sentence."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What to change: `drop` fields, `set` fields to values, `arrival`: give the time of arrival to records whose own time cannot be believed."""

    drop: tuple[str, ...] = ()
    set: Mapping[str, Any] = field(default_factory=dict)
    arrival: bool = False


def fixed(record: Mapping[str, Any], rule: Rule, given: Mapping[str, int], arrived: int) -> dict[str, Any]:
    """Returns `Timestamp` (nanoseconds since 1970), `Body` and `LogAttributes` of a record after the rule.

    `given` has the times that calls were given before, by `identity_of`; `arrived` is the time of arrival in nanoseconds. Raises `CannotFixError`.
    """
    body, attributes = _body(record), dict(record["LogAttributes"])
    for name in rule.drop:
        body.pop(name, None)
        if name in ATTRIBUTES:
            attributes.pop(name, None)
    for name, value in rule.set.items():
        if name in ATTRIBUTES:
            attributes[name] = value if isinstance(value, str) else json.dumps(value)
        else:
            body[name] = value
    if rule.arrival:
        _believe(body, given.get(identity_of(record), arrived), arrived)
    ts = body.get("ts")
    return {
        "Timestamp": ts if isinstance(ts, int) and not isinstance(ts, bool) else None,
        "Body": json.dumps(body, ensure_ascii=False, separators=(",", ":")),
        "LogAttributes": attributes,
    }


def identity_of(record: Mapping[str, Any]) -> str:
    """Returns what all records of a call have in common, as a hash: its copies and completions must get the same time. Raises `CannotFixError`."""
    body = _body(record)
    said = [str(body.get("key", ""))]
    if body.get("key_kind", "automatic") == "automatic":
        said += [str(record["writer_id"]), str(body.get("call") or record["seq"])]
    return hashlib.sha256("\n".join(said).encode("utf-8", "surrogatepass")).hexdigest()


def _believe(body: dict[str, Any], time: int, arrived: int) -> None:
    """Replaces the record's time, and the time of its key, where they cannot be believed."""
    if not _is_believable(body.get("ts"), arrived):
        body["ts"] = time
    kind, key = body.get("key_kind", "automatic"), body.get("key")
    if kind == "opaque" or _is_believable(body.get("key_time"), arrived):
        return
    body["key_time"] = time
    if kind in ("automatic", "four_part") and isinstance(key, str) and ":" in key:
        body["key"] = f"{key.rpartition(':')[0]}:{time:0{_DIGITS}d}"


def _is_believable(time: object, arrived: int) -> bool:
    """The rule of definitions/usage_parse.sql: from 2020 to a day after the arrival."""
    return isinstance(time, int) and not isinstance(time, bool) and _EARLIEST <= time <= arrived + _DAY


def _body(record: Mapping[str, Any]) -> dict[str, Any]:
    try:
        body = json.loads(record["Body"])
    except ValueError:
        raise CannotFixError("the body is not JSON") from None
    if not isinstance(body, dict):
        raise CannotFixError("the body is not a JSON object")
    return body
