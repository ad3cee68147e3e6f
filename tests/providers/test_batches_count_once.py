"""A batch is a job: it counts once, by whoever and however often it is polled or its results are read, for the tenant that created it.

The recordings are written by hand from the providers' documentation, after exchanges that were recorded elsewhere.
"""

from __future__ import annotations

import time
from typing import Any

import groq
import openai
import pytest

from tests.support.job_server import JobServer, lines
from tokentrail import track_tokens
from tokentrail.testing import Usages, collect_usages

CREATED = 1790000000
TOTAL = {
    "input_tokens": 36,
    "input_tokens_details": {"cached_tokens": 8},
    "output_tokens": 224,
    "output_tokens_details": {"reasoning_tokens": 128},
    "total_tokens": 260,
}
ZEROS = {**TOTAL, "input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
SDKS = ("openai", "azure", "groq")


def batch(status: str, *, usage: Any = None, output: str | None = None, completed: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "id": "batch_1",
        "object": "batch",
        "endpoint": "/v1/chat/completions",
        "model": "gpt-5-nano-2025-08-07",
        "input_file_id": "file-in",
        "completion_window": "24h",
        "status": status,
        "output_file_id": output,
        "error_file_id": None,
        "created_at": CREATED,
        "request_counts": {"total": 2, "completed": completed, "failed": 0},
        "usage": usage,
        **more,
    }


def result(number: int, *, status: int = 200, cached: int = 4, **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": CREATED + 60,
        "model": "gpt-5-nano-2025-08-07",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "lorem"}}],
        "usage": {
            "prompt_tokens": 10 + number,
            "completion_tokens": 3,
            "total_tokens": 13 + number,
            "prompt_tokens_details": {"cached_tokens": cached},
        },
    }
    if status != 200:
        body = {"error": {"message": "no", "type": "invalid_request_error"}}
    response = {"status_code": status, "request_id": f"req-{number}", "body": body}
    return {"id": f"batch_req_{number}", "custom_id": f"a/b {number}", "response": response, "error": None, **more}


def ended(**more: Any) -> dict[str, Any]:
    return batch("completed", output="file-out", completed=2, **more)


def client_of(server: JobServer, sdk: str = "openai") -> Any:
    if sdk == "groq":
        return groq.Groq(base_url=server.url, api_key="none", max_retries=0)
    if sdk == "azure":
        return openai.AzureOpenAI(azure_endpoint=server.url, api_key="none", api_version="2025-04-01-preview", max_retries=0)
    return openai.OpenAI(base_url=server.url, api_key="none", max_retries=0)


def answers(sdk: str = "openai", **by_name: Any) -> dict[str, Any]:
    prefix = {"groq": "/openai/v1", "azure": "/openai"}.get(sdk, "")
    names = {
        "create": "POST {}/batches",
        "get": "GET {}/batches/batch_1",
        "cancel": "POST {}/batches/batch_1/cancel",
        "file": "GET {}/files/file-out/content",
    }
    return {names[name].format(prefix): answer for name, answer in by_name.items()}


def create(client: Any) -> Any:
    return client.batches.create(input_file_id="file-in", endpoint="/v1/chat/completions", completion_window="24h")


def totals(usages: Usages) -> tuple[Any, ...]:
    return len(usages), usages.calls, usages.input_tokens, usages.output_tokens


@pytest.mark.parametrize("sdk", ["openai", "azure"])
def test_polled_ten_times_it_counts_once_by_its_own_usage(sdk: str, usages: Usages) -> None:
    polls = [batch("validating", usage=ZEROS), batch("in_progress", usage=ZEROS), batch("finalizing", usage=TOTAL), ended(usage=TOTAL)]
    with JobServer(answers(sdk, create=batch("validating", usage=ZEROS), get=polls)) as server:
        client = client_of(server, sdk)
        create(client)
        for _ in range(3):
            client.batches.retrieve("batch_1")
        assert not usages.recorded
        for _ in range(10):
            assert client.batches.retrieve("batch_1").usage.input_tokens == 36
    assert len(usages.recorded) == 1
    (usage,) = usages
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.reasoning_tokens) == (36, 224, 8, 128)
    assert (usage.calls, usage.operation, usage.endpoint, usage.token_type, usage.ended) == (2, "batch", "batch", "llm", "complete")
    assert (usage.key_kind, usage.key_time, usage.response_id) == ("object", CREATED * 10**9, "batch_1")
    assert (usage.response_model, usage.server_address, usage.source) == ("gpt-5-nano-2025-08-07", "127.0.0.1", "reported")


