"""Writers of which records arrived: the numbers that arrived, the absent numbers, and the settled writers summed by service.

A record that arrives at this moment is not in all tables at once, and batches overtake each other. So the tables can be read again, and only numbers
that are absent in every reading are a finding.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.literals import Parameter
from tokentrail.ledger import ranges
from tokentrail.ledger.query import answer
from tokentrail.ledger.ranges import Range

__all__ = ["Completed", "Look", "Writer", "absent_in_both", "completed", "look"]

_HIGHEST = 2**64 - 1
_APART: Final = ("missing", "lost_calls", "lost_quarantine", "altered", "added")
"""What only counts as a finding if a second look finds the same numbers."""
MAX_NAMED: Final = 1000
"""How many writer ids a query gets as a parameter: the ids stand in the request's URL, which servers limit to a megabyte."""


@dataclass(frozen=True, slots=True)
class Writer:
    """What arrived from one writer. Ranges of numbers are texts such as `7-9,12`; times are UTC."""

    writer_id: str
    state: str
    """`complete` (closed, all there), `open` (not closed, all there so far), `missing` (numbers never arrived), `lost` (rows are gone), or `altered`
    (rows are not what arrived)."""
    events: int
    last_seq: int
    missing: str
    refused: str
    damaged: str
    lost_calls: str
    """Call numbers that arrived and are not in the ledger."""
    lost_quarantine: str
    """Numbers that were put in quarantine and are not there."""
    altered: str
    """Numbers of records whose row in the ledger counts something else than what arrived."""
    added: str
    """Numbers of rows in the ledger that never arrived."""
    after_closing: str
    """Numbers that arrived and are higher than the closing record's: a copied volume, or a journal closed while its process still ran."""
    closed: bool
    closed_by: list[str]
    first_heard: str
    last_heard: str
    service_name: str
    environment: str
    host_name: str

    @property
    def absent(self) -> bool:
        """Whether numbers never arrived, or rows are gone or not what arrived."""
        return any(getattr(self, name) for name in _APART)

    @property
    def highest_heard(self) -> int:
        """The highest number that arrived, was stated by a closing record, or was told to be refused or damaged."""
        return max([self.last_seq, *(high for told in (self.refused, self.damaged) for _, high in ranges.parse(told))])

    @property
    def settled(self) -> bool:
        """Whether the writer is closed and complete, without refused, damaged or late numbers."""
        return self.state == "complete" and not (self.refused or self.damaged or self.after_closing)


@dataclass(frozen=True, slots=True)
class Completed:
    """The settled writers of one service, summed."""

    service_name: str
    writers: int
    events: int
    closed_by_others: int
    """How many of the writers another process closed, because their own process ended without a closing record."""
    first_heard: str
    last_heard: str

    def add(self, other: Completed) -> Completed:
        """Returns the sum of both."""
        return Completed(
            self.service_name,
            self.writers + other.writers,
            self.events + other.events,
            self.closed_by_others + other.closed_by_others,
            min(self.first_heard, other.first_heard),
            max(self.last_heard, other.last_heard),
        )


@dataclass(frozen=True, slots=True)
class Look:
    """The result of reading the tables once."""

    writers: list[Writer]
    rest: list[Completed]
    """The settled writers that are not among `writers`, summed by the database."""
    lost_keys: list[dict[str, Any]]
    unstated_keys: list[dict[str, Any]]
    """Rows of claimed keys that count what no record has stated."""
    unheard: dict[str, str]
    """The numbers of rows in the ledger by writers of whom nothing has arrived."""
    balance: list[dict[str, Any]]
    """The answer of the question conservation: what became of the records of each service."""

    @property
    def absent(self) -> bool:
        """Whether a key or a record of a writer is absent, or a row is not what arrived."""
        return bool(self.lost_keys or self.unstated_keys or self.unheard) or any(writer.absent for writer in self.writers)


def look(client: Client, *, all_writers: bool) -> Look:
    """Queries the numbers that arrived and the rows that exist, of all writers or of those that may have findings."""
    balance = answer(client, "conservation").dicts()
    suspicious = any(service["lost"] or service["altered"] or service["added"] for service in balance)
    compared = {row["writer_id"]: row for row in answer(client, "compared_rows").dicts()} if suspicious else {}
    lost_quarantine = {row["writer_id"]: row["seqs"] for row in answer(client, "lost_quarantine").dicts()}
    odd = list(compared.keys() | lost_quarantine.keys())
    named: dict[str, Parameter] = {"all": int(all_writers or len(odd) > MAX_NAMED), "named": odd[:MAX_NAMED]}
    rows = answer(client, "writers", named).dicts()
    sums = answer(client, "writers_completed", named).dicts()
    heard = {row["writer_id"] for row in rows}
    return Look(
        writers=[_writer(row, compared.get(row["writer_id"], {}), lost_quarantine.get(row["writer_id"], ())) for row in rows],
        rest=[Completed(**{field.name: row[field.name] for field in fields(Completed)}) for row in sums],
        lost_keys=answer(client, "lost_keys").dicts(),
        unstated_keys=answer(client, "unstated_keys").dicts(),
        unheard={writer_id: ranges.write(_numbers(row["added"])) for writer_id, row in compared.items() if writer_id not in heard},
        balance=balance,
    )


