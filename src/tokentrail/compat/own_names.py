"""Other words for the fields of a usage, as hand-made modules and tables have them. The shim `tracking` and the importers read this one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from tokentrail.bridge.names import PROVIDERS

__all__ = ["FIELDS", "field_of", "provider_name", "unit_of"]

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "idempotency_key": ("idempotency_key", "idempotencykey", "dedupe_key", "dedup_key"),
    "timestamp": ("timestamp", "ts", "created_at", "createdat", "recorded_at", "occurred_at", "event_time", "time", "inserted_at", "logged_at"),
    "tenant_id": ("tenant_id", "tenantid", "tenant", "org_id", "organization_id", "customer_id", "account_id", "workspace_id"),
    "token_type": ("token_type", "tokentype"),
    "operation": ("operation", "operation_type", "operation_name", "op", "use_case"),
    "provider": ("provider", "llm_provider", "model_provider", "provider_name", "vendor"),
    "model": ("model", "model_name", "llm_model", "model_id"),
    "input_tokens": ("input_tokens", "prompt_tokens", "tokens_in", "tokens_input", "input_token_count", "prompt_token_count", "embedding_tokens"),
    "output_tokens": (
        "output_tokens",
        "completion_tokens",
        "tokens_out",
        "tokens_output",
        "output_token_count",
        "completion_token_count",
        "generated_tokens",
    ),
    "total_tokens": ("total_tokens", "tokens", "token_count", "tokens_total", "total_token_count", "tokens_used"),
    "cache_read_tokens": ("cache_read_tokens", "cached_tokens", "cache_read_input_tokens", "cached_input_tokens", "cached_prompt_tokens"),
    "cache_write_tokens": ("cache_write_tokens", "cache_creation_input_tokens", "cache_creation_tokens", "cache_write_input_tokens"),
    "reasoning_tokens": ("reasoning_tokens", "reasoning_output_tokens", "thinking_tokens"),
    "response_id": ("response_id", "provider_response_id", "completion_id"),
    "operation_id": ("operation_id", "correlation_id", "conversation_id"),
    "endpoint": ("endpoint",),
    "duration": ("duration", "duration_s", "duration_seconds", "latency_seconds", "duration_ms", "latency_ms", "latency"),
    "metadata": ("metadata", "meta", "extra", "details", "attributes"),
}
"""A field's words; the first one that is there counts."""

_UNITS: Final[Mapping[str, float]] = {"ms": 1e-3, "millis": 1e-3, "milliseconds": 1e-3, "us": 1e-6, "micros": 1e-6, "ns": 1e-9, "nanos": 1e-9}
"""The ends of words of a duration that is in another unit than seconds, and that unit in seconds."""

_FIELD_OF: Final = {word: field for field, words in FIELDS.items() for word in words}


def field_of(word: str) -> str:
    """Returns the field that a word names, in any case; "" for a word that names none."""
    return _FIELD_OF.get(word.lower(), "")


def unit_of(word: str) -> float:
    """Returns the unit of a duration in seconds, by the end of the word, in any case: `latency_ms`."""
    return _UNITS.get(word.lower().rpartition("_")[2], 1.0)


def provider_name(text: str, more: Iterable[Mapping[str, str]] = ()) -> str:
    """Returns the provider's name in the ledger for another name of the provider, in any case: `Azure`, `vertexai`, `mistral`."""
    word = text.strip().lower()
    for names in (PROVIDERS, *more):
        if word in names:
            return names[word]
    return word