@pytest.mark.parametrize("sdk", SDKS)
@pytest.mark.parametrize("way", ["content", "raw", "streamed", "get"])
def test_without_a_usage_of_its_own_each_result_counts_once(sdk: str, way: str, usages: Usages) -> None:
    file = lines(result(0), result(1), result(2, status=400), {**result(3), "response": None, "error": {"code": "batch_expired"}})
    with JobServer(answers(sdk, create=batch("validating"), get=ended(), file=file), chunks=100) as server:
        client = client_of(server, sdk)
        create(client)
        done = client.batches.retrieve("batch_1")
        for _ in range(2):
            assert read(client, done.output_file_id, way) == file
    assert totals(usages) == (2, 2, 21, 6)
    assert len(usages.recorded) == 2
    first = usages[0]
    assert (first.operation, first.endpoint, first.gen_ai_operation, first.response_id) == ("batch", "batch", "chat", "chatcmpl-0")
    assert (first.key_kind, first.key_time, first.cache_read_tokens) == ("object", (CREATED + 60) * 10**9, 4)


def read(client: Any, file: str, way: str) -> bytes:
    if way == "raw":
        answer = client.files.with_raw_response.content(file)
        return bytes(answer.content if hasattr(answer, "content") else answer.read())
    if way == "streamed":
        with client.files.with_streaming_response.content(file) as response:
            return b"".join(response.iter_bytes(50))
    if way == "get":
        return str(client.get(f"{'/openai/v1' if isinstance(client, groq.Groq) else ''}/files/{file}/content", cast_to=str)).encode()
    return bytes(client.files.content(file).read())


@pytest.mark.parametrize("order", ["poll first", "read first", "read a part, then poll"])
def test_results_do_not_count_where_the_batch_states_its_usage(order: str, usages: Usages) -> None:
    with JobServer(answers(get=ended(usage=TOTAL), file=lines(result(0), result(1))), chunks=20) as server:
        client = client_of(server)
        if order == "poll first":
            client.batches.retrieve("batch_1")
        if order == "read a part, then poll":
            with client.files.with_streaming_response.content("file-out") as response:
                next(response.iter_lines())
            assert usages.calls == 1
        else:
            client.files.content("file-out")
        client.batches.retrieve("batch_1")
        client.files.content("file-out")
    assert totals(usages) == (1, 2, 36, 224)


async def test_async(usages: Usages) -> None:
    with JobServer(answers(create=batch("validating"), get=[batch("in_progress"), ended()], file=lines(result(0), result(1))), chunks=70) as server:
        client = openai.AsyncOpenAI(base_url=server.url, api_key="none")
        await create(client)
        for _ in range(3):
            await client.batches.retrieve("batch_1")
        await client.files.content("file-out")
        async with client.files.with_streaming_response.content("file-out") as response:
            assert len([line async for line in response.iter_lines()]) == 2
    assert totals(usages) == (2, 2, 21, 6)


@pytest.mark.parametrize("usage", [TOTAL, None])
def test_the_creation_says_whose_it_is_and_what_for(usage: Any, usages: Usages) -> None:
    served = answers(create=batch("validating"), get=[batch("in_progress"), ended(usage=usage)], file=lines(result(0), result(1)))
    with JobServer(served) as server:
        client = client_of(server)
        with track_tokens(tenant_id="acme", operation="summarize", operation_id="job-7", metadata={"team": "a"}):
            create(client)
        with track_tokens(tenant_id="poller", operation="internal"):
            client.batches.retrieve("batch_1")
            client.batches.retrieve("batch_1")
            client.files.content("file-out")
    assert len(usages) == (1 if usage else 2)
    assert {(each.tenant_id, each.operation, each.operation_id, each.metadata) for each in usages} == {
        ("acme", "summarize", "job-7", '{"team": "a"}')
    }


def test_where_the_creation_is_not_known_the_tenant_is_the_readers_and_the_operation_is_batch(usages: Usages) -> None:
    with JobServer(answers(file=lines(result(0)))) as server, track_tokens(tenant_id="reader", operation="chat"):
        client_of(server).files.content("file-out")
    assert [(each.tenant_id, each.operation) for each in usages] == [("reader", "batch")]


def test_a_batch_of_another_collection_is_another_one(usages: Usages) -> None:
    with JobServer(answers(create=batch("validating"), get=ended(usage=TOTAL))) as server:
        client = client_of(server)
        with track_tokens(tenant_id="acme"):
            create(client)
        with collect_usages() as inner:
            client.batches.retrieve("batch_1")
        client.batches.retrieve("batch_1")
    assert ([each.tenant_id for each in inner], [each.tenant_id for each in usages]) == ([""], ["acme"])


def test_partly_read_results_count_in_part(usages: Usages) -> None:
    with JobServer(answers(file=lines(*map(result, range(5)))), chunks=10) as server:
        client = client_of(server)
        with client.files.with_streaming_response.content("file-out") as response:
            read = response.iter_lines()
            next(read), next(read)
        assert usages.calls == 2
        client.files.content("file-out")
    assert usages.calls == 5


def test_raw_bytes_count_too(usages: Usages) -> None:
    file = lines(result(0), result(1)).rstrip()  # the last line has no end
    with JobServer(answers(file=file), chunks=33) as server:
        client = client_of(server)
        with client.files.with_streaming_response.content("file-out") as response:
            assert b"".join(response.http_response.iter_raw()) == file
    assert totals(usages) == (2, 2, 21, 6)


