"""Cohere's batches, which state their tokens; their results are a data set, which states none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tokentrail.instrumentation.contract import Answer, Finding
from tokentrail.integrations.shapes.json_objects import fields_of, unix_seconds, whole

__all__ = ["find_cohere_batch", "find_new_cohere_batch"]

ENDED: Final = {"BATCH_STATUS_COMPLETED": "complete", "BATCH_STATUS_FAILED": "error", "BATCH_STATUS_CANCELED": "partial"}


def find_new_cohere_batch(_name: str, answer: Any) -> Iterator[Finding]:
    """Finds the batch that a call has created."""
    yield from _batch(fields_of(fields_of(answer).get("batch")), is_new=True)


def find_cohere_batch(_name: str, answer: Any) -> Iterator[Finding]:
    """Finds a batch that has ended."""
    yield from _batch(fields_of(fields_of(answer).get("batch")), is_new=False)


def _batch(batch: Mapping[str, Any], *, is_new: bool) -> Iterator[Finding]:
    job, ended = batch.get("id"), ENDED.get(str(batch.get("status")), "")
    if not isinstance(job, str) or not job or not (ended or is_new):
        return
    finding = Finding(job, unix_seconds(batch.get("created_at")), is_new=is_new)
    answer = Answer(model=batch.get("model") or "", response_id=job)
    answer.input_tokens, answer.output_tokens = whole(batch.get("input_tokens")), whole(batch.get("output_tokens"))
    if ended and (answer.input_tokens or answer.output_tokens):
        finding.reading = answer, ended
        finding.calls = whole(batch.get("num_successful_records")) or 1
    yield finding
