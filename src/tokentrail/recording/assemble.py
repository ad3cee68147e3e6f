"""Builds a usage from request, answer, attribution and clock: for calls of patched functions, usages recorded by hand, and corrections."""

from __future__ import annotations

from tokentrail.attribution import Attribution
from tokentrail.idempotency import MAX_PART_CHARS, shorten
from tokentrail.instrumentation.contract import Answer, Request
from tokentrail.models import model_family
from tokentrail.usage import Usage

__all__ = ["assemble"]

WITHOUT_OUTPUT = ("embedding", "fine_tuning")
"""Token types without output: the source of the output is that of the input."""


def assemble(
    request: Request,
    answer: Answer,
    block: Attribution | None,
    *,
    key: str,
    key_kind: str,
    key_time: int,
    ts: int,
    tenant_id: str,
    operation: str,
    operation_id: str = "",
    metadata: str = "",
    metadata_cut: bool = False,
    ended: str = "complete",
    error_type: str = "",
    duration_ns: int | None = None,
    time_to_first_chunk_ns: int | None = None,
    trace_id: int = 0,
    span_id: int = 0,
    source: str = "reported",
    calls: int = 1,
    corrects_key: str = "",
    measured: bool = True,
) -> Usage:
    """Builds a usage from the arguments alone. Times are UTC nanoseconds; a `trace_id` of 0 means no trace.

    `operation_id` and `metadata` default to those of the block. `source` is the source of the stated counts. `measured`: the texts of request and
    answer are known, so their characters are counted.
    """
    if block is not None:
        operation_id = operation_id or block.operation_id
        if not metadata:
            metadata, metadata_cut = block.metadata, block.metadata_cut
    input_source = "unknown" if answer.input_tokens is None else source
    output_source = "unknown" if answer.output_tokens is None else source
    if answer.output_tokens is None and request.token_type in WITHOUT_OUTPUT:
        output_source = input_source
    texts = request.texts
    return Usage(
        key=key,
        key_kind=key_kind,
        key_time=key_time,
        ts=ts,
        tenant_id=tenant_id if len(tenant_id) <= MAX_PART_CHARS else shorten(tenant_id),
        operation=operation,
        token_type=request.token_type,
        operation_id=operation_id,
        metadata=metadata,
        metadata_cut=metadata_cut,
        endpoint=request.endpoint,
        gen_ai_operation=request.gen_ai_operation,
        provider=request.provider,
        request_model=request.model,
        response_model=answer.model,
        response_id=answer.response_id,
        model_family=model_family(answer.model or request.model),
        server_address=request.server_address,
        server_port=request.server_port,
        stream=request.stream,
        ended=ended,
        error_type=error_type,
        attempts=answer.attempts,
        calls=calls,
        duration_ns=duration_ns,
        time_to_first_chunk_ns=time_to_first_chunk_ns,
        trace_id=f"{trace_id:032x}" if trace_id else "",
        span_id=f"{span_id:016x}" if trace_id else "",
        # every count (taken), written by `make docs`
        input_tokens=answer.input_tokens,
        output_tokens=answer.output_tokens,
        cache_read_tokens=answer.cache_read_tokens,
        cache_write_tokens=answer.cache_write_tokens,
        reasoning_tokens=answer.reasoning_tokens,
        audio_input_tokens=answer.audio_input_tokens,
        audio_output_tokens=answer.audio_output_tokens,
        image_input_tokens=answer.image_input_tokens,
        image_output_tokens=answer.image_output_tokens,
        consumed_input_tokens=answer.consumed_input_tokens,
        consumed_output_tokens=answer.consumed_output_tokens,
        cache_write_1h_tokens=answer.cache_write_1h_tokens,
        # every count, end
        input_source=input_source,
        output_source=output_source,
        input_chars=sum(map(len, texts)) if measured else None,
        output_chars=sum(map(len, answer.output_texts)) if answer.output_texts else None,  # an unknown text does not have 0 characters
        texts=len(texts) if measured else None,
        corrects_key=corrects_key,
    )
