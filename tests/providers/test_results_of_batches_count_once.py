"""Batches whose results alone state usages (Anthropic, Mistral, Gemini), and Cohere's, which state their own: each counts once, for its creator.

The recordings are written by hand from the providers' documentation, after exchanges that were recorded elsewhere.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import cohere
import pytest
from google import genai
from google.genai import types
from mistralai.client import Mistral

from tests.support.job_server import JobServer, lines
from tokentrail import track_response, track_tokens
from tokentrail.instrumentation.contract import Answer, Endpoint, Finding, Request
from tokentrail.instrumentation.jobs import JobReader
from tokentrail.process.current import current
from tokentrail.testing import Usages

CREATED = 1790000000
CREATED_TEXT = "2026-09-21T14:13:20.512507+00:00"


def totals(usages: Usages) -> tuple[Any, ...]:
    return len(usages), usages.calls, usages.input_tokens, usages.output_tokens


def whose(usages: Usages) -> set[tuple[str, str]]:
    return {(each.tenant_id, each.operation) for each in usages}


# Anthropic


def message_batch(status: str) -> dict[str, Any]:
    return {
        "id": "msgbatch_1",
        "type": "message_batch",
        "processing_status": status,
        "request_counts": {"processing": 0, "succeeded": 2, "errored": 1, "canceled": 0, "expired": 1},
        "ended_at": None,
        "created_at": CREATED_TEXT,
        "expires_at": CREATED_TEXT,
        "archived_at": None,
        "cancel_initiated_at": None,
        "results_url": "{server}/v1/messages/batches/msgbatch_1/results" if status == "ended" else None,
    }


def message_result(number: int) -> dict[str, Any]:
    usage = {
        "input_tokens": 20,
        "cache_creation_input_tokens": 5,
        "cache_read_input_tokens": 7,
        "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 3},
        "output_tokens": 4,
        "service_tier": "batch",
    }
    content = [{"type": "text", "text": "lorem"}]
    head = {"id": f"msg_{number}", "type": "message", "role": "assistant", "model": "claude-haiku-4-5-20251001"}
    message = {**head, "content": content, "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}
    return {"custom_id": f"a/{number}", "result": {"type": "succeeded", "message": message}}


FAILED = (
    {"custom_id": "b", "result": {"type": "errored", "error": {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}}},
    {"custom_id": "c", "result": {"type": "expired"}},
    {"custom_id": "d", "result": {"type": "canceled"}},
)


def anthropic_answers(file: bytes) -> dict[str, Any]:
    base = "/v1/messages/batches"
    return {
        f"POST {base}": message_batch("in_progress"),
        f"GET {base}/msgbatch_1": [message_batch("in_progress"), message_batch("ended")],
        f"POST {base}/msgbatch_1/cancel": message_batch("canceling"),
        f"GET {base}/msgbatch_1/results": file,
    }


@pytest.mark.parametrize("beta", [False, True])
@pytest.mark.parametrize("way", ["objects", "some objects", "raw", "streamed bytes"])
def test_anthropics_results(way: str, beta: bool, usages: Usages) -> None:
    with JobServer(anthropic_answers(lines(message_result(0), *FAILED, message_result(1))), chunks=50) as server:
        client = anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0)
        batches: Any = client.beta.messages.batches if beta else client.messages.batches
        with track_tokens(tenant_id="acme", operation="classification"):
            made = batches.create(requests=[])
        with track_tokens(tenant_id="reader", operation="internal"):
            batches.retrieve(made.id)
            for _ in range(2):
                if way == "objects":
                    assert [each.custom_id for each in batches.results(made.id)] == ["a/0", "b", "c", "d", "a/1"]
                elif way == "some objects":
                    results = batches.results(made.id)
                    assert next(results).custom_id == "a/0"
                    results.close()
                elif way == "raw":
                    assert len(list(batches.with_raw_response.results(made.id).parse())) == 5
                else:
                    with batches.with_streaming_response.results(made.id) as response:
                        assert b"".join(response.iter_bytes()).count(b"\n") == 5
    assert totals(usages) == ((1, 1, 32, 4) if way == "some objects" else (2, 2, 64, 8))
    assert whose(usages) == {("acme", "classification")}
    first = usages[0]
    assert (first.provider, first.response_id, first.response_model) == ("anthropic", "msg_0", "claude-haiku-4-5-20251001")
    assert (first.cache_read_tokens, first.cache_write_tokens, first.cache_write_1h_tokens) == (7, 5, 3)
    assert (first.endpoint, first.key_kind) == ("batch", "opaque")


async def test_anthropics_results_async(usages: Usages) -> None:
    with JobServer(anthropic_answers(lines(message_result(0), message_result(1))), chunks=50) as server:
        client = anthropic.AsyncAnthropic(base_url=server.url, api_key="none", max_retries=0)
        await client.messages.batches.create(requests=[])
        await client.messages.batches.retrieve("msgbatch_1")
        async for _ in await client.messages.batches.results("msgbatch_1"):
            pass
    assert totals(usages) == (2, 2, 64, 8)
    assert whose(usages) == {("", "batch")}


# Mistral


def mistral_batch(status: str, **more: Any) -> dict[str, Any]:
    return {
        "id": "job-1",
        "object": "batch",
        "input_files": ["in"],
        "metadata": None,
        "endpoint": "/v1/chat/completions",
        "model": "mistral-small-latest",
        "agent_id": None,
        "output_file": None,
        "error_file": None,
        "errors": [],
        "outputs": None,
        "status": status,
        "created_at": CREATED,
        "total_requests": 2,
        "completed_requests": 2,
        "succeeded_requests": 2,
        "failed_requests": 0,
        "started_at": None,
        "completed_at": None,
        **more,
    }


def mistral_result(number: int) -> dict[str, Any]:
    usage = {"prompt_tokens": 27, "completion_tokens": 2 + number, "total_tokens": 29 + number, "prompt_tokens_details": {"cached_tokens": 16}}
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "lorem", "tool_calls": None}}
    body = {
        "id": f"cmpl-{number}",
        "object": "chat.completion",
        "model": "mistral-small-latest",
        "usage": usage,
        "created": CREATED,
        "choices": [choice],
    }
    return {"id": f"batch-job-1-{number}", "custom_id": str(number), "response": {"status_code": 200, "body": body}, "error": None}


@pytest.mark.parametrize("way", ["file", "inline", "both"])
def test_mistrals_results(way: str, usages: Usages) -> None:
    outputs = None if way == "file" else [mistral_result(0), mistral_result(1)]
    answers = {
        "POST /v1/batch/jobs": mistral_batch("QUEUED"),
        "GET /v1/batch/jobs/job-1": [mistral_batch("RUNNING"), mistral_batch("SUCCESS", output_file="out", outputs=outputs)],
        "GET /v1/files/out/content": lines(mistral_result(0), mistral_result(1)),
    }
    with JobServer(answers, chunks=64) as server:
        client = Mistral(api_key="none", server_url=server.url)
        with track_tokens(tenant_id="acme"):
            client.batch.jobs.create(endpoint="/v1/chat/completions", model="mistral-small-latest", input_files=["in"])
        for _ in range(10):
            client.batch.jobs.get(job_id="job-1")
        if way != "inline":
            for _ in range(2):
                assert client.files.download(file_id="out").read().count(b"\n") == 2
    assert totals(usages) == (2, 2, 54, 5)
    assert whose(usages) == {("acme", "batch")}
    assert (usages[0].provider, usages[0].cache_read_tokens, usages[0].key_time) == ("mistral_ai", 16, CREATED * 10**9)
    assert len(usages.recorded) == 2


async def test_mistrals_results_async(usages: Usages) -> None:
    with JobServer({"GET /v1/files/out/content": lines(mistral_result(0), mistral_result(1))}, chunks=64) as server:
        client = Mistral(api_key="none", server_url=server.url)
        response = await client.files.download_async(file_id="out")
        assert len([line async for line in response.aiter_lines()]) == 2
    assert totals(usages) == (2, 2, 54, 5)


# Gemini


def gemini_batch(state: str, output: Any = None) -> dict[str, Any]:
    metadata = {
        "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
        "model": "models/gemini-2.5-flash",
        "displayName": "b",
        "createTime": "2026-09-21T14:13:20.267870162Z",
        "updateTime": "2026-09-21T14:13:20.267870162Z",
        "state": f"BATCH_STATE_{state}",
        "name": "batches/1",
    }
    if output is None:
        return {"name": "batches/1", "metadata": metadata}
    return {"name": "batches/1", "metadata": {**metadata, "output": output}, "done": True, "response": output}


def gemini_response(number: int) -> dict[str, Any]:
    usage = {"promptTokenCount": 13, "candidatesTokenCount": 1 + number, "totalTokenCount": 57 + number, "thoughtsTokenCount": 43}
    candidate = {"content": {"parts": [{"text": "4"}], "role": "model"}, "finishReason": "STOP", "index": 0}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-2.5-flash", "responseId": f"r-{number}"}


def gemini_answers(output: Any, file: bytes = b"") -> dict[str, Any]:
    answers = {
        "POST {}/models/gemini-2.5-flash:batchGenerateContent": gemini_batch("PENDING"),
        "GET {}/batches/1": [gemini_batch("RUNNING"), gemini_batch("SUCCEEDED", output)],
        "GET {}/files/batch-1:download": file,
    }
    return {name.format(version): answer for name, answer in answers.items() for version in ("/v1", "/v1beta")}


def gemini(server: JobServer) -> genai.Client:
    return genai.Client(api_key="none", http_options=types.HttpOptions(base_url=server.url))


def test_geminis_inlined_results(usages: Usages) -> None:
    inlined = [
        {"response": gemini_response(0), "metadata": {"custom_id": "0"}},
        {"error": {"code": 3, "message": "no"}},
        {"response": gemini_response(1)},
    ]
    with JobServer(gemini_answers({"inlinedResponses": {"inlinedResponses": inlined}})) as server:
        client = gemini(server)
        with track_tokens(tenant_id="acme", operation="extraction"):
            client.batches.create(model="gemini-2.5-flash", src=[types.InlinedRequest(contents="hello")])
        with track_tokens(tenant_id="poller"):
            for _ in range(10):
                client.batches.get(name="batches/1")
    assert totals(usages) == (2, 2, 26, 89)
    assert len(usages.recorded) == 2
    assert whose(usages) == {("acme", "extraction")}
    first = usages[0]
    assert (first.provider, first.reasoning_tokens, first.gen_ai_operation) == ("gcp.gemini", 43, "generate_content")
    assert (first.key_kind, first.key_time) == ("object", CREATED * 10**9)


@pytest.mark.parametrize("way", ["bytes", "path", "stream"])
def test_geminis_file_of_results(way: str, usages: Usages, tmp_path: Path) -> None:
    file = lines({"key": "a", "response": gemini_response(0)}, {"key": "b", "error": {"code": 3}}, {"key": "c", "response": gemini_response(1)})
    with JobServer(gemini_answers({"responsesFile": "files/batch-1"}, file)) as server:
        client = gemini(server)
        with track_tokens(tenant_id="acme"):
            client.batches.create(model="gemini-2.5-flash", src="files/in")
        for _ in range(3):
            job = client.batches.get(name="batches/1")
        assert job.dest is not None
        for _ in range(2):
            if way == "bytes":
                assert client.files.download(file=job.dest.file_name or "") == file
            elif way == "path":
                client.files.download(file=job.dest.file_name or "", destination=tmp_path / "out")
                assert (tmp_path / "out").read_bytes() == file
            else:
                client.files.download(file=job.dest.file_name or "", destination=(stream := io.BytesIO()))
                assert stream.getvalue() == file
    assert totals(usages) == (2, 2, 26, 89)
    assert whose(usages) == {("acme", "batch")}


async def test_geminis_results_async(usages: Usages) -> None:
    inlined = {"inlinedResponses": {"inlinedResponses": [{"response": gemini_response(0)}]}}
    embedded = {"inlinedEmbedContentResponses": {"inlinedResponses": [{"response": {"embedding": {"values": [0.1]}, "tokenCount": "9"}}]}}
    for output in (inlined, embedded):
        with JobServer(gemini_answers(output)) as server:
            client = gemini(server)
            for _ in range(3):
                await client.aio.batches.get(name="batches/1")
        (usage,) = usages
        assert (usage.token_type, usage.input_tokens) == (("llm", 13) if output is inlined else ("embedding", 9))
        usages.clear()


# Cohere


def cohere_batch(status: str, **more: Any) -> dict[str, Any]:
    batch = {
        "id": "b-1",
        "name": "b",
        "status": f"BATCH_STATUS_{status}",
        "created_at": "2026-09-21T14:13:20Z",
        "input_dataset_id": "d",
        "model": "command-a",
    }
    return {"batch": {**batch, **more}}


def test_coheres_batch(usages: Usages) -> None:
    done = cohere_batch("COMPLETED", input_tokens="1200", output_tokens="300", num_records=10, num_successful_records=9)
    answers = {"POST /v2/batches": cohere_batch("QUEUED"), "GET /v2/batches/b-1": [cohere_batch("IN_PROGRESS", input_tokens="7"), done]}
    with JobServer(answers) as server:
        client = cohere.ClientV2(api_key="none", base_url=server.url)
        with track_tokens(tenant_id="acme"):
            client.batches.create(request=cohere.batches.Batch(name="b", input_dataset_id="d", model="command-a"))
        for _ in range(10):
            client.batches.retrieve("b-1")
    assert totals(usages) == (1, 9, 1200, 300)
    assert whose(usages) == {("acme", "batch")}
    assert (usages[0].provider, usages[0].key_kind, usages[0].key_time) == ("cohere", "object", CREATED * 10**9)


# At hand


def test_results_that_an_sdk_has_read_count_no_second_time_at_hand(usages: Usages) -> None:
    inlined = {"inlinedResponses": {"inlinedResponses": [{"response": gemini_response(0)}]}}
    batch = mistral_batch("SUCCESS", output_file="out")
    answers = anthropic_answers(lines(message_result(0), *FAILED)) | gemini_answers(inlined)
    answers |= {
        "GET /v1/messages/batches/msgbatch_1": message_batch("ended"),
        "GET /v1/batch/jobs/job-1": batch,
        "GET /v1/files/out/content": lines(mistral_result(0)),
    }
    with JobServer(answers) as server:
        list(anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0).messages.batches.results("msgbatch_1"))
        google, mistral = gemini(server), Mistral(api_key="none", server_url=server.url)
        for _ in range(2):
            google.batches.get(name="batches/1")
        mistral.batch.jobs.get(job_id="job-1")
        mistral.files.download(file_id="out").read()
    assert totals(usages) == (3, 3, 32 + 13 + 27, 4 + 44 + 2)
    found = [
        track_response("anthropic", "batch", lines(message_result(0), *FAILED), job="msgbatch_1"),
        track_response("gcp.gemini", "batch", gemini_batch("SUCCEEDED", inlined), job="batches/1"),
        track_response("mistral_ai", "batch", lines(mistral_result(0)), job="out"),
    ]
    assert track_response("mistral_ai", "batch", batch, job="job-1") == ""
    assert found == [each.key for each in usages]
    assert len(usages) == 3
    line = lines({"key": "a", "response": gemini_response(1)})
    assert track_response("gcp.gemini", "batch", line, job="files/f") == track_response("gcp.gemini", "batch", line, job="f")
    assert len(usages) == 4


def test_a_batch_at_hand_that_states_its_own_usage(usages: Usages) -> None:
    done = cohere_batch("COMPLETED", input_tokens="1200", output_tokens="300", num_records=10, num_successful_records=9)
    track_response("cohere", "batch", done, job="b-1")
    usage = {"input_tokens": 9, "output_tokens": 4, "total_tokens": 13}
    counts = {"total": 2, "completed": 2, "failed": 0}
    batch = {"id": "batch_1", "object": "batch", "status": "completed", "created_at": CREATED, "output_file_id": "out", "usage": usage}
    for body, job in ((mistral_result(0), "out"), (batch | {"request_counts": counts}, "batch_1"), (mistral_result(1), "out")):
        track_response("openai", "batch", body, job=job)
    assert [(each.provider, each.calls, each.input_tokens, each.output_tokens) for each in usages] == [
        ("cohere", 9, 1200, 300),
        ("openai", 2, 9, 4),
    ]


def test_a_line_at_which_a_reader_fails_takes_no_other_with_it(usages: Usages) -> None:
    def find(name: str, line: Any) -> Iterator[Finding]:
        if line["id"] == 2:
            raise RuntimeError("our mistake")
        yield Finding(name, part=str(line["id"]), reading=(Answer(input_tokens=line["id"]), "complete"))

    endpoint = Endpoint(name="batch", gen_ai_operation="chat", operation="batch", texts=lambda _body: (), read=lambda _answer: None, findings=find)
    JobReader(endpoint, "file-1", Request(provider="openai", endpoint="batch", gen_ai_operation="chat")).read_whole(
        b'{"id": 1}\n{"id": 2}\n{"id": 3}\n'
    )
    assert [usage.input_tokens for usage in usages.recorded] == [1, 3]
    errors = current.runtime.diagnostics.internal_errors
    assert errors == {"jobs": 1}
    errors.clear()
