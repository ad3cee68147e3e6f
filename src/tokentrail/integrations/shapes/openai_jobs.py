"""OpenAI's batches, their results, and fine-tuning jobs; also those of Azure, Groq, Mistral and of all that have taken over these shapes.

**What counts once.** A batch that states its own usage (OpenAI's do since September 2025) counts as a whole, under its own id, when any process first
sees that the batch has ended. Of any other batch each result counts, under the id of the file with the results and the result's own id, when any
process first reads the result. A batch without tokens (all requests failed) and a result that failed spend nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tokentrail.instrumentation.contract import Answer, Finding, Reading
from tokentrail.integrations.shapes.json_objects import Body, fields_of, items_of, sum_of, unix_seconds, whole
from tokentrail.integrations.shapes.openai_chat import read_chat
from tokentrail.integrations.shapes.openai_completions import add_any_counts, read_any_embeddings, read_completion
from tokentrail.integrations.shapes.openai_responses import add_counts, read_response

__all__ = [
    "find_batch",
    "find_batch_result",
    "find_batch_results",
    "find_inlined_batch",
    "find_new_batch",
    "find_new_inlined_batch",
    "find_new_tuning",
    "find_tuning",
]

ENDED: Final = {
    "completed": "complete",
    "expired": "partial",
    "cancelled": "partial",
    "failed": "error",
    "succeeded": "complete",
    # Mistral's
    "SUCCESS": "complete",
    "TIMEOUT_EXCEEDED": "partial",
    "CANCELLED": "partial",
    "FAILED": "error",
    "FAILED_VALIDATION": "error",
}
FAILED: Final = 400


def find_batch(_name: str, answer: Any) -> Iterator[Finding]:
    """Finds a batch that has ended: its usage, and the file with its results."""
    yield from _batch(fields_of(answer), is_new=False)


def find_new_batch(_name: str, answer: Any) -> Iterator[Finding]:
    """Finds the batch that a call has created."""
    yield from _batch(fields_of(answer), is_new=True)


def _batch(batch: Mapping[str, Any], *, is_new: bool) -> Iterator[Finding]:
    job = batch.get("id")
    if not isinstance(job, str) or not job:
        return
    finding = Finding(job, unix_seconds(batch.get("created_at")), is_new=is_new)
    ended = _ended(batch)
    if ended:
        file = batch.get("output_file_id") or batch.get("output_file")
        finding.results = file if isinstance(file, str) else ""
        finding.reading = _usage_of(batch, ended)
        finding.calls = whole(fields_of(batch.get("request_counts")).get("completed")) or 1
        finding.token_type = "embedding" if str(batch.get("endpoint")).endswith("/embeddings") else ""
    if ended or is_new:
        yield finding


def _ended(job: Mapping[str, Any]) -> str:
    status = job.get("status")
    return ENDED.get(status, "") if isinstance(status, str) else ""


def _usage_of(batch: Mapping[str, Any], ended: str) -> Reading | None:
    """Returns the usage of a whole batch; None if the batch states none. Zeros are none too: every batch that runs states them."""
    usage = fields_of(batch.get("usage"))
    answer = Answer(model=batch.get("model") or "", response_id=batch["id"])
    (add_any_counts if "prompt_tokens" in usage else add_counts)(answer, usage)  # OpenRouter's
    return (answer, ended) if whole(answer.input_tokens) or whole(answer.output_tokens) else None


def find_batch_result(file: str, line: Any) -> Iterator[Finding]:
    """Finds the usage of a line of results, which is known by its answer with a status; any other file has no such lines."""
    fields = fields_of(line)
    response = fields_of(fields.get("response"))
    body = fields_of(response.get("body"))
    status, part = whole(response.get("status_code")), fields.get("id") or fields.get("custom_id")
    if not file or status is None or not body or not isinstance(part, str) or "custom_id" not in fields:
        return
    is_answer = status < FAILED and ("choices" in body or "output" in body or body.get("type") == "message")
    if not fields_of(body.get("usage")) and not is_answer:
        return
    reading, token_type = _read_body(body)
    if status >= FAILED:
        reading = reading[0], "error"
    yield Finding(file, unix_seconds(body.get("created") or body.get("created_at")), part, reading, token_type=token_type)


def find_batch_results(batch: str, answer: Any) -> Iterator[Finding]:
    """Finds the usages of a page of results, as xAI answers at a batch's path: each result has an answer, named after its endpoint."""
    for each in items_of(fields_of(answer).get("results")):
        fields = fields_of(each)
        part = fields.get("batch_request_id")
        for body in fields_of(fields_of(fields.get("batch_result")).get("response")).values():
            usage = fields_of(fields_of(body).get("usage"))
            if batch and isinstance(part, str) and usage:
                reading, token_type = _read_body(body)
                _include_reasoning(reading[0], usage)
                yield Finding(batch, unix_seconds(body.get("created") or body.get("created_at")), part, reading, token_type=token_type)


