"""The proof that nothing is missing: every writer numbers its records, and the numbers that arrived are kept beside the ledger.

Three questions, each answered exactly:

- Did everything arrive? Of each writer, the numbers from 1 to its last; what the journal could not take (refused) or what is torn in it (damaged)
  is stated by the writer itself.
- Is everything that arrived still there? The ledger drops copies and replaces completed records, so its own numbers prove nothing. But its
  *identities* do: of an automatic key the writer and call number (two bitmaps that must be equal), of a claimed key its hash.
- Did anybody say two different things about one claimed key?
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tokentrail.clickhouse import ranges
from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.ranges import Range
from tokentrail.clickhouse.sqlfiles import query

__all__ = ["Verification", "Writer", "verify"]

_HIGHEST = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Writer:
    """What was heard of one writer. Ranges are of its numbers, as text `7-9,12`; times are UTC."""

    writer_id: str
    state: str
    """`complete` (closed, all there), `open` (not closed, all there so far), `missing` (numbers never arrived), `lost` (they did, rows are gone)."""
    events: int
    last_seq: int
    missing: str
    refused: str
    damaged: str
    lost_calls: str
    """Call numbers that arrived and are not in the ledger."""
    lost_quarantine: str
    """Numbers that were put in quarantine and are not there."""
    after_closing: str
    """Numbers heard that are higher than the closing record's: a copied volume, or a journal closed while its process still ran."""
    closed: bool
    closed_by: list[str]
    first_heard: str
    last_heard: str
    service_name: str
    environment: str
    host_name: str


@dataclass(frozen=True, slots=True)
class Verification:
    """All that is known. `ok` is false if anything is missing, lost, contradictory, refused, damaged or not understood."""

    writers: list[Writer]
    conflicts: list[dict[str, Any]]
    lost_keys: list[dict[str, Any]]
    quarantine: list[dict[str, Any]]

    @property
    def ok(self) -> bool:
        """Whether nothing at all is off."""
        return not self.findings

    @property
    def findings(self) -> list[str]:
        """One sentence for each thing that is off."""
        found = []
        for writer in self.writers:
            told = {
                "never arrived": writer.missing,
                "arrived, but their calls are not in the ledger": writer.lost_calls,
                "are gone from quarantine": writer.lost_quarantine,
                "were refused by the journal": writer.refused,
                "are damaged in the journal": writer.damaged,
            }
            found += [f"writer {writer.writer_id}: numbers {numbers} {what}" for what, numbers in told.items() if numbers]
        found += [f"claimed key {key['key']!r} arrived and is not in the ledger" for key in self.lost_keys]
        keys = list(dict.fromkeys(said["key"] for said in self.conflicts))
        found += [f"claimed key {key!r}: different numbers were said" for key in keys]
        found += [f"{reason['records']} records in quarantine: {reason['reason']}" for reason in self.quarantine]
        return found

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            "ok": self.ok,
            "findings": self.findings,
            "writers": [asdict(writer) for writer in self.writers],
            "conflicts": self.conflicts,
            "lost_keys": self.lost_keys,
            "quarantine": self.quarantine,
        }


def verify(client: Client) -> Verification:
    """Ask all three questions. Reads only."""
    lost_calls = {row["writer_id"]: row["calls"] for row in client.query(query("lost_calls")).dicts()}
    lost_quarantine = {row["writer_id"]: row["seqs"] for row in client.query(query("lost_quarantine")).dicts()}
    writers = [
        _writer(row, lost_calls.get(row["writer_id"], []), lost_quarantine.get(row["writer_id"], []))
        for row in client.query(query("writers")).dicts()
    ]
    return Verification(
        writers=writers,
        conflicts=client.query(query("conflicts")).dicts(),
        lost_keys=client.query(query("lost_keys")).dicts(),
        quarantine=client.query(query("quarantine_reasons")).dicts(),
    )


def _writer(row: dict[str, Any], lost_calls: list[int], lost_quarantine: list[int]) -> Writer:
    gaps = [(low + 1, high - 1) for low, high in zip(row["gap_after"], row["gap_before"], strict=True)]
    refused = _all(row["refused"])
    damaged = _all(row["damaged"])
    missing = ranges.subtract(gaps, refused + damaged)
    # what arrived in spite of it was not lost: only numbers that were not heard count as refused or damaged
    unheard = [*gaps, (row["end"] + 1, _HIGHEST)]
    closed = bool(row["last_seqs"])
    closing = max(row["last_seqs"], default=0)
    late = ranges.subtract([(closing + 1, row["highest"])], gaps) if closed and row["highest"] > closing else []
    lost = bool(lost_calls or lost_quarantine)
    return Writer(
        writer_id=row["writer_id"],
        state="missing" if missing else "lost" if lost else "complete" if closed else "open",
        events=row["events"],
        last_seq=row["end"],
        missing=ranges.write(missing),
        refused=ranges.write(ranges.intersect(refused, unheard)),
        damaged=ranges.write(ranges.intersect(damaged, unheard)),
        lost_calls=ranges.write(_numbers(lost_calls)),
        lost_quarantine=ranges.write(_numbers(lost_quarantine)),
        after_closing=ranges.write(late),
        closed=closed,
        closed_by=row["closed_by"],
        first_heard=row["first_heard"],
        last_heard=row["last_heard"],
        service_name=row["service_name"],
        environment=row["environment"],
        host_name=row["host_name"],
    )


def _all(texts: list[str]) -> list[Range]:
    return ranges.join(one for text in texts for one in ranges.parse(text))


def _numbers(numbers: list[int]) -> list[Range]:
    return ranges.join((number, number) for number in numbers)
