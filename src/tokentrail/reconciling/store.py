"""The findings in ClickHouse: rows are only added, and of each finding the highest version is the state.

Two processes may write at once. Both then give their row the next version, and of these one row counts for every reader: a person's, then the earlier
one. Whoever decides by hand reads the row back, and decides again upon the other state if the own row does not count.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, Final

from tokentrail.clickhouse.client import Client
from tokentrail.ledger.query import answer
from tokentrail.reconciling.finding import Figure, Finding, Place
from tokentrail.reconciling.states import Known

__all__ = ["BusyError", "decide", "history", "known_findings", "save"]

_TRIES: Final = 20
_SECONDS: Final = "%Y-%m-%d %H:%M:%S"


class BusyError(Exception):
    """Other processes have decided of a finding again and again at the same moments."""


def known_findings(client: Client, ids: Sequence[str] = ()) -> dict[str, Known]:
    """Returns the findings, or those whose ids begin with one of `ids`, with the state that counts."""
    return {known.id: known for known in map(_known, answer(client, "finding_states", {"ids": list(ids)}).dicts())}


def history(client: Client, finding_id: str) -> list[Known]:
    """Returns all states of a finding, the first one first."""
    return [_known(row) for row in answer(client, "finding_states", {"ids": [finding_id], "history": 1}).dicts()]


def save(client: Client, before: Mapping[str, Known], after: Iterable[Known]) -> list[Known]:
    """Writes the states that differ from those before, in one block, and returns them."""
    changed = [known for known in after if before.get(known.id) is not known]
    if changed:
        client.insert_json("findings", [_row(known) for known in changed])
    return changed


def decide(client: Client, known: Known, change: Callable[[Known], Known]) -> Known:
    """Writes what a person decides of a finding. `change` makes the new state from the present one, again if another process was quicker.

    Raises what `change` raises, and `BusyError`.
    """
    for _ in range(_TRIES):
        changed = replace(change(known), version=known.version + 1, by_hand=True, at=datetime.now(timezone.utc))
        row = _row(changed)
        client.insert_json("findings", [row])
        (now,) = answer(client, "finding_states", {"ids": [known.id]}).dicts()
        if now["row_id"] == row["row_id"]:
            return changed
        known = _known(now)  # another person's row of this version, or what a round has made of the version before
    raise BusyError(f"finding {known.id} is being decided by others at this moment: try again")


def _row(known: Known) -> dict[str, Any]:
    place, figures = known.finding.place, known.finding.figures
    return {
        "id": known.id,
        "version": known.version,
        "row_id": uuid.uuid4().hex,
        "state": known.state,
        "by_hand": known.by_hand,
        "who": known.who,
        "why": known.why,
        "source": place.source,
        "subject": place.subject,
        "starts": f"{place.starts:{_SECONDS}}",
        "ends": f"{place.ends:{_SECONDS}}",
        "provider": place.provider,
        "model": place.model,
        "project": place.project,
        "api_key": place.api_key,
        "measures": [figure.measure for figure in figures],
        "stated": [f"{figure.stated:f}" for figure in figures],
        "counted": [f"{figure.counted:f}" for figure in figures],
        "explanations": list(known.finding.explanations),
        "held": dict(known.finding.held),
        "entry": known.entry,
    }


def _known(row: Mapping[str, Any]) -> Known:
    place = Place(
        source=row["source"],
        starts=_time(row["starts"]),
        ends=_time(row["ends"]),
        provider=row["provider"],
        model=row["model"],
        project=row["project"],
        api_key=row["api_key"],
        subject=row["subject"],
    )
    figures = [
        Figure(measure, Decimal(stated or 0), Decimal(counted or 0))
        for measure, stated, counted in zip(row["measures"], row["stated"], row["counted"], strict=True)
    ]
    return Known(
        finding=Finding(place, figures, tuple(row["explanations"]), held=row["held"]),
        state=row["state"],
        version=int(row["version"]),
        who=row["who"],
        why=row["why"],
        by_hand=bool(row["by_hand"]),
        entry=row["entry"],
        at=_time(row["at"]),
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")
