"""The conditions as data. Each is a question of the ledger whose rows are subjects with a value and a threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Final, Literal

from tokentrail.alerts.once import Once
from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.literals import Parameter
from tokentrail.ledger.query import Query, answer, read

__all__ = ["BY_NAME", "CONDITIONS", "Condition", "Finding", "Severity", "find"]

Severity = Literal["page", "ticket"]
_TO: Final = "to"
_AT: Final = "at"
_TIMES: Final = ("from", _TO, _AT)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition. `threshold` is the parameter of its question that holds the threshold; `clears_at` the share of it down to which an alert goes on.

    `needs` is a query that costs little, and without whose rows the question, which costs more, has none. `shared` is a question that is a part of it
    and of other conditions' questions, and nearly all of their cost.
    An alert fires once its condition was true for `hold` minutes: `tokentrail check --notify`, Grafana and Prometheus wait for so long.
    """

    name: str
    severity: Severity
    hold: int
    threshold: str
    clears_at: float = 1.0
    needs: str = ""
    shared: str = ""

    @property
    def title(self) -> str:
        """The name in words."""
        return self.name.replace("_", " ")

    @property
    def alertname(self) -> str:
        """The name in Alertmanager and Prometheus."""
        return "Tokentrail" + "".join(word.capitalize() for word in self.name.split("_"))

    @property
    def question(self) -> str:
        """The name of the question."""
        return f"condition_{self.name}"

    @property
    def query(self) -> Query:
        """The question itself."""
        return read(self.question)

    @property
    def settable(self) -> tuple[str, ...]:
        """The parameters of the question that a file of thresholds may state."""
        return tuple(wanted.name for wanted in self.query.parameters if wanted.name not in _TIMES)


CONDITIONS: Final = (
    Condition("error_share", "page", 5, "percent", 0.8),
    Condition("rate_limits", "ticket", 5, "percent", 0.8),
    Condition("silent_service", "page", 0, "minutes"),
    Condition("late_arrivals", "page", 10, "late", 0.8),
    Condition("budget_burn_fast", "page", 0, "times", 0.8, needs="current_budgets", shared="budgets"),
    Condition("budget_burn_slow", "ticket", 0, "times", 0.8, needs="current_budgets", shared="budgets"),
    Condition("budget_spent", "ticket", 0, "percent", needs="current_budgets", shared="budgets"),
    Condition("rise", "ticket", 0, "times", 0.8),
    Condition("cache_share_drop", "ticket", 0, "points", 0.8),
    Condition("estimated_share", "ticket", 0, "percent", 0.8),
    Condition("unpriced_share", "ticket", 0, "percent", 0.8),
    Condition("missing_events", "page", 15, "records"),
    Condition("reconciliation", "page", 15, "records"),
    Condition("quarantine", "ticket", 0, "records"),
    Condition("open_findings", "ticket", 0, "findings"),
)
BY_NAME: Final = {condition.name: condition for condition in CONDITIONS}


@dataclass(frozen=True, slots=True)
class Finding:
    """A row of a condition's question: a subject with its value."""

    condition: str
    subject: str
    value: float
    threshold: float
    clear: float
    firing: bool
    detail: str


def find(
    client: Client,
    condition: Condition,
    parameters: Mapping[str, Parameter] | None = None,
    *,
    at: datetime | None = None,
    once: Once | None = None,
) -> list[Finding]:
    """Asks a condition's question, now or for a moment that is past. Returns all subjects that have enough numbers, firing or not.

    `once` has what other conditions of the same check have asked.
    """
    if condition.needs and not answer(client, condition.needs).rows:
        return []
    given = dict(parameters or {})
    if at is not None:
        given[_AT if any(wanted.name == _AT for wanted in condition.query.parameters) else _TO] = (
            f"{at.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S.%f}"
        )
    once = once or Once(client)
    found = once.ask(condition.query, condition.shared, given) if condition.shared else answer(client, condition.question, given)
    return [
        Finding(
            condition.name,
            str(row["subject"]),
            float(row["value"]),
            float(row["threshold"]),
            float(row["clear"]),
            bool(row["firing"]),
            str(row["detail"]),
        )
        for row in found.dicts()
    ]
