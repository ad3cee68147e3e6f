"""The endpoints of jobs on OpenAI's paths, which other providers have taken over: batches, fine-tunings, files of results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from tokentrail.instrumentation.contract import Endpoint, Reading
from tokentrail.integrations.shapes.openai_jobs import find_batch, find_batch_result, find_batch_results, find_new_batch, find_new_tuning, find_tuning

__all__ = ["BATCH", "NAMED", "NEW_BATCH", "NEW_TUNING", "RESULTS", "TUNING"]


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
