"""The endpoints of jobs on OpenAI's paths, which other providers have taken over: batches, fine-tunings, files of results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from tokentrail.instrumentation.contract import Endpoint, Finding, Reading
from tokentrail.integrations.shapes.json_objects import fields_of
from tokentrail.integrations.shapes.openai_jobs import (
    find_batch,
    find_batch_result,
    find_batch_results,
    find_inlined_batch,
    find_new_batch,
    find_new_tuning,
    find_tuning,
)

__all__ = ["AT_HAND", "BATCH", "NAMED", "NEW_BATCH", "NEW_TUNING", "RESULTS", "TUNING"]


def _no_texts(_body: Mapping[str, Any]) -> Sequence[str]:
    return ()


def _read_nothing(_answer: Any) -> Reading | None:
    return None


BATCH: Final = Endpoint(
    name="batch",
    gen_ai_operation="chat",
    operation="batch",
    texts=_no_texts,
    read=_read_nothing,
    findings=find_batch,
    deferred=True,
)
NEW_BATCH: Final = replace(BATCH, findings=find_new_batch)


def _find_at_hand(name: str, value: Any) -> Iterator[Finding]:
    """Finds what a batch states, a line of its results, or a page of them (xAI)."""
    if fields_of(value).get("object") == "batch":
        yield from find_inlined_batch(name, value)
    else:
        yield from find_batch_result(name, value)
        yield from find_batch_results(name, value)


AT_HAND: Final = replace(BATCH, findings=_find_at_hand)
RESULTS: Final = replace(BATCH, findings=find_batch_result)
TUNING: Final = replace(
    BATCH,
    name="fine_tuning",
    gen_ai_operation="",
    operation="internal",
    token_type="fine_tuning",  # noqa: S106 - a kind of token
    findings=find_tuning,
)
NEW_TUNING: Final = replace(TUNING, findings=find_new_tuning)

NAMED: Final = {
    "GET batches/*": BATCH,
    "POST batches/*/cancel": BATCH,
    "GET batches/*/results": replace(BATCH, findings=find_batch_results),  # xAI
    "GET files/*/content": RESULTS,
    "GET fine_tuning/jobs/*": TUNING,
    "POST fine_tuning/jobs/*/cancel": TUNING,
}
"""The jobs and files that are known by an id."""
