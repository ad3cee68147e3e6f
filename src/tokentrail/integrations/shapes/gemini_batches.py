"""Gemini's batches, as JSON: each result states its usage, inside the batch (inlined), or in a file.

Batches on Vertex have their results in Cloud Storage or BigQuery, which no function of the SDK reads: see `stored_batches`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tokentrail.instrumentation.contract import Answer, Finding, Reading
from tokentrail.integrations.shapes.gemini import read_content
from tokentrail.integrations.shapes.json_objects import fields_of, items_of, unix_seconds

__all__ = ["find_gemini_at_hand", "find_gemini_batch", "find_gemini_result", "find_new_gemini_batch"]

ENDED: Final = ("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED")


def find_new_gemini_batch(_name: str, answer: Any) -> Iterator[Finding]:
    """Finds the batch that a call has created."""
    yield from _batch(fields_of(answer), is_new=True)


def find_gemini_batch(_name: str, answer: Any) -> Iterator[Finding]:
    """Finds a batch that has ended, with its results where the answer has them."""
    yield from _batch(fields_of(answer), is_new=False)


def _batch(operation: Mapping[str, Any], *, is_new: bool) -> Iterator[Finding]:
    metadata = fields_of(operation.get("metadata"))
    job, created = operation.get("name"), unix_seconds(metadata.get("createTime"))
    if not isinstance(job, str) or not job.startswith("batches/"):
        return
    has_ended = str(metadata.get("state")).rpartition("_")[2] in ENDED
    output = fields_of(metadata.get("output")) or fields_of(operation.get("response"))
    file = output.get("responsesFile") if has_ended else None
    finding = Finding(job, created, is_new=is_new)
    finding.results = file.removeprefix("files/") if isinstance(file, str) else ""
    if is_new or finding.results:
        yield finding
    if not has_ended:
        return
    for name in ("inlinedResponses", "inlinedEmbedContentResponses"):
        for index, each in enumerate(items_of(fields_of(output.get(name)).get("inlinedResponses"))):
            yield from _result(job, created, str(index), fields_of(each))


def find_gemini_at_hand(name: str, value: Any) -> Iterator[Finding]:
    """Finds what a batch has, or a line of a file of results: `name` is the file's."""
    fields = fields_of(value)
    if str(fields.get("name")).startswith("batches/"):
        yield from _batch(fields, is_new=False)
    else:
        yield from find_gemini_result(name.removeprefix("files/"), fields)


def find_gemini_result(file: str, line: Any) -> Iterator[Finding]:
    """Finds the usage of a line of a file of results."""
    fields = fields_of(line)
    part = fields.get("key") or fields_of(fields.get("metadata")).get("key") or fields_of(fields.get("response")).get("responseId")
    if file and isinstance(part, str):
        yield from _result(file, 0, part, fields)


def _result(job: str, created: int, part: str, fields: Mapping[str, Any]) -> Iterator[Finding]:
    """Finds the usage of one result; a request that failed has an error in place of a response."""
    response = fields_of(fields.get("response"))
    reading: Reading
    if "usageMetadata" in response:
        reading = read_content(response)
        yield Finding(job, created, part, reading, token_type="embedding" if "embedding" in response else "")
    elif "tokenCount" in response:
        reading = Answer(input_tokens=response["tokenCount"]), "complete"
        yield Finding(job, created, part, reading, token_type="embedding")  # noqa: S106 - a kind of token
