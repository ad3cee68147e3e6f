"""`track_token_usage`: records by hand a usage that no hook records."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from tokentrail.attribution import attribution
from tokentrail.idempotency import Key, call_digest, claimed_key, key_prefix, random_key, shorten
from tokentrail.instrumentation.contract import Answer, Request
from tokentrail.recording import recorder
from tokentrail.recording.assemble import assemble
from tokentrail.recording.runtime import current
from tokentrail.tracking.forgiving import count_of, duration_of, metadata_of, mistake, never_raises, text_of, time_of, word_of
from tokentrail.vocabulary import (
    Ended,
    EndedLike,
    KeyKind,
    OperationLike,
    Source,
    SourceLike,
    TokenTypeLike,
    parse_ended,
    parse_operation,
    parse_source,
    parse_token_type,
)

__all__ = ["record_by_hand", "track_token_usage"]


@never_raises
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

    Never raises, and never loses: of a wrong argument what can be read is recorded, the rest is not stated, and the mistake is logged and counted.
    Type checkers find it before.
    """
    return record_by_hand(
        token_type=word_of("token_type", token_type, parse_token_type),
        operation=word_of("operation", operation, parse_operation),
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
    source_word = word_of("source", source, parse_source, "unknown")
    given = {"tenant_id": tenant_id, "provider": provider, "model": model, "response_model": response_model, "response_id": response_id}
    given |= {"endpoint": endpoint, "operation_id": operation_id, "corrects_key": corrects_key}
    texts = {name: text_of(name, text) for name, text in given.items()}
    ts = time_of(timestamp)
    block = attribution.get()
    operation = operation or (block.operation if block else "")
    tenant = shorten(texts["tenant_id"] or (block.tenant_id if block else "") or current.settings.tenant_id)
    described, cut = metadata_of(metadata)
    count = partial(count_of, signed=bool(texts["corrects_key"]))
    stated_calls = count("calls", calls)
    key = _key(idempotency_key, texts["corrects_key"], operation, tenant, ts)
    trace_id, span_id = recorder.current_span()
    request = Request(
        provider=texts["provider"],
        endpoint=texts["endpoint"],
        gen_ai_operation=_GEN_AI_OPERATIONS.get(token_type, ""),
        token_type=token_type,
        model=texts["model"],
    )
    answer = Answer(
        model=texts["response_model"],
        response_id=texts["response_id"],
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
            operation_id=shorten(texts["operation_id"]),
            metadata=described,
            metadata_cut=cut,
            ended=word_of("ended", ended, parse_ended, Ended.COMPLETE.value),
            calls=1 if stated_calls is None else stated_calls,
            duration_ns=duration_of(duration),
            trace_id=trace_id,
            span_id=span_id,
            source=source_word,
            corrects_key=texts["corrects_key"],
            measured=False,
        )
    )
    return key.text


_GEN_AI_OPERATIONS = {"llm": "chat", "embedding": "embeddings"}
"""The conventions' operation names by token type. Fine-tuning has none: fine-tuning is no inference, and so in no metric."""


def _key(given: Any, corrects_key: str, operation: str, tenant: str, ts: int) -> Key:
    key = "" if given is None else text_of("idempotency_key", given)
    if given is not None and not key:
        mistake("idempotency_key", "is empty: the usage counts on its own")
    elif key and key == corrects_key:
        mistake("idempotency_key", "is the key that is corrected, and a correction is a record of its own: it gets a key of its own")
    elif key:
        return claimed_key(key)
    if corrects_key:
        return random_key("correction")  # with the original's key the correction would replace the original
    return Key(f"{key_prefix(operation, tenant)}{call_digest([], current.runtime.hash_secret())}:{ts:019d}", KeyKind.AUTOMATIC, ts)
