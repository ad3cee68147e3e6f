"""What a source makes of one of its rows: a record, which becomes a usage with a claimed key; or the reason why the row is not taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from msgspec.structs import replace

from tokentrail.idempotency import Key, shorten
from tokentrail.instrumentation.contract import Answer, Request
from tokentrail.recording.assemble import assemble
from tokentrail.tracking.metadata import metadata_text
from tokentrail.usage import Usage
from tokentrail.vocabulary import Origin

__all__ = ["NotTaken", "Record", "usage_of"]

MAX_TEXT: Final = 512
GEN_AI_OPERATIONS: Final = {"llm": "chat", "embedding": "embeddings"}


class NotTaken(Exception):  # noqa: N818 - no error: what came of a row, which is also yielded
    """A row that is not taken, and why. `fault`: the row is malformed; otherwise it is no call that was paid for."""

    def __init__(self, reason: str, *, fault: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fault = fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A call, as a source tells of it. Times are UTC nanoseconds; `counts` are fields of `tokentrail.counts`, None where a count is not stated."""

    key: Key
    ts: int
    counts: Mapping[str, int | None]
    tenant_id: str = ""
    operation: str = ""
    token_type: str = "llm"  # noqa: S105 - a kind of token
    provider: str = ""
    request_model: str = ""
    response_model: str = ""
    response_id: str = ""
    endpoint: str = ""
    gen_ai_operation: str = ""
    """The conventions' name, where it does not follow from the token type."""
    operation_id: str = ""
    stream: bool = False
    source: str = "reported"
    ended: str = "complete"
    error_type: str = ""
    duration_ns: int | None = None
    time_to_first_chunk_ns: int | None = None
    trace_id: int = 0
    span_id: int = 0
    server_address: str = ""
    server_port: int = 0
    scope: str = ""
    """The instrumentation whose span states the call: then the usage is bridged."""
    service: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    calls: int = 1
    notes: Sequence[str] = ()
    """What is to be counted of a record beside that it is taken, as sentences."""


def usage_of(record: Record) -> Usage:
    """Builds the usage of a record."""
    described, cut = metadata_text(record.metadata)
    request = Request(
        provider=_short(record.provider),
        endpoint=_short(record.endpoint),
        gen_ai_operation=_short(record.gen_ai_operation) or GEN_AI_OPERATIONS.get(record.token_type, ""),
        token_type=record.token_type,
        model=_short(record.request_model),
        stream=record.stream,
        server_address=_short(record.server_address),
        server_port=record.server_port,
    )
    answer = Answer(model=_short(record.response_model), response_id=_short(record.response_id), **with_subsets(record.counts))
    usage = assemble(
        request,
        answer,
        None,
        key=record.key.text,
        key_kind=record.key.kind.value,
        key_time=record.key.time,
        ts=record.ts,
        tenant_id=record.tenant_id,
        operation=_short(record.operation),
        operation_id=_short(record.operation_id),
        metadata=described,
        metadata_cut=cut,
        ended=record.ended,
        error_type=_short(record.error_type),
        duration_ns=record.duration_ns,
        time_to_first_chunk_ns=record.time_to_first_chunk_ns,
        trace_id=record.trace_id,
        span_id=record.span_id,
        source=record.source,
        calls=record.calls,
        measured=False,
    )
    return replace(usage, origin=Origin.BRIDGED.value, instrumentation=_short(record.scope)) if record.scope else usage


def with_subsets(counts: Mapping[str, int | None]) -> dict[str, Any]:
    """Returns the counts, with totals that include their subsets.

    A subset cannot be larger than its total: then the total was stated without the subset (cached tokens of Anthropic, in older exports), and the
    subsets are added to the total.
    """
    found = dict(counts)
    for total, subsets in (("input_tokens", ("cache_read_tokens", "cache_write_tokens")), ("output_tokens", ("reasoning_tokens",))):
        stated, parts = found.get(total), sum(found.get(name) or 0 for name in subsets)
        if stated is not None and parts > stated:
            found[total] = stated + parts
    return found


def _short(text: str) -> str:
    return shorten(text, MAX_TEXT)
