"""What one run of the example has shown: the SDKs' own counts beside those that ClickHouse holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokentrail.ledger.verify import Verification

__all__ = ["Demo", "Outcome", "Tokens"]

Tokens = tuple[int, int]
"""Input and output."""


@dataclass(slots=True)
class Demo:
    """What the demo has started for one run, and where it lies."""

    folder: Path
    through: str
    dsn: str = ""
    clickhouse_url: str = ""
    otlp_url: str = ""
    pids: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was seen: by operation id what the SDKs answered and what ClickHouse holds."""

    demo: Demo
    answered: Mapping[str, Tokens | None]
    stored: Mapping[str, Mapping[str, Any]]
    verification: Verification
    model_says: Tokens | None
    model_stored: Tokens | None

    @property
    def compared(self) -> list[tuple[str, Tokens, Tokens]]:
        """Operation id, what the SDKs answered, what ClickHouse holds as reported: for all calls whose callers were shown counts."""
        rows = []
        for name, tokens in self.answered.items():
            if tokens is not None:
                row = self.stored.get(name, {})
                rows.append((name, tokens, (int(row.get("input_tokens") or 0), int(row.get("output_tokens") or 0))))
        return rows

    @property
    def equal(self) -> bool:
        """Whether every one of them is equal to the token, and the model's own totals too."""
        return all(said == held for _, said, held in self.compared) and self.model_says == self.model_stored

    @property
    def ok(self) -> bool:
        """Whether the counts are equal and nothing is missing."""
        return self.equal and self.verification.ok
