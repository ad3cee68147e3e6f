"""One line of a provider's own report of usage or cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

__all__ = ["BillLine"]


@dataclass(frozen=True, slots=True)
class BillLine:
    """What a provider states for one interval: tokens, requests or money, by model, project and key. What a report does not state is empty or None.

    `starts` and `ends` are UTC, `ends` exclusive. `provider` is spelled as in the ledger. `counts` has names of `tokentrail.counts.COUNTS`, totals
    included, whatever way the report divides them. `api_key` is an identifier of the key, never a secret.
    """

    source: str
    """The report: `openai-usage`, `anthropic-cost`, `focus` …"""
    starts: datetime
    ends: datetime
    provider: str
    model: str = ""
    project: str = ""
    api_key: str = ""
    batch: bool | None = None
    service_tier: str = ""
    requests: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    cost: Decimal | None = None
    currency: str = ""
    item: str = ""
    """What is charged, in the report's own words."""
    quantity: Decimal | None = None
    """How much of what is no token (images, seconds, characters, searches), or of what is charged, in `unit`."""
    unit: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    """Further words by which the report divides the usage, under the report's own names: `context_window`, `inference_geo`."""
