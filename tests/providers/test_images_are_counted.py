"""Images: generations, edits and variations are rows with their tokens; a stream's partial images state nothing, its last event everything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.support.scripted import ScriptedServer, sse
from tokentrail.testing import Usages

USAGE = {
    "input_tokens": 50,
    "output_tokens": 272,
    "total_tokens": 322,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
    "output_tokens_details": {"text_tokens": 12, "image_tokens": 260},
}
ANSWER = {"created": 1790000000, "data": [{"b64_json": "AAAA"}], "usage": USAGE}
PICTURE = ("picture.png", b"\x89PNG\r\n\x1a\n", "image/png")
ASK: dict[str, Any] = {"model": "gpt-image-1", "prompt": "a lorem"}
streams = pytest.mark.skipif(not hasattr(openai.types, "ImageGenCompletedEvent"), reason="this openai knows no stream of images")
pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")


def event(kind: str, **more: Any) -> dict[str, Any]:
    about = {"b64_json": "AAAA", "created_at": 1, "background": "opaque", "output_format": "png", "quality": "low", "size": "1024x1024"}
    return {"type": kind, **about, **more}


def events(of: str = "image_generation") -> list[dict[str, Any]]:
    partial = [event(f"{of}.partial_image", partial_image_index=index) for index in range(2)]
    return [*partial, event(f"{of}.completed", usage=USAGE)]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(ANSWER) as scripted:
        yield scripted


def client_of(server: ScriptedServer) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.url, api_key="none", max_retries=0)


def assert_counted(usages: Usages, number: int = 1) -> None:
    assert len(usages.recorded) == number
    for usage in usages.recorded:
        assert (usage.endpoint, usage.token_type, usage.request_model, usage.ended) == ("images", "llm", "gpt-image-1", "complete")
        assert (usage.input_tokens, usage.output_tokens, usage.image_input_tokens, usage.image_output_tokens) == (50, 272, 40, 260)


def test_generations(server: ScriptedServer, usages: Usages) -> None:
    with client_of(server) as client:
        client.images.generate(**ASK)
        assert client.images.with_raw_response.generate(**ASK).parse().data
        with client.images.with_streaming_response.generate(**ASK) as response:
            assert json.loads(response.read())["usage"] == USAGE
        client.post("/v1/images/generations?x=1", body=ASK, cast_to=object)
        client.post(f"{server.url}/openai/v1/images/generations", body=ASK, cast_to=str)
    assert_counted(usages, 5)
    assert usages[0].input_chars == len("a lorem")


async def test_edits(server: ScriptedServer, usages: Usages) -> None:
    with client_of(server) as client:
        client.images.edit(**ASK, image=PICTURE)
    async with openai.AsyncOpenAI(base_url=server.url, api_key="none") as client_async:
        await client_async.images.edit(**ASK, image=PICTURE)
        await client_async.images.generate(**ASK)
    assert_counted(usages, 3)


def test_variations_state_nothing(usages: Usages) -> None:
    with ScriptedServer({"created": 1, "data": []}) as server, client_of(server) as client:
        client.images.create_variation(image=PICTURE)
    assert [(usage.endpoint, usage.input_tokens, usage.output_tokens, usage.ended) for usage in usages.recorded] == [
        ("images", None, None, "complete")
    ]


@streams
async def test_streams(usages: Usages) -> None:
    with ScriptedServer(sse(events(), done=False, names=True)) as server, client_of(server) as client:
        assert len(list(client.images.generate(**ASK, stream=True, partial_images=2))) == 3
        with client.images.with_streaming_response.generate(**ASK, stream=True) as response:
            list(response.iter_lines())
        async with openai.AsyncOpenAI(base_url=server.url, api_key="none") as client_async:
            assert len([event async for event in await client_async.images.generate(**ASK, stream=True)]) == 3
    with ScriptedServer(sse(events("image_edit"), done=False, names=True)) as server, client_of(server) as client:
        assert len(list(client.images.edit(**ASK, image=PICTURE, stream=True))) == 3
    assert_counted(usages, 4)
    assert usages[3].stream


@streams
def test_a_stream_that_is_left_is_partial(usages: Usages) -> None:
    with ScriptedServer(sse(events(), done=False, names=True)) as server, client_of(server) as client:
        stream = client.images.generate(**ASK, stream=True)
        next(stream)
        stream.close()
    with ScriptedServer(sse(events()[:1], done=False, names=True)) as server, client_of(server) as client:
        list(client.images.generate(**ASK, stream=True))
    assert [(usage.input_tokens, usage.ended) for usage in usages.recorded] == [(None, "partial"), (None, "partial")]


def test_an_svg_has_two_models_of_which_each_spends(usages: Usages) -> None:
    written = {"model": "gpt-5.6", "input_tokens": 7, "output_tokens": 100, "reasoning_tokens": 30, "total_tokens": 107}
    both, alone = ANSWER | {"svg_usage": written}, {"created": 1, "data": [], "svg_usage": written}
    with ScriptedServer(both, alone) as server, client_of(server) as client:
        client.images.generate(**ASK)
        client.images.generate(**ASK)
    found = [(usage.response_model, usage.input_tokens, usage.output_tokens, usage.reasoning_tokens) for usage in usages.recorded]
    assert found == [("", 57, 372, 30), ("gpt-5.6", 7, 100, 30)]


@pytest.mark.parametrize(
    "usage", [None, "many", [], {"input_tokens": "x", "output_tokens": -1}, {"input_tokens": 1 << 63}, {"input_tokens_details": [1]}]
)
@pytest.mark.parametrize("type_", [None, [], "image_generation.completed"])
def test_whatever_a_server_sends(usage: Any, type_: Any, usages: Usages) -> None:
    for answer in (
        ANSWER | {"usage": usage, "svg_usage": usage, "type": type_},
        [b'data: {"type": %s, "usage": %s}\n\n' % (_json(type_), _json(usage))],
    ):
        with ScriptedServer(answer) as server, client_of(server) as client:
            client.post("/images/generations", body=ASK | {"stream": True}, cast_to=str)
    assert [(usage.input_tokens, usage.output_tokens) for usage in usages.recorded] == [(None, None)] * 2


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
