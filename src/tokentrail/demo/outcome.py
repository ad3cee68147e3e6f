"""The result of one run of the example: the SDKs' own counts beside the counts in ClickHouse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokentrail.ledger.verify import Verification

__all__ = ["Demo", "Outcome", "Tokens"]

Tokens = tuple[int, int]
"""Input and output tokens."""


@dataclass(slots=True)
class Demo:
    """The parts that the demo has started for one run, and their addresses."""

    folder: Path
    through: str
    dsn: str = ""
    clickhouse_url: str = ""
    otlp_url: str = ""
    pids: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The counts of one run, by operation id: the SDKs' answers and the rows of ClickHouse."""

    demo: Demo
    answered: Mapping[str, Tokens | None]
    stored: Mapping[str, Mapping[str, Any]]
    verification: Verification
    model_counted: Tokens | None
    model_stored: Tokens | None

    @property
    def compared(self) -> list[tuple[str, Tokens, Tokens]]:
        """Operation id, the SDKs' counts, the reported counts in ClickHouse: for all calls whose answers had counts."""
        rows = []
        for name, tokens in self.answered.items():
            if tokens is not None:
                row = self.stored.get(name, {})
                rows.append((name, tokens, (int(row.get("input_tokens") or 0), int(row.get("output_tokens") or 0))))
        return rows

    @property
    def equal(self) -> bool:
        """Whether all compared counts are equal to the token, and the model's own totals too."""
        return all(said == held for _, said, held in self.compared) and self.model_counted == self.model_stored

    @property
    def ok(self) -> bool:
        """Whether the counts are equal and nothing is missing."""
        return self.equal and self.verification.ok
