"""What an experiment has found, and the table of all of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from rich.console import Console
from rich.table import Table

__all__ = ["Outcome", "Row", "Tokens", "as_json", "print_table"]

Tokens = tuple[int, int]
Row = tuple[int, int, int]


@dataclass
class Outcome:
    """One experiment. `broken` holds a sentence for each promise that did not hold, with the round and its seed."""

    experiment: str
    rounds: int = 0
    calls: int = 0
    """Answers that an application has seen."""
    rows: int = 0
    """Of these and the calls in flight, what the ledger has."""
    in_flight: int = 0
    """The most calls of one round that the provider answered and no application saw."""
    lost: int = 0
    refused: int = 0
    """Calls that the journal could not take, or whose record was destroyed on purpose: each is named by number in `verify`."""
    twice: int = 0
    hangs: int = 0
    notes: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def verdict(self) -> str:
        """One word."""
        return "broken" if self.broken else "holds" if self.rounds else "not run"

    def fail(self, sentence: str) -> None:
        """Notes a promise that did not hold."""
        self.broken.append(sentence)

    def count(self, said: dict[str, Tokens], answered: dict[str, Tokens], rows: dict[str, Row], *, where: str, unseen: int = 0) -> None:
        """Compares one round: `said` by the application, `answered` by the provider, `rows` of the ledger as calls and tokens.

        `unseen`: how many answers at most no application can have seen, since it was killed meanwhile.
        """
        lost = said.keys() - rows.keys()
        twice = [operation for operation, row in rows.items() if row[0] != 1]
        wrong = [operation for operation, row in rows.items() if row[0] == 1 and row[1:] != answered.get(operation)]
        in_flight = len(answered.keys() - said.keys())
        self.rounds += 1
        self.calls += len(said)
        self.rows += len(rows)
        self.lost += len(lost)
        self.twice += len(twice)
        self.in_flight = max(self.in_flight, in_flight)
        for what, operations in (("lost", lost), ("counted twice", twice), ("with other tokens than the provider's", wrong)):
            if operations:
                self.fail(f"{where}: {len(operations)} {what}: {', '.join(sorted(operations)[:3])}")
        if in_flight > unseen:
            self.fail(f"{where}: {in_flight} answers that no application saw, {unseen} were to be expected")


def as_json(outcomes: Sequence[Outcome], seed: int) -> str:
    """Returns all outcomes as one JSON object."""
    return json.dumps({"seed": seed, "outcomes": [asdict(outcome) | {"verdict": outcome.verdict} for outcome in outcomes]}, indent=2)


def print_table(outcomes: Sequence[Outcome], console: Console) -> None:
    """Prints one line an experiment, then what was broken, seen and left out."""
    table = Table("experiment", title="torture")
    for column in ("rounds", "calls seen", "rows", "in flight at most", "lost", "refused", "twice", "hangs", "seconds"):
        table.add_column(column, justify="right")
    table.add_column("verdict")
    for outcome in outcomes:
        counts = (outcome.rounds, outcome.calls, outcome.rows, outcome.in_flight, outcome.lost, outcome.refused, outcome.twice, outcome.hangs)
        table.add_row(outcome.experiment, *(f"{count:,}" for count in counts), f"{outcome.seconds:.0f}", outcome.verdict)
    console.print(table)
    for outcome in outcomes:
        for mark, sentences in (("✗", outcome.broken), ("·", outcome.notes), ("skipped:", outcome.skipped)):
            for sentence in sentences:
                console.print(f"{mark} {outcome.experiment}: {sentence}", markup=False, highlight=False)
