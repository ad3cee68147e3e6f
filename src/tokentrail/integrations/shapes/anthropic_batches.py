"""Anthropic's message batches: a batch states no usage, each of its results does, under the batch's id and the caller's id of the request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tokentrail.instrumentation.contract import Finding
from tokentrail.integrations.shapes.anthropic_messages import read_message
from tokentrail.integrations.shapes.json_objects import fields_of, unix_seconds

__all__ = ["find_message_result", "find_new_message_batch"]


def find_new_message_batch(_name: str, answer: Any) -> Iterator[Finding]:
    """Finds the batch that a call has created."""
    batch = fields_of(answer)
    job = batch.get("id")
    if isinstance(job, str) and job:
        yield Finding(job, unix_seconds(batch.get("created_at")), is_new=True)


def find_message_result(batch: str, line: Any) -> Iterator[Finding]:
    """Finds the usage of a result; only requests that succeeded are billed."""
    fields = fields_of(line)
    part, result = fields.get("custom_id"), fields_of(fields.get("result"))
    message = result.get("message")
    if batch and isinstance(part, str) and result.get("type") == "succeeded" and fields_of(message):
        yield Finding(batch, 0, part, read_message(message))
