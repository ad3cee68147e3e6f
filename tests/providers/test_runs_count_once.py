"""A run of an assistant is a job: recorded when a call first sees its end, under its own id, however often it is polled."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.support.scripted import ScriptedServer, sse
from tokentrail.testing import Usages

pytestmark = [
    pytest.mark.skipif(not hasattr(openai.resources.beta.Beta, "threads"), reason="this openai has no Assistants"),
    pytest.mark.filterwarnings("ignore:.*Assistants API is deprecated:DeprecationWarning"),
]

USAGE = {
    "prompt_tokens": 382,
    "completion_tokens": 90,
    "total_tokens": 472,
    "prompt_token_details": {"cached_tokens": 64},
    "completion_tokens_details": {"reasoning_tokens": 7},
}


def run(status: str, **more: Any) -> dict[str, Any]:
    usage = USAGE if status in {"completed", "incomplete", "failed", "cancelled", "expired"} else None
    named = {"id": "run_1", "object": "thread.run", "created_at": 1790000000, "assistant_id": "asst_1", "thread_id": "thread_1"}
    return {**named, "status": status, "model": "gpt-4o-mini", "instructions": "abc", "tools": [], "usage": usage, **more}


def events(*statuses: str) -> list[bytes]:
    step = {"id": "step_1", "object": "thread.run.step", "run_id": "run_1", "status": "completed", "usage": USAGE}
    sent = []
    for status in statuses:
        sent += [(f"thread.run.{status}", run(status)), ("thread.run.step.completed", step)]
    lines = [f"event: {name}\n".encode() + sse([told], done=False)[0] for name, told in sent]
    return [*lines, b"event: done\ndata: [DONE]\n\n"]


def client_of(server: ScriptedServer) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.url, api_key="none", max_retries=0)


def assert_one(usages: Usages, ended: str = "complete") -> None:
    assert len(usages) == 1
    (usage,) = usages
    assert (usage.endpoint, usage.request_model or usage.response_model, usage.response_id) == ("runs", "gpt-4o-mini", "run_1")
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.reasoning_tokens) == (382, 90, 64, 7)
    assert (usage.key_kind, usage.key_time, usage.ended) == ("object", 1790000000 * 10**9, ended)


def test_polled_until_it_ends_and_twice_more(usages: Usages) -> None:
    with ScriptedServer(run("queued"), run("in_progress"), run("completed")) as server, client_of(server) as client:
        runs = client.beta.threads.runs
        runs.create("thread_1", assistant_id="asst_1", instructions="lorem")
        runs.retrieve("run_1", thread_id="thread_1")
        assert not usages.recorded
        for _ in range(3):
            runs.retrieve("run_1", thread_id="thread_1")
    assert len(usages.recorded) == 3
    assert_one(usages)


async def test_create_and_poll(usages: Usages) -> None:
    for make in (openai.OpenAI, openai.AsyncOpenAI):
        with ScriptedServer(run("queued"), run("in_progress"), run("completed")) as server:
            client = make(base_url=server.url, api_key="none", max_retries=0)
            told = client.beta.threads.runs.create_and_poll(thread_id="thread_1", assistant_id="asst_1", poll_interval_ms=1)
            assert (told if make is openai.OpenAI else await told).status == "completed"
    assert len(usages.recorded) == 2
    assert_one(usages)


def test_a_thread_and_its_run(usages: Usages) -> None:
    with ScriptedServer(run("completed")) as server, client_of(server) as client:
        client.beta.threads.create_and_run(assistant_id="asst_1", thread={"messages": [{"role": "user", "content": "lorem"}]})
        assert server.paths == ["/threads/runs"]
    assert_one(usages)
    assert usages[0].input_chars == len("lorem")


async def test_streams(usages: Usages) -> None:
    with ScriptedServer(events("created", "in_progress", "completed")) as server, client_of(server) as client:
        runs = client.beta.threads.runs
        assert len(list(runs.create("thread_1", assistant_id="asst_1", stream=True))) == 6
        with runs.stream(thread_id="thread_1", assistant_id="asst_1") as stream:
            stream.until_done()
        with runs.with_streaming_response.create("thread_1", assistant_id="asst_1", stream=True) as response:
            response.read()
        async with openai.AsyncOpenAI(base_url=server.url, api_key="none") as client_async:
            async for _ in await client_async.beta.threads.runs.create("thread_1", assistant_id="asst_1", stream=True):
                pass
    assert len(usages.recorded) == 4
    assert_one(usages)


def test_a_stream_that_waits_for_tools_is_no_end(usages: Usages) -> None:
    with ScriptedServer(events("created", "requires_action"), events("completed")) as server, client_of(server) as client:
        list(client.beta.threads.runs.create("thread_1", assistant_id="asst_1", stream=True))
        assert not usages.recorded
        given: dict[str, Any] = {"thread_id": "thread_1", "tool_outputs": [{"tool_call_id": "c", "output": "x"}]}
        list(client.beta.threads.runs.submit_tool_outputs("run_1", **given, stream=True))
    assert_one(usages)


@pytest.mark.parametrize(("status", "ended"), [("incomplete", "complete"), ("failed", "error"), ("cancelled", "partial"), ("expired", "partial")])
def test_other_ends(status: str, ended: str, usages: Usages) -> None:
    with ScriptedServer(run(status)) as server, client_of(server) as client:
        client.beta.threads.runs.cancel("run_1", thread_id="thread_1")
        client.get("/v1/threads/thread_1/runs/run_1?x=1", cast_to=object)
    assert len(usages.recorded) == 2
    assert_one(usages, ended)


def test_what_is_no_run(usages: Usages) -> None:
    listed = {"object": "list", "data": [run("completed")], "has_more": False}
    step = {"id": "step_1", "object": "thread.run.step", "status": "completed", "usage": USAGE}
    evaluated = {"id": "evalrun_1", "object": "eval.run", "status": "completed", "per_model_usage": [], "usage": USAGE}
    for answer in (listed, step, evaluated, {"object": "thread.run"}, {"object": "thread.run", "id": 5, "status": ["completed"]}):
        with ScriptedServer(answer) as server, client_of(server) as client:
            for path in ("/threads/t/runs", "/threads/t/runs/r", "/threads/t/runs/r/steps", "/evals/e/runs/r"):
                client.get(path, cast_to=object)
            client.post("/evals/e/runs", body={"name": "x"}, cast_to=object)
    assert not usages.recorded


@pytest.mark.parametrize("usage", [None, "many", [], {"prompt_tokens": "x", "completion_tokens": -1}, {"prompt_token_details": [1]}])
@pytest.mark.parametrize("created", [None, "soon", 1e999, -1])
def test_whatever_a_server_sends(usage: Any, created: Any, usages: Usages) -> None:
    with ScriptedServer(run("completed", usage=usage, created_at=created)) as server, client_of(server) as client:
        client.get("/threads/t/runs/r", cast_to=object)
    assert [(usage.response_id, usage.input_tokens, usage.output_tokens) for usage in usages.recorded] == [("run_1", None, None)]
