"""A background response is a job: recorded when somebody first sees its end, under its own id, by whoever and however often it is polled."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.support.scripted import ScriptedServer, sse
from tokentrail import track_tokens
from tokentrail.testing import Usages

pytestmark = pytest.mark.skipif(not hasattr(openai.OpenAI, "responses"), reason="this openai has no Responses")

USAGE = {
    "input_tokens": 70,
    "input_tokens_details": {"cached_tokens": 64},
    "output_tokens": 21,
    "output_tokens_details": {"reasoning_tokens": 13},
    "total_tokens": 91,
}


def response(status: str, *, background: bool | None = True, **more: Any) -> dict[str, Any]:
    text = [
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "lorem", "annotations": []}],
        }
    ]
    done = {"usage": USAGE, "output": text} if status in {"completed", "incomplete"} else {"usage": None, "output": []}
    return {
        "id": "resp_job",
        "object": "response",
        "created_at": 1790000000,
        "status": status,
        "background": background,
        "model": "gpt-4o-mini-2024-07-18",
        "tools": [],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        **done,
        **more,
    }


def client_of(server: ScriptedServer) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.url, api_key="none", max_retries=0)


def test_polled_until_it_ends_and_twice_more(usages: Usages) -> None:
    with ScriptedServer(response("queued"), response("in_progress"), response("completed")) as server:
        client = client_of(server)
        made = client.responses.create(model="gpt-4o-mini", input="hello", background=True)
        assert client.responses.retrieve(made.id).status == "in_progress"
        assert not usages.recorded
        for _ in range(3):
            assert client.responses.retrieve(made.id).status == "completed"
    assert len({usage.key for usage in usages.recorded}) == 1
    assert len(usages) == 1
    assert (usages[0].input_tokens, usages[0].output_tokens, usages[0].cache_read_tokens, usages[0].reasoning_tokens) == (70, 21, 64, 13)
    assert (usages[0].key_kind, usages[0].key_time) == ("object", 1790000000 * 10**9)


async def test_polled_async(usages: Usages) -> None:
    with ScriptedServer(response("queued"), response("completed")) as server:
        client = openai.AsyncOpenAI(base_url=server.url, api_key="none")
        await client.responses.create(model="gpt-4o-mini", input="hello", background=True)
        await client.responses.retrieve("resp_job")
    assert [usage.input_tokens for usage in usages.recorded] == [70]


def test_a_response_that_was_counted_when_it_was_made_is_not_counted_when_it_is_retrieved(usages: Usages) -> None:
    with ScriptedServer(response("completed", background=False), response("completed", background=None)) as server:
        client = client_of(server)
        client.responses.create(model="gpt-4o-mini", input="hello")
        client.responses.retrieve("resp_job")
        client.responses.with_raw_response.retrieve("resp_job")
    assert [(usage.input_tokens, usage.key_kind) for usage in usages.recorded] == [(70, "automatic")]


def test_cancelled(usages: Usages) -> None:
    with ScriptedServer(response("in_progress"), response("cancelled")) as server:
        client = client_of(server)
        client.responses.create(model="gpt-4o-mini", input="hello", background=True)
        client.responses.cancel("resp_job")
    assert [(usage.ended, usage.input_tokens, usage.key_kind) for usage in usages.recorded] == [("partial", None, "object")]


@pytest.mark.parametrize("read", [2, 4])
def test_streamed_and_then_retrieved(read: int, usages: Usages) -> None:
    events = [
        {"type": "response.created", "sequence_number": 0, "response": response("queued")},
        {"type": "response.in_progress", "sequence_number": 1, "response": response("in_progress")},
        {
            "type": "response.output_text.delta",
            "sequence_number": 2,
            "item_id": "m",
            "output_index": 0,
            "content_index": 0,
            "delta": "lorem",
            "logprobs": [],
        },
        {"type": "response.completed", "sequence_number": 3, "response": response("completed")},
    ]
    with ScriptedServer(sse(events, done=False, names=True), response("completed")) as server:
        client = client_of(server)
        stream = client.responses.create(model="gpt-4o-mini", input="hello", background=True, stream=True)
        for _ in range(read):
            next(stream)
        stream.close()
        assert len(usages.recorded) == (1 if read == 4 else 0)
        client.responses.retrieve("resp_job")
    assert len(usages) == 1
    assert usages[0].input_tokens == 70


def test_what_fails_while_it_is_made_spends_nothing(usages: Usages) -> None:
    with ScriptedServer((400, {"error": {"message": "no"}})) as server, pytest.raises(openai.BadRequestError):
        client_of(server).responses.create(model="gpt-4o-mini", input="hello", background=True)
    assert not usages.recorded


@pytest.mark.parametrize("way", ["created", "streamed", "streamed as bytes", "raw"])
def test_the_creation_says_whose_it_is_and_what_for(way: str, usages: Usages) -> None:
    begun = sse([{"type": "response.created", "sequence_number": 0, "response": response("queued")}], done=False, names=True)
    with ScriptedServer(begun if way.startswith("streamed") else response("queued"), response("completed")) as server:
        client = client_of(server)
        with track_tokens(tenant_id="acme", operation="summarize", operation_id="7"):
            if way == "streamed":
                stream = client.responses.create(model="gpt-4o-mini", input="hello", background=True, stream=True)
                next(stream)
                stream.close()
            elif way == "streamed as bytes":
                with client.responses.with_streaming_response.create(model="gpt-4o-mini", input="hello", background=True, stream=True) as raw:
                    raw.read()
            else:
                (client.responses if way == "created" else client.responses.with_raw_response).create(
                    model="gpt-4o-mini", input="hello", background=True
                )
        with track_tokens(tenant_id="poller", operation="internal"):
            assert not usages.recorded
            client.responses.retrieve("resp_job")
    assert [(usage.tenant_id, usage.operation, usage.operation_id, usage.input_tokens) for usage in usages] == [("acme", "summarize", "7", 70)]
