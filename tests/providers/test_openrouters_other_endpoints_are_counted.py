"""OpenRouter's SDK beside chats: images, audio, decisions and batches, each with the tokens that its answer states, sync and async."""

from __future__ import annotations

import base64
from importlib.util import find_spec
from typing import Any

import pytest

from tests.support.job_server import JobServer
from tests.support.provider_sdks import client_of, is_there
from tests.support.scripted import ScriptedServer, sse
from tokentrail import track_tokens
from tokentrail.testing import Usages

IS_NEW = is_there("openrouter") and all(find_spec(f"openrouter.{name}") for name in ("batch", "images", "stt", "systemone", "tts"))
pytestmark = pytest.mark.skipif(not IS_NEW, reason="the SDK is not installed, or has only chats")

CREATED = 1790000000
USAGE = {
    "prompt_tokens": 40,
    "completion_tokens": 4175,
    "total_tokens": 4215,
    "cost": 0.04,
    "prompt_tokens_details": {"cached_tokens": 32},
    "completion_tokens_details": {"image_tokens": 4160, "reasoning_tokens": 9},
}
IMAGE = {"created": CREATED, "data": [{"b64_json": "aaaa"}], "usage": USAGE}
HEARD = {"text": "lorem ipsum", "usage": {"seconds": 2.5, "input_tokens": 83, "output_tokens": 30, "total_tokens": 113, "cost": 0.001}}
DECIDED = {
    "answers": {"a": {"type": "noul", "noul": True}},
    "model": "typesafe/jev-1.13",
    "id": "gen-1",
    "usage": {"input_tokens": 7, "output_tokens": 2},
}
AUDIO = {"data": base64.b64encode(b"lorem").decode(), "format": "wav"}


def rows(usages: Usages) -> list[tuple[Any, ...]]:
    return [(u.provider, u.endpoint, u.request_model, u.input_tokens, u.output_tokens, u.ended) for u in usages.recorded]


