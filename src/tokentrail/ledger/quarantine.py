"""Lists the records in quarantine, and replays them once they can be understood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tokentrail.clickhouse.client import Client
from tokentrail.ledger.query import answer, run

__all__ = ["Replayed", "listed", "reasons", "replay"]


@dataclass(frozen=True, slots=True)
class Replayed:
    """The result of a replay: the number of replayed records, and of those that are still not understood."""

    records: int
    remaining: int

    @property
    def understood(self) -> int:
        """The number of records that are understood now."""
        return self.records - self.remaining


def reasons(client: Client) -> list[dict[str, Any]]:
    """Returns the reasons in quarantine: `reason`, `records`, `first` and `last` arrival."""
    return answer(client, "quarantine_reasons").dicts()


def listed(client: Client, *, reason: str = "", limit: int = 100) -> list[dict[str, Any]]:
    """Returns the latest `limit` records whose reason starts with `reason`, with all their attributes."""
    return answer(client, "quarantine_list", {"reason": reason, "limit": limit}).dicts()


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