def _include_reasoning(answer: Answer, usage: Mapping[str, Any]) -> None:
    """Adds reasoning to an output that leaves it out, as the usage's own total shows (seen in recordings of xAI)."""
    reasoning, total = whole(answer.reasoning_tokens), whole(usage.get("total_tokens"))
    if reasoning and whole(answer.output_tokens) is not None and total == sum_of(answer.input_tokens, answer.output_tokens, reasoning):
        answer.output_tokens = sum_of(answer.output_tokens, reasoning)


def _read_body(body: Mapping[str, Any]) -> tuple[Reading, str]:
    """Reads the answer of one request, whose shape shows its endpoint."""
    if body.get("type") == "message":
        from tokentrail.integrations.shapes.anthropic_messages import read_message  # noqa: PLC0415 - in batches of few providers

        return read_message(body), ""
    answer = Body.of({name: value for name, value in body.items() if name != "data"})  # the numbers of embeddings
    if "output" in body:
        return read_response(answer), ""
    if "data" in body:
        return read_any_embeddings(answer), "embedding"
    choices = items_of(body.get("choices"))
    return (read_completion if choices and "text" in fields_of(choices[0]) else read_chat)(answer), ""


def find_inlined_batch(_name: str, answer: Any) -> Iterator[Finding]:
    """Finds a batch that has ended, and its results where the answer has them: under the file's id, as in the file.

    Mistral's `outputs`, OpenRouter's `results`; where the batch states its usage, they do not count.
    """
    yield from _inlined_batch(fields_of(answer), is_new=False)


def find_new_inlined_batch(_name: str, answer: Any) -> Iterator[Finding]:
    """Finds the batch that a call to such a provider has created."""
    yield from _inlined_batch(fields_of(answer), is_new=True)


def _inlined_batch(batch: Mapping[str, Any], *, is_new: bool) -> Iterator[Finding]:
    for finding in _batch(batch, is_new=is_new):
        yield finding
        for line in items_of(batch.get("outputs") or batch.get("results")) if _ended(batch) and finding.reading is None else ():
            yield from find_batch_result(finding.results or finding.job, line)


def find_tuning(_name: str, answer: Any) -> Iterator[Finding]:
    """Finds the trained tokens of a fine-tuning that has ended."""
    yield from _tuning(fields_of(answer), is_new=False)


def find_new_tuning(_name: str, answer: Any) -> Iterator[Finding]:
    """Finds the fine-tuning that a call has created."""
    yield from _tuning(fields_of(answer), is_new=True)


def _tuning(job: Mapping[str, Any], *, is_new: bool) -> Iterator[Finding]:
    name, ended = job.get("id"), _ended(job)
    if not isinstance(name, str) or not name or not (ended or is_new):
        return
    finding = Finding(name, unix_seconds(job.get("created_at")), is_new=is_new)
    if ended and whole(job.get("trained_tokens")) is not None:
        finding.reading = Answer(model=job.get("model") or "", response_id=name, input_tokens=job["trained_tokens"]), ended
    yield finding
