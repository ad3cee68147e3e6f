"""`track_token_usage`: records by hand a usage that no hook records."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from tokentrail.attribution import attribution
from tokentrail.idempotency import Key, claimed_key, digest, key_prefix, nanoseconds, random_key, shorten
from tokentrail.instrumentation.contract import Answer, Request
from tokentrail.recording import recorder
from tokentrail.recording.assemble import assemble
from tokentrail.recording.runtime import current
from tokentrail.tracking.durations import duration_ns
from tokentrail.tracking.metadata import metadata_text
from tokentrail.vocabulary import (
    Ended,
    EndedLike,
    KeyKind,
    OperationLike,
    Source,
    SourceLike,
    TokenType,
    TokenTypeLike,
    parse_ended,
    parse_operation,
    parse_source,
    parse_token_type,
)

__all__ = ["record_by_hand", "track_token_usage"]


def track_token_usage(
    *,
    token_type: TokenTypeLike,
    operation: OperationLike,
    tenant_id: str = "",
    provider: str,
    model: str,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
    cache_read_tokens: int | None = None,
    cache_write_tokens: int | None = None,
    reasoning_tokens: int | None = None,
    cache_write_1h_tokens: int | None = None,
    source: SourceLike = Source.REPORTED,
    idempotency_key: str | None = None,
    corrects_key: str = "",
    calls: int = 1,
    ended: EndedLike = Ended.COMPLETE,
    timestamp: datetime | int | None = None,
    duration: float | None = None,
    response_model: str = "",
    response_id: str = "",
    endpoint: str = "",
    operation_id: str = "",
    metadata: Mapping[str, Any] | None = None,
) -> str:
    """Records a usage by hand and returns its idempotency key; on return the usage is in the journal.

    Totals include their subsets: `input_tokens` includes cache reads and writes, `output_tokens` includes reasoning. `None` is "not stated".
    `cache_write_1h_tokens` is the part of the cache writes that is kept for an hour (Anthropic).
    `source` is the source of the counts (reported, estimated); a total that is `None` is unknown. `timestamp` is the call's start, an aware
    datetime or UTC nanoseconds; the default is now. `duration` is in seconds. Tenant, operation id and metadata default to the enclosing block's.

    Pass `idempotency_key` where the same usage may be recorded more than once (retries, replays, a queue): usages with the same key count once,
    whatever else differs. Without a key every call of this function counts. `corrects_key` makes the usage a correction of the record with that key:
    signed `input_tokens`, `output_tokens` and `calls` (often 0) are added to the totals. A key beyond 1 KiB is shortened; the returned key counts.

    Raises `ValueError` or `TypeError` for a wrong argument. Never raises for a journal that cannot be written.
    """
    return record_by_hand(
        token_type=parse_token_type(token_type).value,
        operation=parse_operation(operation).value,
        tenant_id=tenant_id,
        provider=provider,
        model=model,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cache_read_tokens=cache_read_tokens,
        cache_write_tokens=cache_write_tokens,
        reasoning_tokens=reasoning_tokens,
        cache_write_1h_tokens=cache_write_1h_tokens,
        source=source,
        idempotency_key=idempotency_key,
        corrects_key=corrects_key,
        calls=calls,
        ended=ended,
        timestamp=timestamp,
        duration=duration,
        response_model=response_model,
        response_id=response_id,
        endpoint=endpoint,
        operation_id=operation_id,
        metadata=metadata,
    )


def record_by_hand(
    *,
    token_type: str,
    operation: str,
    tenant_id: str,
    provider: str,
    model: str,
    input_tokens: int | None,
    output_tokens: int | None,
    cache_read_tokens: int | None = None,
    cache_write_tokens: int | None = None,
    reasoning_tokens: int | None = None,
    cache_write_1h_tokens: int | None = None,
    source: SourceLike = Source.REPORTED,
    idempotency_key: str | None = None,
    corrects_key: str = "",
    calls: int = 1,
    ended: EndedLike = Ended.COMPLETE,
    timestamp: datetime | int | None = None,
    duration: float | None = None,
    response_model: str = "",
    response_id: str = "",
    endpoint: str = "",
    operation_id: str = "",
    metadata: Mapping[str, Any] | None = None,
) -> str:
    """Does the work of `track_token_usage`, whose arguments these are. `operation` may be a word that the vocabulary lacks: the ledger keeps it."""
    token_word = TokenType(token_type)
    source_word = parse_source(source)
    ts = time.time_ns() if timestamp is None else nanoseconds(timestamp)
    given = {"tenant_id": tenant_id, "provider": provider, "model": model, "response_model": response_model, "response_id": response_id}
    given |= {"endpoint": endpoint, "operation_id": operation_id, "corrects_key": corrects_key, "idempotency_key": idempotency_key or ""}
    for name, text in given.items():
        if not isinstance(text, str):
            raise TypeError(f"{name} is a text, not {type(text).__name__}")
    block = attribution.get()
    tenant = shorten(tenant_id or (block.tenant_id if block else "") or current.settings.tenant_id)
    described, cut = metadata_text(metadata)
    count = partial(_count, bool(corrects_key))
    key = _key(idempotency_key, corrects_key, operation, tenant, ts)
    trace_id, span_id = recorder.current_span()
    request = Request(
        provider=provider,
        endpoint=endpoint,
        gen_ai_operation=_GEN_AI_OPERATIONS[token_word],
        token_type=token_word.value,
        model=model,
    )
    answer = Answer(
        model=response_model,
        response_id=response_id,
        input_tokens=count("input_tokens", input_tokens),
        output_tokens=count("output_tokens", output_tokens),
        cache_read_tokens=count("cache_read_tokens", cache_read_tokens),
        cache_write_tokens=count("cache_write_tokens", cache_write_tokens),
        reasoning_tokens=count("reasoning_tokens", reasoning_tokens),
        cache_write_1h_tokens=count("cache_write_1h_tokens", cache_write_1h_tokens),
    )
    recorder.record(
        assemble(
            request,
            answer,
            block,
            key=key.text,
            key_kind=key.kind.value,
            key_time=key.time,
            ts=ts,
            tenant_id=tenant,
            operation=operation,
            operation_id=shorten(operation_id),
            metadata=described,
            metadata_cut=cut,
            ended=parse_ended(ended).value,
            calls=count("calls", calls) or 0,
            duration_ns=None if duration is None else duration_ns(duration),
            trace_id=trace_id,
            span_id=span_id,
            source=source_word.value,
            corrects_key=corrects_key,
            measured=False,
        )
    )
    return key.text


_GEN_AI_OPERATIONS = {TokenType.LLM: "chat", TokenType.EMBEDDING: "embeddings", TokenType.FINE_TUNING: ""}
"""The conventions' operation names. Fine-tuning has none: fine-tuning is no inference, and so in no metric."""


def _count(signed: bool, name: str, given: int | None) -> int | None:
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int):
        raise TypeError(f"{name} is a number, an int or None for not stated, not {given!r}")
    if given < 0 and not signed:
        raise ValueError(f"{name} is {given}: only a correction (corrects_key=) takes something back")
    if not -(2**63) < given < 2**63:
        raise ValueError(f"{name} is {given}: more than 64 bits hold")
    return int(given)


def _key(idempotency_key: str | None, corrects_key: str, operation: str, tenant: str, ts: int) -> Key:
    if idempotency_key is not None:
        if not idempotency_key:
            raise ValueError("idempotency_key is empty: leave it out, or give a text")
        if idempotency_key == corrects_key:
            raise ValueError("idempotency_key is the key that is corrected: a correction is a record of its own, and needs another key or none")
        return claimed_key(idempotency_key)
    if corrects_key:
        return random_key("correction")  # with the original's key the correction would replace the original
    return Key(f"{key_prefix(operation, tenant)}{digest([], current.runtime.hash_secret())}:{ts:019d}", KeyKind.AUTOMATIC, ts)