@pytest.mark.parametrize(("status", "end"), [("expired", "partial"), ("cancelled", "partial"), ("failed", "error"), ("cancelling", None)])
@pytest.mark.parametrize("usage", [TOTAL, None])
def test_however_it_ends_what_was_done_counts(status: str, end: str | None, usage: Any, usages: Usages) -> None:
    stopped = batch(status, usage=usage, output="file-out", completed=1)
    unfinished = {**result(1), "response": None, "error": {"code": "batch_expired", "message": "lorem"}}
    with JobServer(answers(cancel=stopped, get=stopped, file=lines(result(0), unfinished))) as server:
        client = client_of(server)
        client.batches.cancel("batch_1")
        client.batches.retrieve("batch_1")
        if usage is None:
            client.files.content("file-out")
            assert totals(usages) == (1, 1, 10, 3)
        else:
            assert [(each.ended, each.calls, each.input_tokens) for each in usages] == ([(end, 1, 36)] if end else [])


def test_nothing_done_is_nothing_spent(usages: Usages) -> None:
    with JobServer(answers(create=(400, {"error": {"message": "no"}}), get=batch("failed", usage=ZEROS))) as server:
        client = client_of(server)
        with pytest.raises(openai.BadRequestError):
            create(client)
        client.batches.retrieve("batch_1")
        with pytest.raises(openai.NotFoundError):
            client.files.content("file-out")
    assert not usages.recorded


def test_embeddings_and_responses_are_read_by_their_shape(usages: Usages) -> None:
    def of(number: int, body: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": f"batch_req_{number}",
            "custom_id": str(number),
            "response": {"status_code": 200, "request_id": "r", "body": body},
            "error": None,
        }

    vectors = {
        "object": "list",
        "model": "text-embedding-3-small",
        "data": [{"embedding": [0.1]}],
        "usage": {"prompt_tokens": 13, "total_tokens": 13},
    }
    response = {"id": "resp_1", "object": "response", "created_at": CREATED, "status": "completed", "model": "gpt-5", "output": [], "usage": TOTAL}
    text = {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": CREATED,
        "choices": [{"text": "a"}],
        "usage": {"prompt_tokens": 2, "completion_tokens": 1},
    }
    with JobServer(answers(file=lines(of(0, vectors), of(1, response), of(2, text)))) as server:
        client_of(server).files.content("file-out")
    assert [(each.token_type, each.gen_ai_operation, each.input_tokens, each.output_tokens) for each in usages] == [
        ("embedding", "embeddings", 13, None),
        ("llm", "chat", 36, 224),
        ("llm", "chat", 2, 1),
    ]
    assert usages[0].key_kind == "opaque"


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"\n\n",
        b"<html>no</html>",
        b"[1, 2]\n",
        b'{"a": 1}\n',
        b'{"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {"usage": {"prompt_tokens": 1}}}\n',
        b'{"custom_id": null, "response": {"status_code": 200, "body": {"usage": {"prompt_tokens": 1}}}}\n',
        b'{"custom_id": "1", "id": 7, "response": {"status_code": "x", "body": {"usage": {"prompt_tokens": 1}}}}\n',
        b'{"custom_id": "1", "response": {"status_code": 200, "body": {"choices": null, "usage": "many"',
        b"\x00\xff\xfe" * 1000,
    ],
)
@pytest.mark.parametrize("chunks", [0, 7])
def test_any_other_file_is_no_result(file: bytes, chunks: int, usages: Usages) -> None:
    with JobServer(answers(file=file), chunks=chunks) as server:
        client = client_of(server)
        assert client.files.content("file-out").read() == file
        with client.files.with_streaming_response.content("file-out") as response:
            assert response.read() == file
    assert not usages.recorded


@pytest.mark.parametrize(
    "counts", [{"prompt_tokens": "12", "completion_tokens": -1}, {"prompt_tokens": 2**63, "completion_tokens": [None]}, {"prompt_tokens": {}}]
)
def test_bad_counts_are_not_stated(counts: Any, usages: Usages) -> None:
    bad = result(0)
    bad["response"]["body"]["usage"] = counts
    with JobServer(answers(file=lines(bad, result(1)), get=ended(usage={"input_tokens": "x", "output_tokens": -4}))) as server:
        client = client_of(server)
        client.batches.retrieve("batch_1")
        client.files.content("file-out")
    assert [(each.input_tokens, each.output_tokens) for each in usages.by("key").popitem()[1]] == [(11, 3)]
    assert usages[0].output_tokens is None


def test_ten_thousand_results_count_once_and_hold_nobody_up(usages: Usages) -> None:
    file = lines(*({**result(n), "id": f"batch_req_{n}"} for n in range(10_000)))
    with JobServer(answers(file=file)) as server:
        client = client_of(server)
        begun = time.thread_time()
        for _ in range(2):
            client.files.content("file-out")
        spent = time.thread_time() - begun
    assert totals(usages) == (10_000, 10_000, sum(range(10, 10_010)), 30_000)
    assert len(usages.recorded) == 10_000
    assert spent < 1, "the lines are read by another thread"