@pytest.fixture(params=["sync", "async"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def ask(way: str, owner: Any, name: str, **given: Any) -> Any:
    return getattr(owner, name)(**given) if way == "sync" else await getattr(owner, f"{name}_async")(**given)


async def test_images(way: str, usages: Usages) -> None:
    with ScriptedServer(IMAGE) as server, client_of("openrouter", server.url) as client:
        assert (await ask(way, client.images, "generate", model="lorem", prompt="ipsum")).data[0].b64_json == "aaaa"
    assert rows(usages) == [("openrouter", "images", "lorem", 40, 4175, "complete")]
    (usage,) = usages
    assert (usage.cache_read_tokens, usage.image_output_tokens, usage.reasoning_tokens, usage.input_chars) == (32, 4160, 9, 5)


async def test_a_stream_of_images(way: str, usages: Usages) -> None:
    partial = {"type": "image_generation.partial_image", "b64_json": "aa", "partial_image_index": 0}
    last = {"type": "image_generation.completed", "b64_json": "aaaa", "created": CREATED, "usage": USAGE}
    with ScriptedServer(sse([partial, last])) as server, client_of("openrouter", server.url) as client:
        told = await ask(way, client.images, "generate", model="lorem", prompt="ipsum", stream=True)
        kinds = [event.type for event in told] if way == "sync" else [event.type async for event in told]
    assert kinds == [partial["type"], last["type"]]
    assert rows(usages) == [("openrouter", "images", "lorem", 40, 4175, "complete")]


async def test_transcriptions(way: str, usages: Usages) -> None:
    with ScriptedServer(HEARD) as server, client_of("openrouter", server.url) as client:
        assert (await ask(way, client.stt, "create_transcription", model="lorem", input_audio=AUDIO)).text == "lorem ipsum"
        file = {"file_name": "a.wav", "content": b"lorem"}
        assert (await ask(way, client.stt, "create_transcription_multipart", model="lorem", file=file)).text == "lorem ipsum"
    assert rows(usages) == [("openrouter", "transcriptions", "lorem", 83, 30, "complete")] * 2


async def test_speech_is_a_call_without_counts_whose_bytes_are_the_callers(way: str, usages: Usages) -> None:
    with ScriptedServer(b"\x00\n{[data: " * 1000) as server, client_of("openrouter", server.url) as client:
        response = await ask(way, client.tts, "create_speech", model="lorem", input="ipsum", voice="alloy")
        assert len(response.read() if way == "sync" else await response.aread()) == 10_000
    assert rows(usages) == [("openrouter", "speech", "lorem", None, None, "complete")]


async def test_decisions(way: str, usages: Usages) -> None:
    questions = {"a": {"type": "noul", "instructions": "dolor?"}}
    with ScriptedServer(DECIDED) as server, client_of("openrouter", server.url) as client:
        decisions = await ask(way, client.system_one, "create", model="jev", questions=questions, state="lorem")
        assert decisions.usage.input_tokens == 7
    assert rows(usages) == [("openrouter", "decisions", "jev", 7, 2, "complete")]
    assert (usages[0].response_model, usages[0].operation, usages[0].input_chars) == ("typesafe/jev-1.13", "classification", 5)


def batch(status: str, **more: Any) -> dict[str, Any]:
    counts = {"total": 2, "completed": 2, "failed": 0}
    head = {"id": "batch_1", "object": "batch", "endpoint": "/v1/chat/completions", "model": "lorem", "created_at": CREATED, "provider": None}
    none: dict[str, Any] = {"error": None, "expires_at": None, "finalized_at": None, "results": None, "usage": None}
    return {**head, **none, "completion_window": "24h", "status": status, "request_counts": counts, **more}


def result(number: int, body: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"r-{number}", "custom_id": str(number), "error": None, "response": {"status_code": 200, "request_id": "q", "body": body}}


TOLD = {"role": "assistant", "content": "lorem", "refusal": None}
CHAT = {
    "id": "gen-1",
    "object": "chat.completion",
    "created": CREATED,
    "model": "lorem",
    "provider": "ipsum",
    "system_fingerprint": None,
    "choices": [{"index": 0, "finish_reason": "stop", "native_finish_reason": "stop", "logprobs": None, "message": TOLD}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8},
}
UNSTATED = ("cache_creation", "inference_geo", "output_tokens_details", "server_tool_use", "service_tier")
MESSAGE = {
    "id": "gen-2",
    "type": "message",
    "role": "assistant",
    "model": "lorem",
    "content": [{"type": "text", "text": "lorem", "citations": None}],
    "container": None,
    "stop_details": None,
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 20, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 0, "output_tokens": 4, **dict.fromkeys(UNSTATED)},
}


@pytest.mark.parametrize("stated", [True, False])
async def test_a_batch_counts_once(way: str, stated: bool, usages: Usages) -> None:
    done = batch("completed", results=[result(0, CHAT), result(1, MESSAGE)], usage=USAGE if stated else None)
    answers = {"POST /batches": (202, batch("validating")), "GET /batches/batch_1": [batch("in_progress"), done]}
    with JobServer(answers) as server, client_of("openrouter", server.url) as client:
        with track_tokens("extraction", tenant_id="acme"):
            body = {"model": "lorem", "messages": [{"role": "user", "content": "lorem"}]}
            await ask(
                way, client.batch, "create_batches", endpoint="/v1/chat/completions", model="lorem", requests=[{"custom_id": "0", "body": body}]
            )
        for _ in range(4):
            await ask(way, client.batch, "get_batches", id="batch_1")
    found = [(u.calls, u.input_tokens, u.output_tokens, u.cache_read_tokens) for u in usages]
    assert found == ([(2, 40, 4175, 32)] if stated else [(1, 5, 3, None), (1, 27, 4, 7)])
    assert {(u.tenant_id, u.operation, u.endpoint, u.provider) for u in usages} == {("acme", "extraction", "batch", "openrouter")}
    assert len(usages.recorded) == len(usages)
