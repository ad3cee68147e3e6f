"""The proof that nothing is missing: every writer numbers its records, and the numbers that arrived are kept beside the ledger.

Five questions:

- Did everything arrive? Each writer's numbers run from 1 to its last; refused numbers and damaged numbers (torn bytes in the journal) are reported
  by the writer or its adopter.
- Are all records that arrived still there? The ledger drops copies and replaces completed records, so the number of its rows proves nothing. The
  *identities* prove it: for an automatic key the writer and call number (two bitmaps that must be equal), for a claimed key its hash.
- Do the rows count what arrived? Beside each number that arrived 10 bits of a hash are kept of what the record counts (tenant, operation, provider,
  models, service, every count, key): of 1,024 altered rows one is not seen, nor is a change of what the hash does not have (times, durations, sizes,
  trace, metadata), nor one by a person who changes the table `deliveries` accordingly. Records in quarantine are compared with their own hash.
- Do records state different numbers for one claimed key?
- Are the sums by day those of the ledger?

What was removed on purpose (`tokentrail erase`, `tokentrail retention`) is not lost: the identities of what was removed are kept.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from tokentrail.clickhouse.client import ClickHouseError, Client
from tokentrail.ledger.query import answer
from tokentrail.ledger.ranges import join, write
from tokentrail.ledger.rollup import different_days
from tokentrail.ledger.writers import Completed, Writer, absent_in_both, completed, look
from tokentrail.wording import counted

__all__ = ["Completed", "Problem", "Verification", "Writer", "verify"]

PATIENCE: Final = 5.0
"""Seconds within which numbers that seem absent are queried again, while records arrive."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it was numbered and as it arrived. `subject` names it in the same words in every run."""

    subject: str
    sentence: str
    service_name: str = ""


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of `verify`. `ok` is false if any record is missing, lost, contradictory, refused, damaged or not understood."""

    writers: list[Writer]
    """All writers, or those that are not settled."""
    completed: list[Completed]
    """The settled writers, summed by service."""
    conflicts: list[dict[str, Any]]
    lost_keys: list[dict[str, Any]]
    unstated_keys: list[dict[str, Any]]
    """Rows of claimed keys that count what no record has stated."""
    doubled: list[dict[str, Any]]
    """On a cluster: calls and claimed keys that count more than once, since their copies lie on several shards."""
    unheard: dict[str, str]
    """The numbers of rows by writers of whom nothing has arrived."""
    quarantine: list[dict[str, Any]]
    altered_quarantine: list[dict[str, Any]]
    """Records in quarantine that are not as they arrived."""
    balance: list[dict[str, Any]]
    """What became of the records of each service: the question conservation."""
    different_days: list[dict[str, Any]]
    """The days whose sums are not those of the ledger, or not those that were built."""
    not_taken: list[dict[str, Any]]
    """By service: records that arrived after their usage was erased or had expired, and that nothing was stored of. No finding."""

    @property
    def ok(self) -> bool:
        """Whether there are no findings."""
        return not self.findings

    @property
    def findings(self) -> list[str]:
        """One sentence for each finding."""
        days = [f"the sums of {day['day']} are not those of the ledger: tokentrail rollup --rebuild" for day in self.different_days]
        return [problem.sentence for problem in self.problems] + days

    @property
    def problems(self) -> list[Problem]:
        """All findings but those of the sums by day."""
        found = [problem for writer in self.writers for problem in _problems_of(writer)]
        for row in self.doubled:
            numbers = write(join((call, call) for call in row["calls"]))
            named = [(f"writer {row['writer_id']}", f"calls {numbers} of writer {row['writer_id']}")] if numbers else []
            named += [(f"key {key}", f"claimed key {key!r}") for key in row["keys"]]
            found += [
                Problem(f"{subject} on several shards", f"{one}: copies lie on several shards, and count more than once: docs/cluster.md")
                for subject, one in named
            ]
        found += [Problem(f"key {key['key']} lost", f"claimed key {key['key']!r} arrived and is not in the ledger") for key in self.lost_keys]
        found += [
            Problem(f"writer {writer_id} never heard", f"writer {writer_id} was never heard, and rows of the ledger name it: {numbers}")
            for writer_id, numbers in self.unheard.items()
        ]
        found += [
            Problem(f"key {key['key']} unstated", f"claimed key {key['key']!r} counts in the ledger what no record has stated")
            for key in self.unstated_keys
        ]
        keys = list(dict.fromkeys(said["key"] for said in self.conflicts))
        found += [Problem(f"key {key} contested", f"claimed key {key!r}: different numbers were said") for key in keys]
        found += [
            Problem(f"quarantine {reason['reason']}", f"{counted(reason['records'], 'record')} in quarantine: {reason['reason']}")
            for reason in self.quarantine
        ]
        found += [
            Problem(f"record {record['id']} in quarantine", f"record {record['id']} in quarantine is not as it arrived")
            for record in self.altered_quarantine
        ]
        return found

    def as_dict(self) -> dict[str, Any]:
        """Returns the result as JSON values."""
        return {
            "ok": self.ok,
            "findings": self.findings,
            "completed": [asdict(service) for service in self.completed],
            "writers": [asdict(writer) for writer in self.writers],
            "conflicts": self.conflicts,
            "lost_keys": self.lost_keys,
            "unstated_keys": self.unstated_keys,
            "doubled": self.doubled,
            "unheard": self.unheard,
            "quarantine": self.quarantine,
            "altered_quarantine": self.altered_quarantine,
            "balance": self.balance,
            "different_days": self.different_days,
            "not_taken": self.not_taken,
        }


def verify(client: Client, *, all_writers: bool = True) -> Verification:
    """Answers all five questions. Reads only; takes some seconds longer if numbers seem absent while records arrive.

    Raises `ClickHouseError` for a database whose restore was broken off, which proves nothing.
    """
    if answer(client, "restore_unfinished").rows:
        raise ClickHouseError(f"database {client.database} is not wholly restored: run `tokentrail restore` again, it begins anew")
    found = look(client, all_writers=all_writers)
    deadline, pause = time.monotonic() + PATIENCE, 0.1
    while found.absent and time.monotonic() < deadline and _arriving(client):
        time.sleep(pause)
        pause *= 2
        found = absent_in_both(found, look(client, all_writers=all_writers))
    return Verification(
        writers=[writer for writer in found.writers if all_writers or not writer.settled],
        completed=completed(found),
        conflicts=answer(client, "conflicts").dicts(),
        lost_keys=found.lost_keys,
        unstated_keys=found.unstated_keys,
        doubled=answer(client, "doubled").dicts() if answer(client, "is_sharded").rows[0][0] else [],
        unheard=found.unheard,
        quarantine=answer(client, "quarantine_reasons").dicts(),
        altered_quarantine=answer(client, "altered_quarantine").dicts(),
        balance=found.balance,
        different_days=different_days(client),
        not_taken=answer(client, "not_taken").dicts(),
    )


def _problems_of(writer: Writer) -> Iterator[Problem]:
    problems = (
        ("missing", writer.missing, "never arrived", "never arrived"),
        ("lost calls", writer.lost_calls, "arrived, but its call is not in the ledger", "arrived, but their calls are not in the ledger"),
        ("lost from quarantine", writer.lost_quarantine, "is gone from quarantine", "are gone from quarantine"),
        ("altered", writer.altered, "counts something else in the ledger than what arrived", "count something else in the ledger than what arrived"),
        ("added", writer.added, "is in the ledger and never arrived", "are in the ledger and never arrived"),
        ("refused", writer.refused, "was refused by the journal", "were refused by the journal"),
        ("damaged", writer.damaged, "is damaged in the journal", "are damaged in the journal"),
    )
    for what, numbers, one, several in problems:
        if numbers:
            said = f"number {numbers} {one}" if numbers.isdigit() else f"numbers {numbers} {several}"
            yield Problem(f"writer {writer.writer_id} {what}", f"writer {writer.writer_id}: {said}", writer.service_name)


def _arriving(client: Client) -> bool:
    """Whether a record arrived within the last minute, so that a record that seems absent may not have reached every table yet."""
    ((records,),) = answer(client, "arriving").rows
    return bool(records)
