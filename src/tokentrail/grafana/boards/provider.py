"""How each provider does: what it answers, how fast, and what fails."""

from __future__ import annotations

from typing import Final

from tokentrail.grafana.expressions import Variable
from tokentrail.grafana.panel import Board, Kind, Panel, Row

__all__ = ["BOARD"]

_BY_PROVIDER: Final = {"by": "provider", "step": Variable("step")}
_BY_MODEL: Final = {"by": "model", "step": Variable("step")}
_NO_CACHE: Final = "No call in this time range states whether it used a cache"


def _outcome(title: str, column: str) -> Panel:
    return Panel(title, "outcomes_over_time", Kind.STACK, ("time", "name", column), _BY_PROVIDER, width=8)


BOARD: Final = Board(
    uid="tokentrail-provider",
    title="tokentrail: Provider",
    description="Rates, models, cache share, latency, time to the first chunk, errors and retries of each provider",
    rows=(
        Row(
            "Rates",
            (
                Panel("Calls by model", "tokens_over_time", Kind.STACK, ("time", "name", "calls"), _BY_MODEL),
                Panel("Tokens by model", "tokens_over_time", Kind.STACK, ("time", "name", "tokens"), _BY_MODEL),
            ),
        ),
        Row(
            "Latency",
            (
                Panel("How long calls take", "latency_over_time", Kind.LINES, ("time", "name", "p50_ms", "p95_ms"), _BY_PROVIDER),
                Panel(
                    "Time to the first chunk",
                    "latency_over_time",
                    Kind.LINES,
                    ("time", "name", "first_chunk_p50_ms", "first_chunk_p95_ms"),
                    _BY_PROVIDER,
                    empty="No streams in this time range with these filters",
                ),
                Panel("Latency by model", "latency", Kind.TABLE, width=24, height=8),
            ),
        ),
        Row(
            "Errors and retries",
            (
                Panel("Share of failed calls", "outcomes_over_time", Kind.LINES, ("time", "name", "error_share"), _BY_PROVIDER, width=24),
                _outcome("Calls refused for their rate (HTTP 429)", "rate_limited_calls"),
                _outcome("Calls with retries", "retried_calls"),
                _outcome("Streams cut short", "abandoned_calls"),
                Panel("What fails", "errors", Kind.TABLE, width=24, empty="No call has failed in this time range with these filters"),
                Panel(
                    "What failed, cut and repeated calls cost",
                    "losses",
                    Kind.TABLE,
                    width=24,
                    height=8,
                    empty="Nothing has failed, was cut short or was sent again",
                ),
            ),
        ),
        Row(
            "Caches and models",
            (
                Panel(
                    "Share of the input that caches have served",
                    "prompt_cache_over_time",
                    Kind.LINES,
                    ("time", "name", "cache_read_share"),
                    _BY_PROVIDER,
                    empty=_NO_CACHE,
                ),
                Panel(
                    "Caches by model",
                    "prompt_cache",
                    Kind.TABLE,
                    ("provider", "model", "calls", "cache_read_tokens", "cache_read_share"),
                    empty=_NO_CACHE,
                ),
                Panel("Models", "models", Kind.TABLE, width=24, height=8),
                Panel(
                    "Another model has answered than the requested one",
                    "other_models",
                    Kind.TABLE,
                    ("provider", "request_model", "response_model", "calls", "tokens"),
                    height=6,
                    empty="The requested models have answered",
                ),
                Panel(
                    "Reasoning by model",
                    "reasoning",
                    Kind.TABLE,
                    ("provider", "model", "calls", "reasoning_tokens", "reasoning_share"),
                    height=6,
                    empty="No call in this time range states its reasoning",
                ),
                Panel("Prices", "prices", Kind.TABLE, width=24),
            ),
        ),
    ),
)
