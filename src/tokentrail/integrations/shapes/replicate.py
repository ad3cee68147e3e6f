"""Replicate's API: reads predictions, as JSON. A prediction is a job; it states its tokens in `metrics` once it has ended, if its model counts any.

Every answer that has the prediction states the same (creating, polling, cancelling), so the prediction's id is its key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tokentrail.instrumentation.contract import Answer, Reading
from tokentrail.integrations.shapes.json_objects import fields_of, items_of, unix_seconds, whole

__all__ = ["read_prediction", "texts_of_input"]

ENDS: Final = {"succeeded": "complete", "failed": "error", "canceled": "partial", "aborted": "partial"}


def texts_of_input(body: Mapping[str, Any]) -> Sequence[str]:
    """Returns the texts of a prediction's input: the names that language models give them."""
    given = fields_of(body.get("input"))
    return [text for name in ("system_prompt", "prompt") if isinstance(text := given.get(name), str)]


def read_prediction(body: Any) -> Reading | None:
    """Reads a prediction that has ended and states tokens; of any other, nothing is known, or no language model was asked."""
    fields = fields_of(body)
    status, name = fields.get("status"), fields.get("id")
    metrics = fields_of(fields.get("metrics"))
    given, made = whole(metrics.get("input_token_count")), whole(metrics.get("output_token_count"))
    if not isinstance(status, str) or status not in ENDS or not isinstance(name, str) or (given is None and made is None):
        return None
    answer = Answer(model=fields.get("model") or "", response_id=name, input_tokens=given, output_tokens=made, object_id=name)
    answer.object_created = unix_seconds(fields.get("created_at"))
    output = fields.get("output")
    answer.output_texts = [text for text in (output, *items_of(output)) if isinstance(text, str)]
    return answer, ENDS[status]
