"""What a tenant spends, on what, and what could be saved."""

from __future__ import annotations

from typing import Final

from tokentrail.grafana.expressions import DaysBack, Variable
from tokentrail.grafana.panel import Board, Kind, Panel, Row

__all__ = ["BOARD"]

_STEP: Final = Variable("step")


def _over_time(title: str, by: str, column: str = "tokens") -> Panel:
    return Panel(title, "tokens_over_time", Kind.STACK, ("time", "name", column), {"by": by, "step": _STEP})


BOARD: Final = Board(
    uid="tokentrail-tenant",
    title="tokentrail: Tenant",
    description="What a tenant spends: choose one, some or all above",
    rows=(
        Row(
            "In all",
            (
                Panel(
                    "Tokens and calls",
                    "tokens",
                    Kind.NUMBERS,
                    ("tokens", "input_tokens", "output_tokens", "calls", "error_calls", "estimated_calls"),
                    {"by": "total"},
                    width=16,
                    height=5,
                ),
                Panel("Cost", "cost", Kind.NUMBERS, ("currency", "cost"), {"by": "total"}, width=8, height=5),
            ),
        ),
        Row(
            "Over time",
            (
                _over_time("Tokens by tenant", "tenant_id"),
                _over_time("Tokens by operation", "operation"),
                _over_time("Tokens by model", "model"),
                _over_time("Calls by operation", "operation", "calls"),
                Panel(
                    "Cost by tenant",
                    "cost_over_time",
                    Kind.LINES,
                    ("time", "name", "currency", "cost"),
                    {"by": "tenant_id", "step": _STEP},
                    width=24,
                ),
            ),
        ),
        Row(
            "On what",
            (
                Panel("Tenants", "tokens", Kind.TABLE, parameters={"by": "tenant_id"}, width=24),
                Panel("Cost by operation", "cost", Kind.TABLE, ("name", "currency", "cost", "calls", "unpriced_calls"), {"by": "operation"}),
                Panel(
                    "What has risen or fallen in a week, by tenant",
                    "change",
                    Kind.TABLE,
                    ("name", "tokens", "tokens_before", "tokens_change", "change"),
                    {"by": "tenant_id", "from": DaysBack(14)},
                ),
                Panel("How large calls are", "sizes", Kind.TABLE, width=24),
                Panel(
                    "What a cache of responses would have saved",
                    "response_cache",
                    Kind.TABLE,
                    width=24,
                    empty="No call has repeated the content of another one within a day",
                ),
                Panel(
                    "Spent without saying for whom or what", "unattributed", Kind.TABLE, width=24, empty="Every call has a tenant and an operation"
                ),
            ),
        ),
    ),
)
