"""Batches whose results are files in the caller's own storage: in S3 (Bedrock), Cloud Storage or BigQuery (Vertex).

| what is read                        | states                                                                                             |
|-------------------------------------|----------------------------------------------------------------------------------------------------|
| Bedrock: a line of `*.jsonl.out`    | `recordId`, `modelInput`, and `modelOutput` (the body of InvokeModel or Converse) or `error`           |
| Bedrock: `manifest.json.out`        | the job's `inputTokenCount` and `outputTokenCount`, and its numbers of records                       |
| Vertex: a line or a row             | `request`, `response` (in the shape of Gemini, Claude or OpenAI) and `status`                          |
| Vertex: a line of text embeddings   | `instance` and `predictions`                                                                         |
| the call that creates either job    | the job's name, which ends in its id                                                               |

docs.aws.amazon.com/bedrock/latest/userguide/batch-inference-results.html; cloud.google.com/vertex-ai/generative-ai/docs: batch inference from Cloud
Storage, from BigQuery, with Claude, of text embeddings. No line names its job, and a `recordId` is unique within one file only: so the part of a
result is the record's name and a hash of the line. No file states a time that each of them has, so no key does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from tokentrail.instrumentation.contract import Answer, Finding, Reading
from tokentrail.integrations.shapes.anthropic_messages import read_message
from tokentrail.integrations.shapes.bedrock_models import is_embedding, is_of_tokens, read_invoked
from tokentrail.integrations.shapes.gemini import read_content, read_embeddings
from tokentrail.integrations.shapes.json_objects import Body, fields_of, whole
from tokentrail.integrations.shapes.openai_chat import read_any_chat

__all__ = ["find_bedrock_result", "find_new_bedrock_batch", "find_new_vertex_batch", "find_vertex_result"]

EMBEDDING: Final = "embedding"
_HASH: Final = 8  # bytes


def _id_of(name: str) -> str:
    """Returns the id of a job, which its ARN or its resource name ends in: Google has two names for one project."""
    return name.rpartition("/")[2]


def find_new_bedrock_batch(_name: str, answer: Any) -> Iterator[Finding]:
    """Finds the job that a call of `CreateModelInvocationJob` has created."""
    yield from _new_job(fields_of(answer).get("jobArn"), "model-invocation-job")


def find_new_vertex_batch(_name: str, answer: Any) -> Iterator[Finding]:
    """Finds the job that a call has created at Vertex."""
    yield from _new_job(fields_of(answer).get("name"), "batchPredictionJobs")


def _new_job(name: Any, kind: str) -> Iterator[Finding]:
    if isinstance(name, str) and f"{kind}/" in name and (job := _id_of(name)):
        yield Finding(job, is_new=True)


def find_bedrock_result(name: str, line: Any) -> Iterator[Finding]:
    """Finds the usage of a line of results, or of a whole job in the job's manifest. A record with an error spends nothing."""
    fields, job = fields_of(line), _id_of(name)
    if "modelOutput" not in fields:
        yield from _manifest(job, fields)
        return
    asked, answered = _json_of(fields.get("modelInput")), _json_of(fields["modelOutput"])
    if not answered or fields.get("error"):
        return
    reading = read_invoked(answered)
    record = fields.get("recordId")
    reading[0].response_id = reading[0].response_id or (record if isinstance(record, str) else "")
    is_stated = reading[0].input_tokens is not None or reading[0].output_tokens is not None
    if is_stated or is_of_tokens("", asked):
        token_type = EMBEDDING if is_embedding("", asked) or "embedding" in answered else ""
        yield Finding(job, 0, _part_of(record, fields), reading, token_type=token_type)


def _manifest(job: str, fields: Mapping[str, Any]) -> Iterator[Finding]:
    """Finds what a manifest states: under the key of the job, whose results then do not count. A model that states no tokens has zeros."""
    given, made = whole(fields.get("inputTokenCount")), whole(fields.get("outputTokenCount"))
    if "totalRecordCount" not in fields or not (given or made):
        return
    done, total = whole(fields.get("processedRecordCount")), whole(fields.get("totalRecordCount"))
    answer = Answer(response_id=job, input_tokens=given, output_tokens=made)
    ended = "partial" if done is not None and total is not None and done < total else "complete"
    calls = whole(fields.get("successRecordCount")) or done or 1
    yield Finding(job, reading=(answer, ended), results=job, calls=calls)


def find_vertex_result(name: str, line: Any) -> Iterator[Finding]:
    """Finds the usage of a line or a row of results. A request that failed has a `status`, and no usage in its response."""
    fields = fields_of(line)
    job, response, token_type = _id_of(name), _json_of(fields.get("response")), ""
    reading: Reading
    if "usageMetadata" in response:
        reading, token_type = read_content(response), EMBEDDING if "embedding" in response else ""
    elif "tokenCount" in response:
        reading, token_type = (Answer(input_tokens=response["tokenCount"]), "complete"), EMBEDDING
    elif response.get("type") == "message":
        reading = read_message(response)
    elif fields_of(response.get("usage")):
        reading = read_any_chat(Body.of(response))
    elif "predictions" in fields:
        reading, token_type = read_embeddings(fields), EMBEDDING
        if reading[0].input_tokens is None:
            return
    else:
        return
    yield Finding(job, 0, _part_of(fields.get("custom_id") or response.get("responseId"), fields), reading, token_type=token_type)


def _json_of(value: Any) -> Mapping[str, Any]:
    """Returns a JSON object; BigQuery has objects as text."""
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except (ValueError, RecursionError):
            return {}
    return fields_of(value)


def _part_of(name: Any, line: Mapping[str, Any]) -> str:
    """Returns the name of a result within its job, the same for each form of the line."""
    text = json.dumps({key: _plain(value) for key, value in line.items()}, sort_keys=True, default=str)
    return f"{name if isinstance(name, str) else ''}~{hashlib.blake2b(text.encode(), digest_size=_HASH).hexdigest()}"


def _plain(value: Any) -> Any:
    return {**_json_of(value)} or value
