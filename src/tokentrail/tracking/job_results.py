"""Results of a provider's jobs that are at hand: lines of a file in the caller's storage, a manifest, a batch as an answer has stated it.

They count as those do that an SDK has read: once under the job's id and their own, for whoever created the job (`recording.jobs`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tokentrail.attribution import Attribution, attribution
from tokentrail.idempotency import object_key, part_key, shorten
from tokentrail.instrumentation.around import sanitized
from tokentrail.instrumentation.contract import Endpoint, Request
from tokentrail.integrations.transports.at_hand import Opened
from tokentrail.process.current import current
from tokentrail.recording.jobs import record_finding
from tokentrail.recording.runtime import internal_error

__all__ = ["are_of_jobs", "check_options", "record_results"]


def are_of_jobs(shapes: Sequence[Endpoint]) -> bool:
    """Whether an endpoint's answers tell of jobs."""
    return shapes[0].findings is not None


def check_options(endpoint: str, job: str, options: Mapping[str, Any], *, is_job: bool) -> None:
    """Raises `ValueError` for a result without its job, for a job of what is no result, and for an option that a result has itself."""
    if not is_job:
        if job:
            raise ValueError(f"job is the batch of a result, and the endpoint {endpoint!r} has none: leave job out, or give the endpoint 'batch'")
        return
    if not job:
        raise ValueError("a result does not name its batch: give job, the id of the batch (of OpenAI's, the id of the file with the results)")
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise ValueError(f"a result of a batch has its own {given[0]}: leave it out")


def record_results(
    provider: str, shapes: Sequence[Endpoint], body: Opened, job: str, *, model: str, operation: str, ts: int, says: Mapping[str, Any]
) -> str:
    """Records the usages of results, and returns the key of the last one; "" if no usage was found.

    `says`: whose the usages are, if nobody knows the job.
    """
    block = Attribution(**says, parent=attribution.get())
    key = ""
    for value in (body,) if isinstance(body, Mapping) else body:
        for shape in shapes:
            chosen = shape.chosen(model, value) if shape.chosen is not None else shape
            found = _record(provider, chosen, value, job, model, operation, ts, block)
            if found:
                key = found
                break
    return key


def _record(provider: str, shape: Endpoint, value: Mapping[str, Any], job: str, model: str, operation: str, ts: int, block: Attribution) -> str:
    if shape.findings is None:
        return ""
    request = Request(
        provider=provider,
        endpoint=shape.name,
        gen_ai_operation=shape.gen_ai_operation,
        token_type=shape.token_type,
        operation=shape.operation,
        model=shorten(model),
    )
    key = ""
    try:
        for finding in shape.findings(job, value if type(value) is dict else dict(value)):
            if finding.reading is not None:
                finding.reading = sanitized(finding.reading[0], 1), finding.reading[1]
                made = part_key(provider, finding.job, finding.part, finding.created) if finding.part else None
                key = (made or object_key(provider, finding.job, finding.created)).text
            record_finding(current.runtime, request, finding, block, operation=operation, ts=ts)
    except Exception as failure:  # the next line may be a good one
        internal_error("track_response", failure)
    return key
