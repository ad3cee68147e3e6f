"""Batches whose results lie in the caller's storage (Bedrock's in S3, Vertex' in Cloud Storage and BigQuery): their lines count once, for the creator.

Lines and manifests are written by hand from the documentation of AWS and Google; the clients are the SDKs' own.
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials

from tests.support.bedrock import AIO_SESSION, AWS
from tests.support.job_server import JobServer, lines
from tokentrail import track_response, track_tokens
from tokentrail.integrations.shapes.bedrock_models import read_invoked
from tokentrail.process.current import current
from tokentrail.testing import Usages

JOB = "a1b2c3d4e5f6"
ARN = f"arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/{JOB}"
CLAUDE = "anthropic.claude-haiku-4-5-20251001-v1:0"
VERTEX = "projects/123/locations/us-central1/batchPredictionJobs/6001"


def totals(usages: Usages) -> tuple[Any, ...]:
    return len(usages), usages.calls, usages.input_tokens, usages.output_tokens


def record(number: int, name: str = "") -> dict[str, Any]:
    message = {
        "id": f"msg_bdrk_{number}",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5-20251001",
        "content": [{"type": "text", "text": "lorem"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 20, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 5, "output_tokens": 4 + number},
    }
    asked = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": [{"role": "user", "content": "lorem"}]}
    return {"recordId": name or f"CALL000000{number}", "modelInput": asked, "modelOutput": message}


FAILED = {"recordId": "CALL0000009", "modelInput": {"inputText": "a"}, "error": {"errorCode": 400, "errorMessage": "bad request"}}
MANIFEST = {
    "totalRecordCount": 3,
    "processedRecordCount": 3,
    "successRecordCount": 2,
    "errorRecordCount": 1,
    "inputTokenCount": 64,
    "outputTokenCount": 9,
}
NEW: dict[str, Any] = {
    "jobName": "nightly",
    "roleArn": "arn:aws:iam::123456789012:role/batch-inference-role",
    "modelId": CLAUDE,
    "inputDataConfig": {"s3InputDataConfig": {"s3Uri": "s3://lorem/in/"}},
    "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://lorem/out/"}},
}


def test_lines_of_an_object_in_s3_count_once_for_the_creator(usages: Usages) -> None:
    answers = {
        "POST /model-invocation-job": {"jobArn": ARN},
        f"GET /model-invocation-job/{ARN}": {"jobArn": ARN, "status": "Completed", "processedRecordCount": 3},
        f"GET /lorem/out/{JOB}/a.jsonl.out": lines(record(0), FAILED, record(1)),
    }
    with JobServer(answers) as server:
        bedrock = boto3.client("bedrock", endpoint_url=server.url, **AWS)
        s3 = boto3.client("s3", endpoint_url=server.url, **AWS)
        with track_tokens("extraction", tenant_id="acme", operation_id="night-1", metadata={"queue": "nightly"}):
            arn = bedrock.create_model_invocation_job(**NEW)["jobArn"]
        with track_tokens("query", tenant_id="reader") as spent:
            for job in (arn, arn, JOB):
                found = s3.get_object(Bucket="lorem", Key=f"out/{JOB}/a.jsonl.out")
                keys = [track_response("aws.bedrock", "batch", line, job=job, model=CLAUDE) for line in found["Body"].iter_lines()]
    assert totals(usages) == (2, 2, 64, 9)
    assert {(each.tenant_id, each.operation, each.operation_id, each.metadata) for each in usages} == {
        ("acme", "extraction", "night-1", '{"queue": "nightly"}')
    }
    assert (keys[0], keys[1], keys[2]) == (usages[0].key, "", usages[1].key)
    assert (spent.calls, spent.input_tokens) == (2, 64)
    first = usages[0]
    assert (first.provider, first.endpoint, first.request_model, first.response_model) == (
        "aws.bedrock",
        "batch",
        CLAUDE,
        "claude-haiku-4-5-20251001",
    )
    assert (first.response_id, first.cache_read_tokens, first.cache_write_tokens, first.input_source) == ("msg_bdrk_0", 7, 5, "reported")
    assert len(usages.recorded) == 2


def test_the_example_of_the_page_counts_every_line_once(usages: Usages, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/services.md").read_text("utf-8")
    (example,) = [text for text in re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL) if "count_batch" in text]
    names = [f"out/{JOB}/{name}" for name in ("a.jsonl.out", "b.jsonl.out", "manifest.json.out")]
    keys = "".join(f"<Contents><Key>{name}</Key></Contents>" for name in names)
    listed = f"<?xml version='1.0'?><ListBucketResult><IsTruncated>false</IsTruncated>{keys}</ListBucketResult>"
    files = dict(zip(names, (lines(record(0), FAILED), lines(record(1)), lines(MANIFEST)), strict=True))
    with JobServer({"GET /lorem": listed.encode()} | {f"GET /lorem/{name}": file for name, file in files.items()}) as server:
        for name, value in {
            "ENDPOINT_URL_S3": server.url,
            "ACCESS_KEY_ID": "none",
            "SECRET_ACCESS_KEY": "none",
            "DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        given: dict[str, Any] = {}
        exec(example, given)
        for _ in range(2):
            given["count_batch"](ARN, "lorem", "out/", CLAUDE)
    assert totals(usages) == (2, 2, 64, 9)


def test_a_line_at_which_a_reader_fails_is_counted_and_takes_no_other_with_it(usages: Usages, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(answered: Any) -> Any:
        if answered["usage"]["output_tokens"] == 5:
            raise RuntimeError("our mistake")
        return read_invoked(answered)

    monkeypatch.setattr("tokentrail.integrations.shapes.stored_batches.read_invoked", fails)
    assert track_response("aws.bedrock", "batch", lines(record(0), record(1), record(2)), job=ARN)
    assert [usage.output_tokens for usage in usages.recorded] == [4, 6]
    errors = current.runtime.diagnostics.internal_errors
    assert errors == {"track_response": 1}
    errors.clear()


def test_results_do_not_count_where_the_process_has_read_the_jobs_own_usage(usages: Usages) -> None:
    track_response("aws.bedrock", "batch", MANIFEST, job=ARN)
    track_response("aws.bedrock", "batch", lines(record(0), record(1)), job=ARN)
    assert [(usage.calls, usage.input_tokens, usage.output_tokens) for usage in usages.recorded if usage.calls] == [(2, 64, 9)]


def test_results_have_the_time_that_is_given(usages: Usages) -> None:
    """A line states no time: by default it is spent when it is read."""
    before = time.time_ns()
    track_response("aws.bedrock", "batch", lines(record(0), record(1)), job=ARN, timestamp=1_790_000_000 * 10**9)
    track_response("aws.bedrock", "batch", record(2), job=ARN)
    assert [usage.ts for usage in usages.recorded[:2]] == [1_790_000_000 * 10**9] * 2
    assert before <= usages[2].ts <= time.time_ns()


def test_a_record_with_an_error_spends_nothing_whatever_stands_beside_the_error(usages: Usages) -> None:
    assert track_response("aws.bedrock", "batch", record(0) | {"error": FAILED["error"]}, job=ARN) == ""
    assert track_response("gcp.vertex_ai", "batch", {"request": {}, "response": {}, "status": "Bad request"}, job=ARN) == ""
    assert not usages.recorded


async def test_a_job_that_is_created_with_aiobotocore(usages: Usages) -> None:
    with JobServer({"POST /model-invocation-job": {"jobArn": ARN}}) as server:
        async with AIO_SESSION.create_client("bedrock", endpoint_url=server.url, **AWS) as bedrock:
            with track_tokens(tenant_id="acme"):
                await bedrock.create_model_invocation_job(**NEW)
    track_response("aws.bedrock", "batch", record(0), job=ARN)
    assert [(each.tenant_id, each.operation) for each in usages] == [("acme", "batch")]


def test_a_job_that_is_refused_is_none(usages: Usages) -> None:
    with JobServer({"POST /model-invocation-job": (400, {"message": "no"})}) as server:
        bedrock = boto3.client("bedrock", endpoint_url=server.url, **AWS)
        with pytest.raises(bedrock.exceptions.ClientError), track_tokens(tenant_id="acme"):
            bedrock.create_model_invocation_job(**NEW)
    assert usages.recorded == []


def test_an_unknown_jobs_results_are_the_readers(usages: Usages) -> None:
    with track_tokens("query", tenant_id="reader"):
        track_response("aws.bedrock", "batch", record(0), job=JOB)
    track_response("aws.bedrock", "batch", record(1), job=JOB, tenant_id="acme", operation="classification", operation_id="o")
    assert [(each.tenant_id, each.operation, each.operation_id) for each in usages] == [("reader", "batch", ""), ("acme", "classification", "o")]


@pytest.mark.parametrize("first", ["lines", "manifest"])
def test_the_lines_and_the_manifest_of_a_job_never_both_count(first: str, usages: Usages) -> None:
    for what in ("lines", "manifest", "lines") if first == "lines" else ("manifest", "lines", "manifest"):
        if what == "lines":
            track_response("aws.bedrock", "batch", lines(record(0), FAILED, record(1)), job=ARN, model=CLAUDE)
        else:
            key = track_response("aws.bedrock", "batch", json.dumps(MANIFEST, indent=2).encode(), job=JOB, model=CLAUDE)
            assert key == f"aws.bedrock:{JOB}"
    assert totals(usages) == (1, 2, 64, 9)
    assert (usages[0].key, usages[0].request_model, usages[0].ended) == (f"aws.bedrock:{JOB}", CLAUDE, "complete")
    track_response("aws.bedrock", "batch", record(0), job="another")
    assert totals(usages) == (2, 3, 96, 13)


def test_a_manifest_without_tokens_leaves_its_lines(usages: Usages) -> None:
    track_response("aws.bedrock", "batch", MANIFEST | {"inputTokenCount": 0, "outputTokenCount": 0}, job=JOB)
    assert usages.recorded == []
    track_response("aws.bedrock", "batch", record(0), job=JOB)
    track_response("aws.bedrock", "batch", MANIFEST | {"processedRecordCount": 2}, job=JOB, model="amazon.titan-embed-text-v2:0")
    assert [(each.token_type, each.ended, each.calls) for each in usages] == [("embedding", "partial", 2)]


def test_records_of_two_files_with_one_name_are_two(usages: Usages) -> None:
    for line in (record(0, "1"), record(1, "1"), record(0, "1")):
        track_response("aws.bedrock", "batch", line, job=JOB)
    assert totals(usages) == (2, 2, 64, 9)


@pytest.mark.parametrize(
    ("line", "counts", "token_type"),
    [
        (
            {
                "modelInput": {"messages": [{"role": "user", "content": [{"text": "lorem"}]}]},
                "modelOutput": {
                    "output": {"message": {"role": "assistant", "content": [{"text": "ipsum"}]}},
                    "stopReason": "end_turn",
                    "usage": {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7},
                },
            },
            (5, 2),
            "llm",
        ),
        (
            {
                "modelInput": {"inputText": "Roses are red, violets are"},
                "modelOutput": {"inputTextTokenCount": 8, "results": [{"tokenCount": 3, "outputText": "blue\n", "completionReason": "FINISH"}]},
            },
            (8, 3),
            "llm",
        ),
        ({"modelInput": {"inputText": "lorem"}, "modelOutput": {"embedding": [0.1], "inputTextTokenCount": 4}}, (4, None), "embedding"),
        ({"modelInput": {"prompt": "lorem"}, "modelOutput": {"outputs": [{"text": "ipsum", "stop_reason": "stop"}]}}, (None, None), "llm"),
    ],
    ids=["Converse", "Titan", "Titan's vectors", "a family that states none"],
)
def test_each_family_is_read_as_online(line: dict[str, Any], counts: tuple[Any, ...], token_type: str, usages: Usages) -> None:
    track_response("aws.bedrock", "batch", {"recordId": "R1", **line}, job=JOB)
    (usage,) = usages.recorded
    assert ((usage.input_tokens, usage.output_tokens), usage.token_type, usage.response_id) == (counts, token_type, "R1")


# Vertex


def row(number: int) -> dict[str, Any]:
    response = {
        "candidates": [{"content": {"parts": [{"text": "lorem"}], "role": "model"}, "finishReason": "STOP"}],
        "createTime": "2026-09-21T14:13:20.512507Z",
        "modelVersion": "gemini-2.5-flash",
        "responseId": f"r-{number}",
        "usageMetadata": {"promptTokenCount": 13, "candidatesTokenCount": 1 + number, "thoughtsTokenCount": 43, "totalTokenCount": 57 + number},
    }
    asked = {"contents": [{"role": "user", "parts": [{"text": "lorem"}]}]}
    return {"status": "", "processed_time": "2026-09-21T14:13:20.826+00:00", "request": asked, "response": response}


REFUSED = {"status": "Bad Request: lorem", "processed_time": "2026-09-21T14:13:20.826+00:00", "request": {}, "response": {}}


def vertex(server: JobServer) -> genai.Client:
    options = types.HttpOptions(base_url=server.url)
    return genai.Client(vertexai=True, project="123", location="us-central1", credentials=Credentials(token="none"), http_options=options)


def test_lines_of_vertex_count_once_for_the_creator(usages: Usages) -> None:
    made = {"name": VERTEX, "displayName": "lorem", "model": "publishers/google/models/gemini-2.5-flash", "state": "JOB_STATE_PENDING"}
    path = "/v1beta1/projects/123/locations/us-central1/batchPredictionJobs"
    with JobServer({f"POST {path}": made, f"GET {path}/6001": made | {"state": "JOB_STATE_SUCCEEDED"}}) as server:
        client = vertex(server)
        with track_tokens("extraction", tenant_id="acme"):
            job = client.batches.create(model="gemini-2.5-flash", src="gs://lorem/in.jsonl", config={"dest": "gs://lorem/out"})
        assert client.batches.get(name=job.name or "").state == types.JobState.JOB_STATE_SUCCEEDED
    for name in (job.name or "", VERTEX.replace("123", "lorem"), "6001"):
        for line in lines(row(0), REFUSED, row(1)).splitlines():
            track_response("gcp.vertex_ai", "batch", line, job=name, model="gemini-2.5-flash")
    assert totals(usages) == (2, 2, 26, 89)
    assert {(each.tenant_id, each.operation) for each in usages} == {("acme", "extraction")}
    first = usages[0]
    assert (first.provider, first.endpoint, first.reasoning_tokens, first.response_id, first.response_model) == (
        "gcp.vertex_ai",
        "batch",
        43,
        "r-0",
        "gemini-2.5-flash",
    )


def test_a_row_of_bigquery_has_its_objects_as_text(usages: Usages) -> None:
    as_text = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in row(0).items()}
    for body in (row(0), as_text, [row(0), as_text]):
        track_response("gcp.vertex_ai", "batch", body, job=VERTEX)
    assert totals(usages) == (1, 1, 13, 44)


def test_other_models_and_vectors_on_vertex(usages: Usages) -> None:
    claude = {"custom_id": "a", "request": {}, "response": record(0)["modelOutput"], "status": ""}
    llama = {"request": {}, "response": {"id": "c-1", "model": "llama", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}}
    statistics = {"token_count": 8, "truncated": False}
    vectors = {"instance": {"content": "lorem"}, "predictions": [{"embeddings": {"statistics": statistics, "values": [0.1]}}], "status": ""}
    gemini = {"request": {}, "response": {"embedding": {"values": [0.1]}, "tokenCount": "9"}}
    picture = {"instance": {"prompt": "lorem"}, "predictions": [{"bytesBase64Encoded": "aaaa"}]}
    for line in (claude, llama, vectors, gemini, picture):
        track_response("gcp.vertex_ai", "batch", line, job=VERTEX)
    found = [(each.input_tokens, each.output_tokens, each.token_type) for each in usages]
    assert found == [(32, 4, "llm"), (3, 2, "llm"), (8, None, "embedding"), (9, None, "embedding")]


@pytest.mark.parametrize(
    ("endpoint", "more", "sentence"),
    [
        ("batch", {}, "a result does not name its batch: give job"),
        ("batch", {"job": JOB, "idempotency_key": "a"}, "a result of a batch has its own idempotency_key: leave it out"),
        ("batch", {"job": JOB, "headers": {}}, "a result of a batch has its own headers"),
        ("converse", {"job": JOB}, "job is the batch of a result, and the endpoint 'converse' has none"),
    ],
)
def test_wrong_options_are_one_sentence(endpoint: str, more: dict[str, Any], sentence: str, usages: Usages) -> None:
    with pytest.raises(ValueError, match=sentence):
        track_response("aws.bedrock", endpoint, record(0), **more)
    assert usages.recorded == []
