"""What could explain a difference between bill and ledger: looked for in both, and said in words with figures, the most certain first.

An explanation that accounts for the whole difference of a measure, within the tolerance, is *exact*; others are said as far as they reach.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from tokentrail.reconciling.cells import REQUESTS
from tokentrail.reconciling.compare import Cell, Compared
from tokentrail.reconciling.finding import Figure, Finding, Place, number
from tokentrail.reconciling.models import bare
from tokentrail.reconciling.money import Charge, explain_cost
from tokentrail.reconciling.tolerance import Tolerance
from tokentrail.wording import counted, of_number

__all__ = ["Explained", "explain"]

Charges = Callable[[Cell, str], Sequence[Charge]]
"""What the ledger charges for a cell in a currency, by class of tokens."""

_LATE: Final = timedelta(days=2)
MOST_ASKED: Final = 8
"""Findings whose charges by class of tokens are asked for, those of the most money: each is a question about the ledger."""


@dataclass(frozen=True, slots=True)
class Explained:
    """An explanation. `exact`: it accounts for the whole difference of the measure that was looked at."""

    sentence: str
    exact: bool = False


def explain(compared: Compared, tolerance: Tolerance, charges: Charges, now: datetime) -> list[Finding]:
    """Returns the findings with their explanations."""
    looking = _Looking(compared, tolerance, charges, now)
    return [replace(finding, explanations=looking.at(compared.cells[finding.place], finding)) for finding in compared.findings]


class _Looking:
    """All cells of a round, in which an explanation of one is looked for."""

    def __init__(self, compared: Compared, tolerance: Tolerance, charges: Charges, now: datetime) -> None:
        self._findings = {finding.place: finding for finding in compared.findings}
        self._tolerance = tolerance
        self._charges = charges
        self._now = now
        money = [(abs(figure.difference), finding.place) for finding in compared.findings for figure in finding.figures if figure.is_money]
        self._asked = {place for _, place in sorted(money, reverse=True)[:MOST_ASKED]}
        self._by_day: dict[tuple[str, datetime, str], list[Place]] = defaultdict(list)
        self._with_tokens: dict[tuple[datetime, datetime, str, str], Place] = {}
        self._keys_of_ledger: dict[str, set[str]] = defaultdict(set)
        for place, cell in compared.cells.items():
            self._by_day[place.source, place.starts, place.provider].append(place)
            if "input_tokens" in cell.billed.figures and cell.counted.calls:
                self._with_tokens[_kind(place)] = place
            if cell.counted.calls:
                self._keys_of_ledger[place.source].add(place.api_key)

    def at(self, cell: Cell, finding: Finding) -> tuple[str, ...]:
        """Returns the sentences about a finding."""
        tokens = [figure for figure in finding.figures if not figure.is_money]
        found: list[Explained] = []
        if tokens:
            main = max(tokens, key=lambda figure: (figure.measure != REQUESTS, abs(figure.difference)))
            for look in (self._other_name, self._neighbour, self._parts, self._untracked, self._estimates, self._retries, self._beyond_bill):
                found += look(cell, main)
        found += [said for figure in finding.figures if figure.is_money for said in self._cost(cell, figure, has_tokens=bool(tokens))]
        if cell.place.has_interval and self._now - cell.place.ends < _LATE:
            found.append(Explained("the interval ended less than two days ago: reports and records may be late"))
        found.sort(key=lambda each: not each.exact)
        return tuple(dict.fromkeys(each.sentence for each in found))

    def _is(self, figure: Figure, value: Decimal) -> bool:
        """Whether a value accounts for the whole difference."""
        return self._tolerance.same(figure.measure, figure.difference, value, figure.stated or figure.counted)

    def _other_name(self, cell: Cell, figure: Figure) -> Iterator[Explained]:
        """Looks for another model of the interval, or another key or project, whose difference is the opposite."""
        place = cell.place
        for other in self._by_day[place.source, place.starts, place.provider]:
            opposite = self._figure(other, figure.measure)
            if other == place or opposite is None or not self._is(figure, -opposite.difference):
                continue
            if other.model == place.model:
                yield Explained(f"{other.title} lacks the opposite: the same calls under another project or key", exact=True)
            elif bare(other.model) == bare(place.model) or place.model.lower() in other.model.lower() or other.model.lower() in place.model.lower():
                yield Explained(
                    f"{other.model or '(no model)'} differs by the opposite {number(opposite.difference, signed=True)} {figure.noun}: one model "
                    "under two names, of the bill and of the ledger",
                    exact=True,
                )

    def _neighbour(self, cell: Cell, figure: Figure) -> Iterator[Explained]:
        """Looks for the neighbouring interval whose difference is the opposite."""
        place = cell.place
        length = place.ends - place.starts
        for side, starts in (("before", place.starts - length), ("after", place.starts + length)):
            neighbour = replace(place, starts=starts, ends=starts + length)
            opposite = self._figure(neighbour, figure.measure)
            if opposite is None or opposite.difference * figure.difference >= 0:
                continue
            if self._is(figure, -opposite.difference):
                yield Explained(
                    f"{neighbour.interval}, the interval {side}, differs by the opposite {number(opposite.difference, signed=True)} {figure.noun}: "
                    "calls at the edge of a day, or a report of another time zone",
                    exact=True,
                )
            elif self._chain(figure, place):
                yield Explained("the differences of neighbouring days cancel each other: a report of another time zone", exact=True)
                return

    def _chain(self, figure: Figure, place: Place) -> bool:
        """Whether the differences of all days in a row that differ add up to nothing."""
        days = 1
        total = figure.difference
        for step in (-1, 1):
            at = place
            while True:
                length = (at.ends - at.starts) * step
                at = replace(at, starts=at.starts + length, ends=at.ends + length)
                found = self._figure(at, figure.measure)
                if found is None:
                    break
                total += found.difference
                days += 1
        return days > 2 and self._tolerance.same(figure.measure, total, Decimal(0), figure.stated or figure.counted)  # noqa: PLR2004 - two are neighbours

    def _figure(self, place: Place, measure: str) -> Figure | None:
        finding = self._findings.get(place)
        return None if finding is None else finding.figure(measure)

    def _parts(self, cell: Cell, figure: Figure) -> Iterator[Explained]:
        """Looks for a key or a project whose share of the bill is the whole difference, where the cell does not divide by it."""
        parts = {name: of[figure.measure] for name, of in cell.billed.parts.items() if figure.measure in of}
        for (what, name), value in sorted(parts.items()):
            if not cell.counted.calls or name in (cell.place.project, cell.place.api_key) or value == figure.stated:
                continue
            if figure.difference > 0 and self._is(figure, value):
                yield Explained(f"this is exactly what {what} {name} has used ({number(value)} {figure.noun}): calls without tracking", exact=True)

    def _untracked(self, cell: Cell, figure: Figure) -> Iterator[Explained]:
        """Says so where the ledger has nothing at all."""
        place = cell.place
        if cell.counted.calls or figure.stated <= 0:
            return
        requests = cell.billed.figures.get(REQUESTS)
        stated = f"{number(figure.stated)} {figure.noun}" + (
            f" in {counted(int(requests), 'request')}" if requests and figure.measure != REQUESTS else ""
        )
        if place.api_key and place.api_key not in self._keys_of_ledger[place.source]:
            yield Explained(f"the ledger knows no key {place.api_key}: calls without tracking, {stated}", exact=True)
            return
        named = place.model or f"{place.provider} without a model"
        keys = ", ".join(f"{what} {name}" for what, name in sorted(cell.billed.parts))
        yield Explained(f"the ledger has no call of {named} there: calls without tracking, {stated}" + (f", of {keys}" if keys else ""), exact=True)

    def _estimates(self, cell: Cell, figure: Figure) -> Iterator[Explained]:
        """Says how many calls of the ledger are estimated, cut short, or without counts."""
        facts, calls = cell.counted.facts, cell.counted.calls
        if not calls:
            return
        if facts["estimated_calls"]:
            tokens = facts["estimated_input_tokens"] + facts["estimated_output_tokens"]
            are = of_number(facts["estimated_calls"], "is an estimate", "are estimates")
            yield Explained(f"{facts['estimated_calls']:,} of {calls:,} calls {are}, with {tokens:,} tokens")
        if facts["partial_calls"]:
            yield Explained(
                f"{counted(facts['partial_calls'], 'stream was', 'streams were')} left before the end, with {facts['partial_output_tokens']:,} "
                "output tokens in the ledger: providers bill what they have generated"
            )
        if facts["unknown_calls"] and figure.difference > 0:
            yield Explained(f"of {counted(facts['unknown_calls'], 'call')} the tokens are not known: they failed, or were left before any count")

    def _retries(self, cell: Cell, figure: Figure) -> Iterator[Explained]:
        """Says how many requests were repeated: of some the answer was lost after the provider had made and billed it."""
        facts = cell.counted.facts
        if figure.difference <= 0 or not cell.counted.calls:
            return
        if facts["retries"]:
            is_all = figure.measure == REQUESTS and self._is(figure, Decimal(facts["retries"]))
            yield Explained(
                f"{counted(facts['retries'], 'request was', 'requests were')} repeated: a request whose answer was lost may be billed", exact=is_all
            )
        if facts["error_calls"]:
            yield Explained(f"{counted(facts['error_calls'], 'call')} ended with an error: what came of such a call at the provider is not known")

    def _beyond_bill(self, cell: Cell, figure: Figure) -> Iterator[Explained]:
        """Says so where the bill has nothing at all."""
        if cell.billed.figures or figure.counted <= 0:
            return
        yield Explained(
            f"the bill has nothing of {cell.place.model or 'this model'} there: another account or organisation, an incomplete report, or a "
            "provider that bills it elsewhere"
        )

    def _cost(self, cell: Cell, figure: Figure, *, has_tokens: bool) -> Iterable[Explained]:
        """Looks for the reason of a difference in money."""
        if not cell.place.model and cell.billed.items and not cell.counted.calls:
            return [Explained(f"a charge that names no model ({', '.join(sorted(cell.billed.items))}): the ledger counts tokens alone", exact=True)]
        if not cell.counted.calls:
            return list(self._untracked(cell, figure))
        tokens_equal = self._tokens_equal(cell) if not has_tokens else False
        charges = self._charges(cell, figure.noun) if cell.place in self._asked else ()
        return [
            Explained(sentence, exact)
            for sentence, exact in explain_cost(cell, figure, charges, lambda value: self._is(figure, value), tokens_equal=tokens_equal)
        ]

    def _tokens_equal(self, cell: Cell) -> bool:
        """Whether the tokens of a cell agree, by this report or another one of the round."""
        beside = self._with_tokens.get(_kind(cell.place))
        finding = None if beside is None else self._findings.get(beside)
        return beside is not None and (finding is None or all(figure.is_money for figure in finding.figures))


def _kind(place: Place) -> tuple[datetime, datetime, str, str]:
    """Returns what cells of different reports have in common."""
    return place.starts, place.ends, place.provider, place.model
