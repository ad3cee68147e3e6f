"""Sessions over a websocket: each response is a row with its usage, each transcription too, and a session that is cut leaves what is known."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
from importlib.util import find_spec
from typing import Any

import openai
import pytest

from tests.support.calls import count_own_calls
from tests.support.scripted import ScriptedServer
from tests.support.sessions import CUT, KEPT, SessionServer
from tokentrail import track_tokens
from tokentrail.testing import Usages

pytest.importorskip("openai.resources.beta.realtime.realtime", reason="this openai has no sessions")
pytestmark = pytest.mark.filterwarnings("ignore:connect.. must be used:DeprecationWarning")
IS_OUT_OF_BETA = hasattr(openai.OpenAI, "realtime")
HAS_RESPONSES = find_spec("openai.types.responses.responses_client_event") is not None
HAS_LIVE = hasattr(openai.OpenAI, "live")
PLACES = ["beta.realtime", *(["realtime"] if IS_OUT_OF_BETA else [])]

USAGE = {
    "total_tokens": 253,
    "input_tokens": 132,
    "output_tokens": 121,
    "input_token_details": {
        "text_tokens": 119,
        "audio_tokens": 13,
        "image_tokens": 5,
        "cached_tokens": 64,
        "cached_tokens_details": {"text_tokens": 64, "audio_tokens": 0},
    },
    "output_token_details": {"text_tokens": 30, "audio_tokens": 91},
}
HEARD = {"type": "tokens", "input_tokens": 26, "output_tokens": 9, "total_tokens": 35, "input_token_details": {"text_tokens": 0, "audio_tokens": 26}}
SESSION = {"id": "sess_1", "object": "realtime.session", "type": "realtime", "model": "gpt-realtime-2025-08-28"}
HEARING = SESSION | {"audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}}


def begun(name: str = "resp_1") -> dict[str, Any]:
    return {
        "type": "response.created",
        "event_id": "e",
        "response": {"id": name, "object": "realtime.response", "status": "in_progress", "usage": None},
    }


def delta(name: str = "resp_1", kind: str = "response.output_text.delta", text: str = "lorem") -> dict[str, Any]:
    return {"type": kind, "response_id": name, "item_id": "item_1", "output_index": 0, "content_index": 0, "delta": text}


def done(name: str = "resp_1", status: str = "completed", usage: Any = USAGE, **more: Any) -> dict[str, Any]:
    item = {"id": "item_1", "type": "message", "role": "assistant", "content": [{"type": "text", "text": "lorem ipsum"}]}
    response = {"id": name, "object": "realtime.response", "status": status, "output": [item], "usage": usage, **more}
    return {"type": "response.done", "event_id": "e", "response": response}


def heard(usage: Any = HEARD) -> dict[str, Any]:
    kind = "conversation.item.input_audio_transcription.completed"
    return {"type": kind, "event_id": "e", "item_id": "item_0", "content_index": 0, "transcript": "abc", "usage": usage}


CREATED = {"type": "session.created", "event_id": "e", "session": SESSION}
WHOLE = [CREATED, begun(), delta(), done()]


def client_of(server: SessionServer) -> openai.OpenAI:
    return openai.OpenAI(websocket_base_url=f"{server.url}/v1", api_key="none")


def async_client_of(server: SessionServer) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(websocket_base_url=f"{server.url}/v1", api_key="none")


def connect(client: Any, place: str = PLACES[-1], **more: Any) -> Any:
    for name in place.split("."):
        client = getattr(client, name)
    return client.connect(**(more or {"model": "gpt-realtime"}))


def read(server: SessionServer, place: str = PLACES[-1]) -> list[Any]:
    with contextlib.suppress(Exception), connect(client_of(server), place) as connection:
        return list(connection)
    return []


def counts(usages: Usages) -> list[tuple[Any, ...]]:
    return [(usage.endpoint, usage.response_id, usage.input_tokens, usage.output_tokens, usage.ended) for usage in usages.recorded]


WHOLE_ROW = ("realtime", "resp_1", 132, 121, "complete")


@pytest.mark.parametrize("place", PLACES)
async def test_each_response_is_a_row(place: str, usages: Usages) -> None:
    with SessionServer(*WHOLE, begun("resp_2"), done("resp_2")) as server:
        assert len(read(server, place)) == 6
        async with connect(async_client_of(server), place) as connection:
            assert len([event async for event in connection]) == 6
        assert server.paths == ["/v1/realtime?model=gpt-realtime"] * 2
    assert counts(usages) == [WHOLE_ROW, ("realtime", "resp_2", 132, 121, "complete")] * 2
    for usage in usages.recorded:
        assert (usage.cache_read_tokens, usage.audio_input_tokens, usage.image_input_tokens, usage.audio_output_tokens) == (64, 13, 5, 91)
        assert (usage.provider, usage.request_model, usage.response_model) == ("openai", "gpt-realtime", "gpt-realtime-2025-08-28")
        assert (usage.server_address, usage.server_port, usage.stream, usage.operation) == ("127.0.0.1", server.port, True, "chat")
    assert usages[0].time_to_first_chunk_ns
    assert usages[0].key_kind == "automatic"


SOUND = delta(kind="response.output_audio.delta", text="UklGRiQA" * 500)
SPOKEN = delta(kind="response.output_audio_transcript.delta")
APPENDED = {"type": "conversation.item.added", "event_id": "e", "item": {"id": "item_1", "type": "message", "role": "user", "content": []}}


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("event", [SOUND, SPOKEN, delta(), APPENDED], ids=lambda event: event["type"])
def test_each_event_that_ends_no_response_costs_few_calls(event: dict[str, Any], is_async: bool, usages: Usages) -> None:
    async def read_async(server: SessionServer) -> int:
        async with connect(async_client_of(server)) as connection:
            return len([event async for event in connection])

    def of(number: int) -> int:
        with SessionServer(CREATED, begun(), *[event] * number, done()) as server:

            def action() -> None:
                assert (asyncio.run(read_async(server)) if is_async else len(read(server))) == number + 3

            return count_own_calls(action)

    resumed = 100 if is_async else 0  # a coroutine that has waited for a message is entered once more
    assert of(150) - of(50) <= 3 * 100 + resumed
    assert {usage.output_chars for usage in usages.recorded} == {11}


@pytest.mark.skipif(not HAS_RESPONSES, reason="this openai has no Responses over a websocket")
@pytest.mark.parametrize("where", ["responses", *(["live"] if HAS_LIVE else [])])
def test_each_piece_of_text_of_other_sessions_costs_few_calls(where: str, usages: Usages) -> None:
    def of(number: int) -> int:
        first, piece, last = streamed()
        told = [first, *[piece] * number, last]
        if where == "live":
            told = [{"type": "response.event", "event_id": "e", "delegation_id": "d", "event": event} for event in told]
        with SessionServer(*told, waits=where == "responses") as server:

            def action() -> None:
                with getattr(client_of(server), where).connect() as connection:
                    if where == "responses":
                        connection.response.create(model="gpt-5", input="hello")
                    assert len(list(connection)) == number + 2

            return count_own_calls(action)

    assert of(150) - of(50) <= 3 * 100
    assert {usage.output_chars for usage in usages.recorded} == {150 * 5, 50 * 5}


@pytest.mark.parametrize("place", PLACES)
async def test_every_way_to_receive(place: str, usages: Usages) -> None:
    with SessionServer(*WHOLE) as server:
        with connect(client_of(server), place) as connection:
            messages = [connection.recv_bytes() for _ in WHOLE]
            assert [json.loads(message) for message in messages] == WHOLE
            assert type(messages[0]) is bytes
            connection.parse_event(messages[-1])
        connection = connect(client_of(server), place).enter()
        assert [connection.recv().type for _ in WHOLE][-1] == "response.done"
        connection.close()
        entered = await connect(async_client_of(server), place).enter()
        assert [json.loads(await entered.recv_bytes()) for _ in WHOLE] == WHOLE
        await entered.close()
        if hasattr(connection, "dispatch_events"):
            with connect(client_of(server), place) as connection:
                connection.dispatch_events()
    assert counts(usages) == [WHOLE_ROW] * len(usages.recorded)
    assert len(usages.recorded) in {3, 4}


def test_responses_side_by_side(usages: Usages) -> None:
    with SessionServer(CREATED, begun("a"), begun("b"), delta("a"), done("b", usage={"input_tokens": 1, "output_tokens": 2}), done("a")) as server:
        read(server)
    assert counts(usages) == [("realtime", "b", 1, 2, "complete"), ("realtime", "a", 132, 121, "complete")]


def test_a_transcription_is_a_call_of_another_model(usages: Usages) -> None:
    seconds = heard({"type": "duration", "seconds": 3})
    failed = {"type": "conversation.item.input_audio_transcription.failed", "item_id": "item_0", "content_index": 0, "error": {"message": "no"}}
    with SessionServer(CREATED | {"session": HEARING}, begun(), heard(), done(), seconds, failed) as server:
        read(server)
    assert counts(usages) == [
        ("transcriptions", "", 26, 9, "complete"),
        WHOLE_ROW,
        ("transcriptions", "", None, None, "complete"),
        ("transcriptions", "", None, None, "error"),
    ]
    first = usages.recorded[0]
    assert (first.request_model, first.response_model, first.audio_input_tokens) == ("gpt-4o-transcribe", "gpt-4o-transcribe", 26)


def test_the_betas_settings_name_the_model_that_transcribes(usages: Usages) -> None:
    updated = {"type": "session.updated", "event_id": "e", "session": SESSION | {"input_audio_transcription": {"model": "whisper-1"}}}
    with SessionServer(CREATED, updated, heard()) as server:
        read(server)
    assert [usage.request_model for usage in usages.recorded] == ["whisper-1"]


@pytest.mark.parametrize(("status", "ended"), [("incomplete", "complete"), ("cancelled", "partial"), ("failed", "error"), ("in_progress", "partial")])
def test_other_ends(status: str, ended: str, usages: Usages) -> None:
    with SessionServer(CREATED, begun(), done(status=status)) as server:
        read(server)
    assert counts(usages) == [("realtime", "resp_1", 132, 121, ended)]


@pytest.mark.parametrize("place", PLACES)
async def test_a_session_that_is_cut(place: str, usages: Usages) -> None:
    with SessionServer(CREATED, begun(), delta(), delta(), CUT) as server:
        with pytest.raises(Exception, match="close"), connect(client_of(server), place) as connection:
            list(connection)
        async with connect(async_client_of(server), place) as connection:
            with pytest.raises(Exception, match="close"):
                [await connection.recv() for _ in range(9)]
    assert counts(usages) == [("realtime", "resp_1", None, None, "error")] * 2
    assert [(usage.error_type.rpartition(".")[2], usage.output_chars) for usage in usages.recorded] == [("ConnectionClosedError", 10)] * 2


@pytest.mark.parametrize("place", PLACES)
async def test_a_session_that_is_closed(place: str, usages: Usages) -> None:
    with SessionServer(CREATED, begun(), delta(), KEPT) as server:
        with connect(client_of(server), place) as connection:
            [connection.recv() for _ in range(3)]
        async with connect(async_client_of(server), place) as connection:
            [await connection.recv() for _ in range(3)]
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(connection.recv(), 0.05)
            assert len(usages.recorded) == 1, "an interrupted recv is no end"
    with SessionServer(CREATED, begun()) as server:
        read(server, place)  # the server says farewell
    assert counts(usages) == [("realtime", "resp_1", None, None, "partial")] * 3


def test_a_session_that_is_dropped(usages: Usages) -> None:
    with SessionServer(CREATED, begun(), KEPT) as server:
        connection = connect(client_of(server)).enter()
        socket = connection._connection
        [connection.recv() for _ in range(2)]
        del connection
        gc.collect()
        usages.settle()
        socket.close()
    assert counts(usages) == [("realtime", "resp_1", None, None, "partial")]


def test_attribution_is_that_of_the_reader(usages: Usages) -> None:
    with SessionServer(*WHOLE) as server, connect(client_of(server)) as connection:
        track_tokens(tenant_id="acme")(lambda: list(connection))()
    assert [usage.tenant_id for usage in usages.recorded] == ["acme"]


@pytest.mark.skipif(find_spec("openai.types.realtime.call_accept_params") is None, reason="this openai takes no telephone's calls")
def test_a_telephones_call_is_watched_by_two(usages: Usages) -> None:
    with SessionServer(*WHOLE) as server:
        for _ in range(2):
            with connect(client_of(server), "realtime", call_id="rtc_1") as connection:
                list(connection)
    assert len(usages.recorded) == 2
    assert counts(usages)[0] == WHOLE_ROW
    assert len(usages) == 1


def test_azures_sessions(usages: Usages) -> None:
    with SessionServer(*WHOLE) as server:
        given: dict[str, Any] = {
            "azure_endpoint": "https://example-resource.openai.azure.com",
            "api_key": "none",
            "api_version": "2025-04-01-preview",
        }
        client = openai.AzureOpenAI(**given, websocket_base_url=f"{server.url}/openai")
        with connect(client, PLACES[-1], model="my-realtime") as connection:
            list(connection)
    assert [(usage.request_model, usage.response_model, usage.server_port) for usage in usages.recorded] == [
        ("my-realtime", "gpt-realtime-2025-08-28", server.port)
    ]


@pytest.mark.parametrize(
    "sent",
    [
        "no json", "[]", "null", '"response.done"', '{"type": ["response.done"]}', '{"type": "response.done"}',
        '{"type": "response.done", "response": "x"}', '{"type": "response.done", "response": {"id": 5, "status": [], "usage": "many", "output": 7}}',
        json.dumps(done(usage={"input_tokens": "x", "output_tokens": -1, "input_token_details": [1], "output_token_details": None})),
        json.dumps(heard("many")), '{"type": "session.created", "session": "response.done"}',
    ],
)  # fmt: skip
def test_whatever_a_server_sends(sent: str, usages: Usages) -> None:
    with SessionServer(sent) as server, connect(client_of(server)) as connection:
        assert connection.recv_bytes() == sent.encode()
    assert all((usage.input_tokens, usage.output_tokens) == (None, None) for usage in usages.recorded)


SPENT = {"input_tokens": 70, "input_tokens_details": {"cached_tokens": 64}, "output_tokens": 21, "output_tokens_details": {"reasoning_tokens": 13}}


def response(status: str, name: str = "resp_1", **more: Any) -> dict[str, Any]:
    stated = {"usage": SPENT} if status == "completed" else {}
    return {"id": name, "object": "response", "created_at": 1790000000, "status": status, "model": "gpt-5-2025", "output": [], **stated, **more}


def streamed(**more: Any) -> list[dict[str, Any]]:
    return [
        {"type": "response.created", "sequence_number": 0, "response": response("in_progress", **more)},
        {"type": "response.output_text.delta", "sequence_number": 1, "item_id": "m", "output_index": 0, "content_index": 0, "delta": "lorem"},
        {"type": "response.completed", "sequence_number": 2, "response": response("completed", **more)},
    ]


@pytest.mark.skipif(not HAS_RESPONSES, reason="this openai has no Responses over a websocket")
async def test_responses_over_a_websocket(usages: Usages) -> None:
    with SessionServer(*streamed(), waits=True) as server:
        with client_of(server).responses.connect() as connection:
            connection.response.create(model="gpt-5", input="hello")
            assert len(list(connection)) == 3
        async with async_client_of(server).responses.connect() as connection:
            await connection.send({"type": "response.create", "model": "gpt-5", "input": "hello"})
            assert len([event async for event in connection]) == 3
    assert counts(usages) == [("responses", "resp_1", 70, 21, "complete")] * 2
    for usage in usages.recorded:
        assert (usage.request_model, usage.response_model, usage.input_chars) == ("gpt-5", "gpt-5-2025", 5)
        assert (usage.cache_read_tokens, usage.reasoning_tokens, usage.key_kind) == (64, 13, "automatic")


@pytest.mark.skipif(not HAS_RESPONSES, reason="this openai has no Responses over a websocket")
def test_a_background_response_over_a_websocket_is_a_job(usages: Usages) -> None:
    with SessionServer(*streamed(background=True), waits=True) as server, client_of(server).responses.connect() as connection:
        connection.response.create(model="gpt-5", input="hello", background=True)
        list(connection)
    assert [(usage.input_tokens, usage.key_kind, usage.key_time) for usage in usages.recorded] == [(70, "object", 1790000000 * 10**9)]


@pytest.mark.skipif(not HAS_RESPONSES, reason="this openai has no Responses over a websocket")
def test_a_request_that_is_refused_over_a_websocket(usages: Usages) -> None:
    refused = {"type": "error", "status": 400, "error": {"code": "x", "message": "no"}}
    with SessionServer(refused, refused, waits=True) as server, client_of(server).responses.connect() as connection:
        connection.response.create(model="gpt-5", input="hello")
        list(connection)
    assert counts(usages) == [("responses", "", None, None, "error")]


@pytest.mark.skipif(not HAS_LIVE, reason="this openai has no Live")
def test_what_live_delegates(usages: Usages) -> None:
    told: list[Any] = [{"type": "response.event", "event_id": "e", "delegation_id": "d", "event": event} for event in streamed()]
    decision = {"model": "gpt-6-luna", "answers": [], "usage": SPENT}
    told.append({"type": "decision.event", "event_id": "e", "event": {"type": "decision.completed", "decision": decision}})
    told.append({"type": "session.usage.updated", "event_id": "e", "usage": {"seconds": 3.5}})
    with SessionServer(*told) as server:
        for _ in range(2):
            with client_of(server).live.connect() as connection:
                list(connection)
    assert counts(usages) == [("responses", "resp_1", 70, 21, "complete"), ("decisions", "", 70, 21, "complete")] * 2
    assert len(usages.where(endpoint="responses")) == 1
    assert usages.recorded[0].key_kind == "object"


@pytest.mark.skipif(not hasattr(openai.OpenAI, "decisions"), reason="this openai has no Decisions")
def test_decisions(usages: Usages) -> None:
    with ScriptedServer({"model": "gpt-6-luna", "answers": [], "usage": SPENT}) as server:
        openai.OpenAI(base_url=server.url, api_key="none").decisions.create(model="gpt-6-luna", input="hello", questions=[])
    assert counts(usages) == [("decisions", "", 70, 21, "complete")]
    assert usages[0].operation == "classification"
