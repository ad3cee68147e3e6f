"""Single calls, and the way from a row of the ledger to its trace and back."""

from __future__ import annotations

from typing import Final

from tokentrail.grafana.expressions import Variable
from tokentrail.grafana.panel import Board, Kind, Panel, Row
from tokentrail.grafana.variables import text

__all__ = ["BOARD"]

_TRACE: Final = {"trace": Variable("trace")}
_CALL: Final = ("ts", "tenant_id", "operation", "service_name", "provider", "model")
_OUTCOME: Final = ("input_tokens", "output_tokens", "ended", "error_type", "duration_ms", "trace_id")
_SIZE: Final = ("input_tokens", "output_tokens", "source", "ended", "duration_ms", "trace_id")
_MONEY: Final = ("cost", "currency", "input_tokens", "output_tokens", "duration_ms", "trace_id")
_COST: Final = "No call of this time range has a price: tokentrail prices update loads a list"

BOARD: Final = Board(
    uid="tokentrail-calls",
    title="tokentrail: Calls and traces",
    description="The latest, slowest, largest and dearest calls; a row's time leads to its trace here, its trace id to Grafana's own view",
    variables=(text("trace", "trace", "A trace's id, 32 hexadecimal digits; a click on a call's time writes it here"),),
    time_from="now-24h",
    rows=(
        Row(
            "One trace (click on the time of a call)",
            (
                Panel(
                    "Calls of this trace",
                    "calls_of_a_trace",
                    Kind.TABLE,
                    (*_CALL, *_OUTCOME),
                    _TRACE,
                    width=24,
                    height=5,
                    empty="No trace is chosen, or it has no calls in this time range",
                ),
                Panel(
                    "Spans of this trace",
                    "spans_of_a_trace",
                    Kind.TRACE,
                    parameters=_TRACE,
                    width=24,
                    height=10,
                    empty="No trace is chosen, or ClickHouse has no spans of it",
                ),
            ),
        ),
        Row(
            "Calls",
            (
                Panel("The latest calls", "latest_calls", Kind.TABLE, (*_CALL, *_OUTCOME), {"most": 100}, width=24),
                Panel("The calls that took the longest", "slowest_calls", Kind.TABLE, (*_CALL, *_OUTCOME), width=24),
                Panel("The calls with the most tokens", "largest_calls", Kind.TABLE, (*_CALL, *_SIZE), width=24),
                Panel("The calls that cost the most", "dearest_calls", Kind.TABLE, (*_CALL, *_MONEY), width=24, empty=_COST),
                Panel("What fails", "errors", Kind.TABLE, width=24, empty="No call has failed in this time range with these filters"),
            ),
        ),
    ),
)
