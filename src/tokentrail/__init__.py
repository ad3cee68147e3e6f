"""Counts every token that a service spends on language models, exactly once, and loses none.

All names are imported at first use: `import tokentrail` loads neither a provider SDK nor OpenTelemetry, wrapt or msgspec.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tokentrail.process.forks import no_fork

if TYPE_CHECKING:
    from tokentrail.attribution import Spent
    from tokentrail.budgets.guard import BudgetExceeded
    from tokentrail.counting import count_tokens, estimate_prompt_tokens
    from tokentrail.idempotency import content_hash, idempotency_key
    from tokentrail.instrumentation.registry import instrument, uninstrument
    from tokentrail.prices.in_process import use_prices
    from tokentrail.process.configure import configure
    from tokentrail.recording.recorder import flush
    from tokentrail.retrying.decorator import retry
    from tokentrail.retrying.policy import RetryBudget
    from tokentrail.telemetry.setup import setup_opentelemetry
    from tokentrail.tracking.decorator import track_tokens
    from tokentrail.tracking.idempotent import IdempotencyKeyReused, idempotent
    from tokentrail.tracking.manual import track_token_usage
    from tokentrail.tracking.response import track_response
    from tokentrail.tracking.values import argument
    from tokentrail.usage import Usage
    from tokentrail.vocabulary import (
        OPERATION_BATCH,
        OPERATION_CHAT,
        OPERATION_CLASSIFICATION,
        OPERATION_EXTRACTION,
        OPERATION_GENERATION,
        OPERATION_INTERNAL,
        OPERATION_QUERY,
        OPERATION_SUMMARIZE,
        OPERATION_VECTOR_SEARCH,
        TOKEN_TYPE_EMBEDDING,
        TOKEN_TYPE_FINE_TUNING,
        TOKEN_TYPE_LLM,
        Ended,
        Operation,
        Source,
        TokenType,
    )

__version__ = "0.1.0"

__all__ = [
    "OPERATION_BATCH",
    "OPERATION_CHAT",
    "OPERATION_CLASSIFICATION",
    "OPERATION_EXTRACTION",
    "OPERATION_GENERATION",
    "OPERATION_INTERNAL",
    "OPERATION_QUERY",
    "OPERATION_SUMMARIZE",
    "OPERATION_VECTOR_SEARCH",
    "TOKEN_TYPE_EMBEDDING",
    "TOKEN_TYPE_FINE_TUNING",
    "TOKEN_TYPE_LLM",
    "BudgetExceeded",
    "Ended",
    "IdempotencyKeyReused",
    "Operation",
    "RetryBudget",
    "Source",
    "Spent",
    "TokenType",
    "Usage",
    "argument",
    "configure",
    "content_hash",
    "count_tokens",
    "estimate_prompt_tokens",
    "flush",
    "idempotency_key",
    "idempotent",
    "instrument",
    "retry",
    "setup_opentelemetry",
    "track_response",
    "track_token_usage",
    "track_tokens",
    "uninstrument",
    "use_prices",
]

HOMES = {
    "BudgetExceeded": "budgets.guard",
    "IdempotencyKeyReused": "tracking.idempotent",
    "RetryBudget": "retrying.policy",
    "Spent": "attribution",
    "Usage": "usage",
    "argument": "tracking.values",
    "configure": "process.configure",
    "content_hash": "idempotency",
    "count_tokens": "counting",
    "estimate_prompt_tokens": "counting",
    "flush": "recording.recorder",
    "idempotency_key": "idempotency",
    "idempotent": "tracking.idempotent",
    "instrument": "instrumentation.registry",
    "retry": "retrying.decorator",
    "setup_opentelemetry": "telemetry.setup",
    "track_response": "tracking.response",
    "track_token_usage": "tracking.manual",
    "track_tokens": "tracking.decorator",
    "uninstrument": "instrumentation.registry",
    "use_prices": "prices.in_process",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'tokentrail' has no attribute {name!r}")
    with no_fork():
        value = getattr(importlib.import_module(f"tokentrail.{HOMES.get(name, 'vocabulary')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
