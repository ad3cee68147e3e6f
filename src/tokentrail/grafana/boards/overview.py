"""Who and what spends tokens and money, and how that changes."""

from __future__ import annotations

from typing import Final

from tokentrail.grafana.expressions import DaysBack, Variable
from tokentrail.grafana.panel import Board, Kind, Panel, Row
from tokentrail.grafana.variables import choice

__all__ = ["BOARD"]

_STEP: Final = Variable("step")
_CHOSEN: Final = {"by": Variable("by"), "step": _STEP}
_BY: Final = choice(
    "by",
    "What calls, errors and money over time are told apart by",
    {"provider": "provider", "model": "model", "tenant": "tenant_id", "operation": "operation", "token type": "token_type"},
)


def _over_time(title: str, by: str) -> Panel:
    return Panel(title, "tokens_over_time", Kind.STACK, ("time", "name", "tokens"), {"by": by, "step": _STEP})


def _largest(title: str, by: str) -> Panel:
    return Panel(title, "tokens", Kind.BARS, ("name", "tokens"), {"by": by}, width=8)


BOARD: Final = Board(
    uid="tokentrail-overview",
    title="tokentrail: Overview",
    description="Tokens, money, calls and errors by provider, model, tenant, operation and token type",
    variables=(_BY,),
    rows=(
        Row(
            "In all",
            (
                Panel(
                    "Tokens and calls",
                    "tokens",
                    Kind.NUMBERS,
                    ("tokens", "input_tokens", "output_tokens", "calls", "error_calls", "estimated_calls", "unknown_calls"),
                    {"by": "total"},
                    width=16,
                    height=5,
                ),
                Panel(
                    "Cost",
                    "cost",
                    Kind.NUMBERS,
                    ("currency", "cost"),
                    {"by": "total"},
                    width=8,
                    height=5,
                    empty="No calls, or no price list is loaded: tokentrail prices update",
                ),
            ),
        ),
        Row(
            "Over time",
            (
                _over_time("Tokens by provider", "provider"),
                _over_time("Tokens by model", "model"),
                _over_time("Tokens by tenant", "tenant_id"),
                _over_time("Tokens by operation", "operation"),
                Panel(
                    "Tokens by kind of token",
                    "tokens_over_time",
                    Kind.LINES,
                    ("time", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"),
                    {"by": "total", "step": _STEP},
                ),
                _over_time("Tokens by what was called for (token type)", "token_type"),
            ),
        ),
        Row(
            "Over time, by ${by} (chosen above)",
            (
                Panel("Calls by ${by}", "tokens_over_time", Kind.STACK, ("time", "name", "calls"), _CHOSEN),
                Panel("Failed calls by ${by}", "tokens_over_time", Kind.STACK, ("time", "name", "error_calls"), _CHOSEN),
                Panel(
                    "Cost by currency and ${by}",
                    "cost_over_time",
                    Kind.LINES,
                    ("time", "name", "currency", "cost"),
                    _CHOSEN,
                    width=24,
                    empty="No calls, or no price list is loaded: tokentrail prices update",
                ),
            ),
        ),
        Row(
            "Most",
            (
                _largest("Most tokens: models", "model"),
                _largest("Most tokens: tenants", "tenant_id"),
                _largest("Most tokens: operations", "operation"),
                Panel("Cost by model", "cost", Kind.TABLE, parameters={"by": "model"}, width=24, height=8),
                Panel("Cost by tenant", "cost", Kind.TABLE, parameters={"by": "tenant_id"}, width=24, height=8),
                Panel("When tokens are spent", "hours_of_the_week", Kind.WEEK, ("tokens",), width=24),
                Panel(
                    "What has risen or fallen in a week, by model", "change", Kind.TABLE, parameters={"by": "model", "from": DaysBack(14)}, width=24
                ),
            ),
        ),
    ),
)
