"""A finding: a difference between the ledger and another witness, with its figures and an id that is the same in every run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Final

from tokentrail.idempotency import digest
from tokentrail.money import EXACT

__all__ = ["COST", "Figure", "Finding", "Place", "cost_of", "number"]

COST: Final = "cost "
"""What the name of a measure of money begins with; the currency follows."""
_ID_DIGITS: Final = 12
_NEVER: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_DAY: Final = timedelta(days=1)
_DIGITS: Final = 6
"""Of a fraction, for people; more where a difference is smaller."""
MOST_DIGITS: Final = 18
"""Of a fraction, as the ledger and the table of findings hold it."""


def cost_of(currency: str) -> str:
    """Returns the measure of money in a currency."""
    return f"{COST}{currency}"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """What is compared: an interval, a provider and as much more as both sides know; or a subject inside. `starts` and `ends` are UTC.

    Of a bill the subject names the usages that it is about (`tenant_id=acme`), if not all: another account's bill is about others.
    """

    source: str
    starts: datetime = _NEVER
    ends: datetime = _NEVER
    provider: str = ""
    model: str = ""
    project: str = ""
    api_key: str = ""
    subject: str = ""

    @property
    def id(self) -> str:
        """The finding's id: 12 hexadecimal digits, a hash of the place alone."""
        times = [f"{moment:%Y-%m-%dT%H:%M:%S}" for moment in (self.starts, self.ends)]
        return digest([self.source, *times, self.provider, self.model, self.project, self.api_key, self.subject])[:_ID_DIGITS]

    @property
    def has_interval(self) -> bool:
        """Whether the place is an interval of a bill."""
        return self.ends > _NEVER

    @property
    def interval(self) -> str:
        """The interval as a text: a day where it is one, else both ends."""
        if not self.has_interval:
            return ""
        if self.ends - self.starts == _DAY and self.starts.time() == _NEVER.time():
            return f"{self.starts:%Y-%m-%d}"
        return f"{_moment(self.starts)} to {_moment(self.ends)}"

    @property
    def title(self) -> str:
        """The place in words."""
        parts = [self.interval, self.provider, self.model or ("(no model)" if self.has_interval else "")]
        parts += [f"project {self.project}"] * bool(self.project) + [f"key {self.api_key}"] * bool(self.api_key) + [self.subject]
        return " ".join(filter(None, parts))


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}" if moment.time() == _NEVER.time() else f"{moment:%Y-%m-%d %H:%M}"


@dataclass(frozen=True, slots=True)
class Figure:
    """A measure (`input_tokens`, `requests`, `cost USD` …), as the other witness states it and as the ledger has it."""

    measure: str
    stated: Decimal
    counted: Decimal

    @property
    def difference(self) -> Decimal:
        """How much the other witness states more than the ledger has."""
        return EXACT.subtract(self.stated, self.counted)

    @property
    def is_money(self) -> bool:
        """Whether the measure is money."""
        return self.measure.startswith(COST)

    @property
    def noun(self) -> str:
        """The unit in words: input tokens, requests, USD."""
        return self.measure.removeprefix(COST) if self.is_money else self.measure.replace("_", " ")

    @property
    def sentence(self) -> str:
        """The figure in words."""
        digits = max(_DIGITS, min(-self.difference.adjusted(), MOST_DIGITS)) if self.difference else _DIGITS
        stated, counted, difference = number(self.stated, digits), number(self.counted, digits), number(self.difference, digits, signed=True)
        return f"{self.noun}: {stated} stated, {counted} in the ledger ({difference})"


def number(value: Decimal, digits: int = _DIGITS, *, signed: bool = False) -> str:
    """Returns a number for people: grouped digits, no zeros after the last digit of a fraction, of which so many are shown at most."""
    rounded = value if value == value.to_integral_value() else value.quantize(Decimal(1).scaleb(-digits), context=EXACT)
    text = f"{rounded:{'+' if signed else ''},f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference: where, which figures, and what could explain it."""

    place: Place
    figures: Sequence[Figure] = ()
    explanations: Sequence[str] = ()
    held: Mapping[str, str] = field(default_factory=dict)
    """What a record of the ledger has in these columns to belong to the place: by it a correction is made."""
    near: Sequence[Figure] = ()
    """What is compared there, too, and lies within the tolerance: it is not kept."""

    @property
    def id(self) -> str:
        """The id of the place."""
        return self.place.id

    def figure(self, measure: str) -> Figure | None:
        """Returns the figure of a measure, or None."""
        return next((figure for figure in self.figures if figure.measure == measure), None)
