"""Google's Live sessions, over a real websocket: each message that states a usage is a row, since each response is billed with its whole context."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
from google import genai

from tests.support.calls import count_own_calls
from tests.support.certificates import make_certificates
from tests.support.sessions import ASKED, CUT, KEPT, SessionServer
from tokentrail import track_tokens
from tokentrail.instrumentation.registry import instrument, uninstrument
from tokentrail.testing import Usages

pytestmark = pytest.mark.filterwarnings("ignore")

MODEL = "gemini-live-2.5-flash-preview"
READY = {"setupComplete": {}}
FIRST = {
    "promptTokenCount": 522,
    "responseTokenCount": 42,
    "thoughtsTokenCount": 136,
    "cachedContentTokenCount": 64,
    "totalTokenCount": 700,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 357}, {"modality": "AUDIO", "tokenCount": 165}],
    "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 42}],
}
SECOND = {"promptTokenCount": 620, "responseTokenCount": 30, "totalTokenCount": 650}
SOUND = "AAAA" * 4000
CONTEXT: list[ssl.SSLContext] = []


def said(text: str = "lorem") -> dict[str, Any]:
    return {"serverContent": {"modelTurn": {"role": "model", "parts": [{"text": text}]}}}


def spoken() -> dict[str, Any]:
    part = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": SOUND}}
    return {"serverContent": {"modelTurn": {"role": "model", "parts": [part]}}}


def over(usage: Any = None, **more: Any) -> dict[str, Any]:
    return {"serverContent": {"turnComplete": True, **more}, **({"usageMetadata": usage} if usage is not None else {})}


WHOLE = [spoken(), said("lorem "), said("ipsum"), {"serverContent": {"generationComplete": True}}, over(FIRST)]


@pytest.fixture(scope="module", autouse=True)
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The SDK connects to no server without a certificate, and takes those that `SSL_CERT_FILE` names."""
    folder = make_certificates(tmp_path_factory.mktemp("live"), "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(folder / "server.pem"))
        CONTEXT[:] = [context]
        yield


def live(*script: Any) -> SessionServer:
    return SessionServer(READY, *script, waits=True, tls=CONTEXT[0])


def client_of(server: SessionServer) -> genai.Client:
    return genai.Client(vertexai=False, api_key="none", http_options={"base_url": server.url.replace("wss:", "https:")})


async def read(server: SessionServer, turns: int = 1) -> list[Any]:
    """Reads as an application does, to the end of so many turns."""
    async with client_of(server).aio.live.connect(model=MODEL) as session:
        return [message for _ in range(turns) async for message in session.receive()]


async def one_of(session: Any) -> Any:
    """The next message, without its turn's others."""
    return await session.receive().__anext__()


def counts(usages: Usages) -> list[tuple[Any, ...]]:
    return [(usage.input_tokens, usage.output_tokens, usage.ended) for usage in usages.recorded]


async def test_each_usage_is_a_row(usages: Usages) -> None:
    with live(*WHOLE, said(), over(SECOND), KEPT) as server:
        messages = await read(server, 2)
        assert server.asked[0]["setup"]["model"] == f"models/{MODEL}"
    assert len(messages) == 7
    assert counts(usages) == [(522, 178, "complete"), (620, 30, "complete")]
    first, second = usages.recorded
    assert (first.reasoning_tokens, first.cache_read_tokens, first.audio_input_tokens, first.audio_output_tokens) == (136, 64, 165, 42)
    assert (second.reasoning_tokens, second.cache_read_tokens, second.audio_input_tokens) == (None, None, None)
    for usage in (first, second):
        assert (usage.provider, usage.request_model, usage.endpoint, usage.gen_ai_operation) == ("gcp.gemini", MODEL, "live", "generate_content")
        assert (usage.server_address, usage.server_port, usage.stream, usage.operation) == ("127.0.0.1", server.port, True, "chat")
        assert (usage.source, usage.key_kind) == ("reported", "automatic")
    assert first.output_chars == len("lorem ipsum")
    assert first.time_to_first_chunk_ns


@pytest.mark.parametrize("message", [spoken(), said()], ids=["sound", "text"])
def test_each_message_that_states_no_usage_costs_few_calls(message: dict[str, Any], usages: Usages) -> None:
    def of(number: int) -> int:
        with live(*[message] * number, over(SECOND), KEPT) as server:
            return count_own_calls(lambda: asyncio.run(read(server)))

    resumed = 100  # a coroutine that has waited for a message is entered once more
    assert of(150) - of(50) <= 3 * 100 + resumed
    assert {usage.output_chars for usage in usages.recorded} <= {None, 0, 150 * 5, 50 * 5}


@pytest.mark.parametrize(
    "script",
    [
        [said(), over(), {"usageMetadata": SECOND}],
        [said(), {"usageMetadata": SECOND}, over()],
        [spoken(), {"serverContent": {"outputTranscription": {"text": "lorem"}}}, over(SECOND)],
        [over(SECOND), {"serverContent": {"outputTranscription": {"text": "late"}}}],
        [said(), over({"promptTokenCount": 620, "candidatesTokenCount": 30}, interrupted=True)],
    ],
)
async def test_wherever_the_usage_stands(script: list[Any], usages: Usages) -> None:
    with live(*script, KEPT) as server:
        async with client_of(server).aio.live.connect(model=MODEL) as session:
            for _ in script:
                await one_of(session)
    assert counts(usages) == [(620, 30, "complete")]


async def test_a_call_of_a_function_is_a_response_of_its_own(usages: Usages) -> None:
    call = {"toolCall": {"functionCalls": [{"id": "f", "name": "look", "args": {"at": "sky"}}]}}
    with live(call, {"usageMetadata": FIRST}, said(), over(SECOND), KEPT) as server:
        await read(server)
    assert counts(usages) == [(522, 178, "complete"), (620, 30, "complete")]
    assert usages.recorded[0].output_chars == len('{"at":"sky"}')


async def test_a_turn_without_a_usage_is_a_row_without_counts(usages: Usages) -> None:
    with live(said(), over(), said("ipsum"), over(SECOND), KEPT) as server:
        await read(server, 2)
    assert counts(usages) == [(None, None, "complete"), (620, 30, "complete")]
    assert usages.recorded[0].output_chars == 5


async def test_a_session_that_is_cut(usages: Usages) -> None:
    with live(said(), ASKED, CUT) as server:
        async with client_of(server).aio.live.connect(model=MODEL) as session:
            await one_of(session)
            await session._ws.send("go on")
            with pytest.raises(Exception, match=r"1006|close"):
                await one_of(session)
    assert counts(usages) == [(None, None, "error")]
    assert usages.recorded[0].error_type.rpartition(".")[2] == "ConnectionClosedError"


async def test_a_session_that_is_closed(usages: Usages) -> None:
    with live(said(), KEPT) as server:
        async with client_of(server).aio.live.connect(model=MODEL) as session:
            await one_of(session)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(one_of(session), 0.05)
            assert not usages.recorded, "an interrupted recv is no end"
        async with client_of(server).aio.live.connect(model=MODEL) as session:
            await one_of(session)
            await session.close()
            await session.close()
    with live(said()) as server, contextlib.suppress(Exception):
        await read(server)  # the server says farewell
    assert counts(usages) == [(None, None, "partial")] * 3


async def test_a_session_that_is_dropped(usages: Usages) -> None:
    with live(said(), KEPT) as server:
        opening = client_of(server).aio.live.connect(model=MODEL)
        session = await opening.__aenter__()
        await one_of(session)
        await opening.__aexit__(None, None, None)
        del opening, session
        gc.collect()
        await usages.wait_for_async(1)
    assert counts(usages) == [(None, None, "partial")]


async def test_attribution_is_that_of_the_reader(usages: Usages) -> None:
    with live(*WHOLE, KEPT) as server, track_tokens(tenant_id="acme") as spent:
        await read(server)
    assert [usage.tenant_id for usage in usages.recorded] == ["acme"]
    assert (spent.input_tokens, spent.output_tokens) == (522, 178)


async def test_sessions_side_by_side_keep_their_models(usages: Usages) -> None:
    async def talk(model: str) -> None:
        async with client_of(server).aio.live.connect(model=model) as session:
            [message async for message in session.receive()]

    with live(*WHOLE, KEPT) as server:
        await asyncio.gather(*(talk(f"gemini-live-{number}") for number in range(4)))
    assert sorted(usage.request_model for usage in usages.recorded) == [f"gemini-live-{number}" for number in range(4)]


async def test_vertex(usages: Usages) -> None:
    with live(said(), over({"promptTokenCount": 9, "candidatesTokenCount": 3, "totalTokenCount": 12}), KEPT) as server:
        options = {"base_url": server.url.replace("wss:", "https:")}
        try:
            client = genai.Client(vertexai=True, api_key="none", http_options=options)
        except ValueError:
            pytest.skip("this version knows no express mode")
        async with client.aio.live.connect(model=MODEL) as session:
            [message async for message in session.receive()]
    assert counts(usages) == [(9, 3, "complete")]
    assert (usages[0].provider, usages[0].request_model) == ("gcp.vertex_ai", MODEL)


@pytest.mark.parametrize(
    "sent",
    [
        "no json text", '{"usageMetadata"', "null", "[]", '{"usageMetadata": "many"}', '{"usageMetadata": [1], "toolCall": 5}',
        '{"serverContent": {"modelTurn": {"parts": "text"}, "turnComplete": [null]}}', '{"toolCall": {"functionCalls": {"a": 1}}}',
        json.dumps(over({"promptTokenCount": -1, "responseTokenCount": 2**63, "promptTokensDetails": [None, 5, {"modality": []}]})),
        json.dumps(over({"promptTokenCount": None, "responseTokenCount": {"a": None}, "responseTokensDetails": "x"})),
    ],
)  # fmt: skip
async def test_whatever_a_server_sends(sent: str, usages: Usages) -> None:
    async def outcome() -> Any:
        with live(sent, KEPT) as server:
            async with client_of(server).aio.live.connect(model=MODEL) as session:
                try:
                    return repr(await asyncio.wait_for(one_of(session), 5))
                except Exception as error:
                    return type(error), str(error)

    assert await outcome() == await bare(outcome)
    usages.settle()
    assert all((usage.input_tokens, usage.output_tokens) == (None, None) for usage in usages.recorded)


async def bare(make: Any) -> Any:
    uninstrument()
    try:
        return await make()
    finally:
        instrument()


async def test_the_caller_sees_the_same(usages: Usages) -> None:
    scripts = [[*WHOLE, *[ASKED] * 9], [said(), ASKED, CUT], [said(), ASKED], ["<html>", KEPT]]

    async def outcome(script: list[Any]) -> Any:
        seen: list[Any] = []
        with live(*script) as server:
            opening = client_of(server).aio.live.connect(model=MODEL)
            seen.append(type(opening))
            try:
                async with opening as session:
                    seen += [type(session), type(session._ws), sorted(set(vars(session)))]
                    async for message in session.receive():
                        seen.append(repr(message))
                        await session._ws.send("go on")
            except Exception as error:
                seen += [type(error), str(error), type(error.__cause__), type(error.__context__)]
            return seen, server.asked

    for script in scripts:
        assert await outcome(script) == await bare(lambda script=script: outcome(script))


async def test_a_stand_in_for_the_websocket_is_left_alone(usages: Usages) -> None:
    class Socket:
        async def recv(self, decode: bool | None = None) -> bytes:
            return json.dumps(over(FIRST)).encode()

    socket = Socket()
    from google.genai.live import AsyncSession

    client = genai.Client(vertexai=False, api_key="none")
    session = AsyncSession(api_client=client._api_client, websocket=socket)
    assert (await one_of(session)).server_content.turn_complete
    assert vars(socket) == {}
    assert not usages.recorded