def absent_in_both(before: Look, now: Look) -> Look:
    """Returns the later result; only numbers and keys that were absent (or not what arrived) in the earlier result too stay so."""
    earlier = {writer.writer_id: writer for writer in before.writers}
    keys = {key["key_hash"] for key in before.lost_keys}
    return replace(
        now,
        writers=[_absent_in_both(earlier.get(writer.writer_id), writer) if writer.absent else writer for writer in now.writers],
        lost_keys=[key for key in now.lost_keys if key["key_hash"] in keys],
        unstated_keys=[key for key in now.unstated_keys if key in before.unstated_keys],
        unheard={writer_id: numbers for writer_id, numbers in now.unheard.items() if writer_id in before.unheard},
    )


def _absent_in_both(before: Writer | None, now: Writer) -> Writer:
    def both(name: str) -> str:
        return "" if before is None else ranges.write(ranges.intersect(ranges.parse(getattr(before, name)), ranges.parse(getattr(now, name))))

    numbers: dict[str, Any] = {name: both(name) for name in _APART}
    return replace(now, state=_state(closed=now.closed, **numbers), **numbers)


def completed(found: Look) -> list[Completed]:
    """Returns the settled writers summed by service, sorted by the service's name."""
    services = {service.service_name: service for service in found.rest}
    for writer in found.writers:
        if writer.settled:
            own = Completed(writer.service_name, 1, writer.events, int(bool(writer.closed_by)), writer.first_heard, writer.last_heard)
            others = services.get(writer.service_name)
            services[writer.service_name] = others.add(own) if others else own
    return [services[name] for name in sorted(services)]


def _state(*, closed: bool, missing: str, lost_calls: str, lost_quarantine: str, altered: str, added: str) -> str:
    if missing:
        return "missing"
    if lost_calls or lost_quarantine:
        return "lost"
    if altered or added:
        return "altered"
    return "complete" if closed else "open"


def _writer(row: dict[str, Any], compared: dict[str, Any], lost_quarantine: Iterable[int]) -> Writer:
    gaps = [(low + 1, high - 1) for low, high in zip(row["gap_after"], row["gap_before"], strict=True)]
    refused = _all(row["refused"])
    damaged = _all(row["damaged"])
    # a refused or damaged number that arrived nevertheless is not lost: only numbers that did not arrive count
    absent_numbers = [*gaps, (row["end"] + 1, _HIGHEST)]
    closed = bool(row["last_seqs"])
    closing = max(row["last_seqs"], default=0)
    late = ranges.subtract([(closing + 1, row["highest"])], gaps) if closed and row["highest"] > closing else []
    absent = {
        "missing": ranges.write(ranges.subtract(gaps, refused + damaged)),
        "lost_calls": ranges.write(_numbers(compared.get("lost", ()))),
        "lost_quarantine": ranges.write(_numbers(lost_quarantine)),
        "altered": ranges.write(_numbers(compared.get("altered", ()))),
        "added": ranges.write(_numbers(compared.get("added", ()))),
    }
    return Writer(
        writer_id=row["writer_id"],
        state=_state(closed=closed, **absent),
        events=row["events"],
        last_seq=row["end"],
        refused=ranges.write(ranges.intersect(refused, absent_numbers)) if refused else "",
        damaged=ranges.write(ranges.intersect(damaged, absent_numbers)) if damaged else "",
        after_closing=ranges.write(late),
        closed=closed,
        closed_by=row["closed_by"],
        first_heard=row["first_heard"],
        last_heard=row["last_heard"],
        service_name=row["service_name"],
        environment=row["environment"],
        host_name=row["host_name"],
        **absent,
    )


def _all(texts: list[str]) -> list[Range]:
    return ranges.join(one for text in texts for one in ranges.parse(text))


def _numbers(numbers: Iterable[int]) -> list[Range]:
    return ranges.join((number, number) for number in numbers)
