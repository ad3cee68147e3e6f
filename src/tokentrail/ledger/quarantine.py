"""Lists the records in quarantine, replays them once they can be understood, and fixes them by rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from tokentrail.clickhouse.client import Client
from tokentrail.ledger.quarantine_rules import CannotFixError, Rule, fixed, identity_of
from tokentrail.ledger.query import answer, run

__all__ = ["Fixed", "Replayed", "fix", "listed", "reasons", "replay", "whole"]

_TOGETHER: Final = 2_000
"""Records that are fixed in one INSERT."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_FOREGROUND: Final = {"distributed_foreground_insert": "1"}
"""On a cluster the INSERT is done when every shard has taken the records (queries/quarantine_settings.sql)."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """The result of a replay: the number of replayed records, and of those that are still not understood."""

    records: int
    remaining: int

    @property
    def understood(self) -> int:
        """The number of records that are understood now."""
        return self.records - self.remaining


@dataclass(slots=True)
class Fixed:
    """The result of a fix. `records` were chosen, `changed` of them by the rule; of these `remaining` are still not understood, for other reasons."""

    records: int = 0
    changed: int = 0
    remaining: int = 0
    unfixable: Counter[str] = field(default_factory=Counter)
    """How many records no rule can change, by reason."""
    still: Counter[str] = field(default_factory=Counter)
    """Why changed records are still not understood."""


def reasons(client: Client) -> list[dict[str, Any]]:
    """Returns the reasons in quarantine: `reason`, `records`, `first` and `last` arrival."""
    return answer(client, "quarantine_reasons").dicts()


def listed(client: Client, *, reason: str = "", limit: int = 100) -> list[dict[str, Any]]:
    """Returns the latest `limit` records whose reason starts with `reason`, with all their attributes."""
    return answer(client, "quarantine_list", {"reason": reason, "limit": limit}).dicts()


def whole(client: Client, *, reason: str = "", ids: Sequence[str] = (), together: int = _TOGETHER) -> Iterator[list[dict[str, Any]]]:
    """Returns records in quarantine with all that arrived, `together` at a time. `ids` are hashes in hexadecimal, or how they begin."""
    after = ""
    while rows := answer(client, "quarantine_whole", {"reason": reason, "ids": list(ids), "after": after, "limit": together}).dicts():
        yield rows
        after = rows[-1]["id"]


def replay(client: Client, *, reason: str = "") -> Replayed:
    """Inserts the records whose reason starts with `reason` into the landing table again, and marks those that are understood now.

    Safe to repeat, and to interrupt between the two steps: an understood record counts once, by its key; any other record returns to quarantine.
    """
    (moment,) = answer(client, "quarantine_now", {"reason": reason}).dicts()
    if not moment["records"]:
        return Replayed(0, 0)
    chosen = {"reason": reason, "now": moment["now"]}
    run(client, "quarantine_replay", chosen)
    run(client, "quarantine_mark", chosen)
    ((remaining,),) = answer(client, "quarantine_remaining", {"now": moment["now"]}).rows
    return Replayed(moment["records"], remaining)


def fix(
    client: Client,
    rule: Rule,
    *,
    reason: str = "",
    ids: Sequence[str] = (),
    dry_run: bool = False,
    tick: Callable[[int], object] = lambda _records: None,
) -> Fixed:
    """Changes records in quarantine by a rule, and inserts their new form into the landing table.

    Safe to repeat, and to interrupt: the same record becomes the same, so it counts once. The former record stays in quarantine, marked as replayed;
    a new form that is not understood either is in quarantine with its own reason. `dry_run` changes nothing. Raises `ClickHouseError`.
    """
    done = Fixed()
    moment = answer(client, "quarantine_now", {"reason": ""}).dicts()[0]["now"]
    for found in whole(client, reason=reason, ids=ids):
        rows = [row for row in found if row["arrived_at"] < moment]  # not what this run has inserted itself
        done.records += len(rows)
        given = _times(client, rows, keep=not dry_run) if rule.arrival else {}
        changed = {}
        for row in rows:
            try:
                new = _changed(row, rule, given)
            except CannotFixError as cannot:
                done.unfixable[str(cannot)] += 1
                continue
            if new:
                changed[row["id"]] = new | {"arrived_at": moment}
        done.changed += len(changed)
        if changed and not dry_run:
            client.insert_json("usage_landing", changed.values(), _FOREGROUND)
            run(client, "quarantine_mark_fixed", {"now": moment, "ids": list(changed)})
        tick(done.records)
    if done.changed and not dry_run:
        done.still.update({row["reason"]: row["records"] for row in answer(client, "quarantine_arrived", {"now": moment}).dicts()})
        done.remaining = done.still.total()
    return done


def _changed(row: Mapping[str, Any], rule: Rule, given: Mapping[str, int]) -> dict[str, Any] | None:
    """Returns the landing row of a record after the rule; None if the rule changes nothing."""
    new = fixed(row, rule, given, _nanoseconds(row["arrived_at"]))
    if new["Body"] == row["Body"] and new["LogAttributes"] == row["LogAttributes"]:
        return None
    said = {name: value for name, value in row.items() if name not in ("id", "reason", "event", "writer_id", "seq", "arrived_at")}
    return said | new | {"Timestamp": row["Timestamp"] if new["Timestamp"] is None else _text(new["Timestamp"])}


def _times(client: Client, rows: Sequence[Mapping[str, Any]], *, keep: bool) -> dict[str, int]:
    """Returns the time of each call whose records are fixed by their arrival: the one that was given first. `keep` stores those that are new."""
    arrivals: dict[str, int] = {}
    for row in rows:
        try:
            identity = identity_of(row)
        except CannotFixError:
            continue
        arrived = _nanoseconds(row["arrived_at"])
        arrivals[identity] = min(arrived, arrivals.get(identity, arrived))
    known = dict(answer(client, "quarantine_times_given", {"identities": list(arrivals)}).rows)
    fresh = {identity: arrived for identity, arrived in arrivals.items() if identity not in known}
    if fresh and keep:
        now = -int(datetime.now(timezone.utc).timestamp() * 1000)
        rows_of = ({"identity": identity, "time": _text(arrived), "precedence": now} for identity, arrived in fresh.items())
        client.insert_json("quarantine_times", rows_of, _FOREGROUND)
        fresh |= dict(answer(client, "quarantine_times_given", {"identities": list(fresh)}).rows)
    return {**fresh, **known}


def _nanoseconds(moment: str) -> int:
    """Returns a time of the database, UTC with milliseconds, in nanoseconds since 1970."""
    since = datetime.fromisoformat(moment).replace(tzinfo=timezone.utc) - _EPOCH
    return since // timedelta(milliseconds=1) * 10**6


def _text(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 10**9)
    try:
        return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S}.{rest:09d}"
    except OverflowError:
        return "1970-01-01 00:00:00.000000000"  # stays in quarantine: no table has this time
