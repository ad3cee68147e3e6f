"""Records that were not understood: what they are, and putting them back once they can be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tokentrail.clickhouse.client import Client
from tokentrail.ledger.query import answer, run

__all__ = ["Replayed", "listed", "reasons", "replay"]


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many records were put back, and how many of them are still not understood."""

    records: int
    remaining: int

    @property
    def understood(self) -> int:
        """How many are understood now."""
        return self.records - self.remaining


def reasons(client: Client) -> list[dict[str, Any]]:
    """`reason`, `records`, `first` and `last` arrival."""
    return answer(client, "quarantine_reasons").dicts()


def listed(client: Client, *, reason: str = "", limit: int = 100) -> list[dict[str, Any]]:
    """The latest `limit` records whose reason starts with `reason`, with all their attributes."""
    return answer(client, "quarantine_list", {"reason": reason, "limit": limit}).dicts()


def replay(client: Client, *, reason: str = "") -> Replayed:
    """Put the records whose reason starts with `reason` back into the landing table, and mark those that are understood now.

    Safe to repeat, and to cut short between its two steps: a record that is understood is counted by its key, one that is not comes back here.
    """
    (moment,) = answer(client, "quarantine_now", {"reason": reason}).dicts()
    if not moment["records"]:
        return Replayed(0, 0)
    chosen = {"reason": reason, "now": moment["now"]}
    run(client, "quarantine_replay", chosen)
    run(client, "quarantine_mark", chosen)
    ((remaining,),) = answer(client, "quarantine_remaining", {"now": moment["now"]}).rows
    return Replayed(moment["records"], remaining)
