"""Audio: transcriptions, translations and speech are rows; tokens are counted, seconds are not, and audio itself is not looked at."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import groq
import openai
import pytest
from openai.types import audio

from tests.support.scripted import ScriptedServer, sse
from tokentrail.testing import Usages

TOKENS = {
    "type": "tokens",
    "input_tokens": 14,
    "output_tokens": 45,
    "total_tokens": 59,
    "input_token_details": {"text_tokens": 2, "audio_tokens": 12},
}
SECONDS = {"type": "duration", "seconds": 9}
SOUND = ("sound.wav", b"RIFF", "audio/wav")
ASK: dict[str, Any] = {"file": SOUND, "model": "gpt-4o-transcribe"}
SAY: dict[str, Any] = {"input": "lorem", "model": "gpt-4o-mini-tts", "voice": "alloy"}
SAID = {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}
EVENTS = [
    {"type": "transcript.text.delta", "delta": "lorem "},
    {"type": "transcript.text.delta", "delta": "ipsum"},
    {"type": "transcript.text.done", "text": "lorem ipsum", "usage": TOKENS},
]
SPEECH = [{"type": "speech.audio.delta", "audio": "AAAA"}, {"type": "speech.audio.done", "usage": SAID}]
streams = pytest.mark.skipif(not hasattr(audio, "TranscriptionTextDoneEvent"), reason="this openai knows no stream of audio")
pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")


def client_of(server: ScriptedServer) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.url, api_key="none", max_retries=0)


def counts(usages: Usages) -> list[tuple[Any, ...]]:
    return [(usage.endpoint, usage.input_tokens, usage.audio_input_tokens, usage.output_tokens, usage.ended) for usage in usages.recorded]


async def test_a_transcription_in_tokens(usages: Usages) -> None:
    with ScriptedServer({"text": "lorem ipsum", "usage": TOKENS}) as server, client_of(server) as client:
        client.audio.transcriptions.create(**ASK)
        client.audio.transcriptions.with_raw_response.create(**ASK)
        with client.audio.transcriptions.with_streaming_response.create(**ASK) as response:
            response.read()
        async with openai.AsyncOpenAI(base_url=server.url, api_key="none") as client_async:
            await client_async.audio.transcriptions.create(**ASK)
    assert counts(usages) == [("transcriptions", 14, 12, 45, "complete")] * 4
    assert (usages[0].request_model, usages[0].token_type, usages[0].output_chars) == ("gpt-4o-transcribe", "llm", len("lorem ipsum"))


def test_seconds_are_no_tokens(usages: Usages) -> None:
    with ScriptedServer({"text": "lorem ipsum", "usage": SECONDS}) as server, client_of(server) as client:
        for shape in ("json", "verbose_json"):
            client.audio.transcriptions.create(**ASK, response_format=shape)
        client.audio.translations.create(**ASK)
    assert counts(usages) == [(name, None, None, None, "complete") for name in ("transcriptions", "transcriptions", "translations")]
    assert usages[0].output_chars is None, "what is not spent in tokens is not estimated either"


@pytest.mark.parametrize("text", ["lorem ipsum\n", "1\n00:00:00,000 --> 00:00:01,000\nlorem\n", '"quoted"', "[music]", ""])
def test_a_plain_text_is_whole(text: str, usages: Usages) -> None:
    with ScriptedServer(text) as server, client_of(server) as client:
        assert client.audio.transcriptions.create(**ASK, response_format="text").strip('"') == text.strip('"')
        client.audio.translations.create(**ASK, response_format="srt")
    assert counts(usages) == [(name, None, None, None, "complete") for name in ("transcriptions", "translations")]


@streams
async def test_a_stream_of_a_transcription(usages: Usages) -> None:
    with ScriptedServer(sse(EVENTS)) as server, client_of(server) as client:
        assert len(list(client.audio.transcriptions.create(**ASK, stream=True))) == 3
        with client.audio.transcriptions.with_streaming_response.create(**ASK, stream=True) as response:
            response.read()
        async with openai.AsyncOpenAI(base_url=server.url, api_key="none") as client_async:
            assert len([event async for event in await client_async.audio.transcriptions.create(**ASK, stream=True)]) == 3
    assert counts(usages) == [("transcriptions", 14, 12, 45, "complete")] * 3
    assert usages[0].stream


@streams
def test_a_stream_that_is_cut_is_partial(usages: Usages) -> None:
    with ScriptedServer(sse(EVENTS[:2], done=False)) as server, client_of(server) as client:
        list(client.audio.transcriptions.create(**ASK, stream=True))
    assert counts(usages) == [("transcriptions", None, None, None, "partial")]
    assert usages[0].output_chars == len("lorem ipsum")


@pytest.mark.parametrize("sound", [b"ID3\x04" * 999, b"\x00\x00\x00\x10" * 999, b'{"usage": {"input_tokens": 5}}', b""])
async def test_speech_that_states_nothing(sound: bytes, usages: Usages) -> None:
    with ScriptedServer(sound) as server, client_of(server) as client:
        assert client.audio.speech.create(**SAY).content == sound
        assert client.audio.speech.with_raw_response.create(**SAY).content == sound
        with client.audio.speech.with_streaming_response.create(**SAY) as response:
            assert b"".join(response.iter_bytes()) == sound
        async with openai.AsyncOpenAI(base_url=server.url, api_key="none") as client_async:
            assert (await client_async.audio.speech.create(**SAY)).content == sound
            async with client_async.audio.speech.with_streaming_response.create(**SAY) as response_async:
                assert b"".join([part async for part in response_async.iter_bytes()]) == sound
    assert counts(usages) == [("speech", None, None, None, "complete")] * 5
    assert (usages[0].request_model, usages[0].input_chars) == ("gpt-4o-mini-tts", len("lorem"))


async def test_speech_as_events_states_its_usage(usages: Usages) -> None:
    more = {"extra_body": {"stream_format": "sse"}}
    with ScriptedServer(sse(SPEECH, done=False)) as server, client_of(server) as client:
        assert client.audio.speech.create(**SAY, **more).content == b"".join(sse(SPEECH, done=False))
        with client.audio.speech.with_streaming_response.create(**SAY, **more) as response:
            list(response.iter_lines())
        async with openai.AsyncOpenAI(base_url=server.url, api_key="none") as client_async:
            await client_async.audio.speech.create(**SAY, **more)
    assert counts(usages) == [("speech", 14, None, 101, "complete")] * 3


def test_speech_as_events_that_are_cut_is_partial(usages: Usages) -> None:
    with ScriptedServer(sse(SPEECH[:1], done=False)) as server, client_of(server) as client:
        client.audio.speech.create(**SAY, extra_body={"stream_format": "sse"})
    assert counts(usages) == [("speech", None, None, None, "partial")]


def test_groqs_transcriptions(usages: Usages) -> None:
    stated = {"text": "lorem", "x_groq": {"id": "req_1", "usage": {"input_tokens": 3, "output_tokens": 4}}}
    with ScriptedServer({"text": "lorem", "x_groq": {"id": "req_0"}}, stated) as server:
        with groq.Groq(base_url=server.url, api_key="none", max_retries=0) as client:
            client.audio.transcriptions.create(file=SOUND, model="whisper-large-v3")
            client.audio.transcriptions.with_raw_response.create(file=SOUND, model="whisper-large-v3")
            client.audio.translations.create(file=SOUND, model="whisper-large-v3")
        assert server.paths[0] == "/openai/v1/audio/transcriptions"
    assert counts(usages) == [
        ("transcriptions", None, None, None, "complete"),
        ("transcriptions", 3, None, 4, "complete"),
        ("translations", 3, None, 4, "complete"),
    ]
    assert [usage.response_id for usage in usages.recorded] == ["req_0", "req_1", "req_1"]


@pytest.mark.skipif(find_spec("groq.types.audio.speech_create_params") is None, reason="this groq does not speak")
async def test_groqs_speech(usages: Usages) -> None:
    with ScriptedServer(b"RIFF") as server:
        with groq.Groq(base_url=server.url, api_key="none", max_retries=0) as client:
            assert client.audio.speech.create(**SAY).read() == b"RIFF"
        client_async = groq.AsyncGroq(base_url=server.url, api_key="none")
        async with client_async, client_async.audio.speech.with_streaming_response.create(**SAY) as response:
            assert await response.read() == b"RIFF"
    assert counts(usages) == [("speech", None, None, None, "complete")] * 2


def test_moderations_and_counting_are_no_calls(usages: Usages) -> None:
    answer = {"id": "modr-1", "model": "omni-moderation-latest", "results": [], "object": "response.input_tokens", "input_tokens": 11}
    with ScriptedServer(answer) as server, client_of(server) as client:
        client.moderations.create(input="lorem")
        client.post("/v1/moderations", body={"input": "lorem"}, cast_to=object)
        client.post("/responses/input_tokens", body={"input": "lorem", "model": "m"}, cast_to=object)
        if hasattr(getattr(client, "responses", None), "input_tokens"):
            client.responses.input_tokens.count(input="lorem", model="m")
    assert counts(usages) == []


@pytest.mark.parametrize(
    "usage", [None, "many", 7, [], {"type": ["tokens"]}, {"input_tokens": "x", "output_tokens": -1}, {"input_token_details": [1]}]
)
def test_whatever_a_server_sends(usage: Any, usages: Usages) -> None:
    for answer in (
        {"text": ["x"], "usage": usage, "x_groq": usage},
        sse([{"type": ["x"]}, {"type": "transcript.text.done", "usage": usage, "text": 7}]),
    ):
        with ScriptedServer(answer) as server, client_of(server) as client:
            client.post("/audio/transcriptions", body={"model": "m", "stream": True}, cast_to=str)
    assert counts(usages) == [("transcriptions", None, None, None, "complete")] * 2
