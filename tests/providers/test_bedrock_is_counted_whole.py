"""Amazon Bedrock through botocore, boto3 and aiobotocore: every operation and family, every way to read a body, every end of a stream, once."""

from __future__ import annotations

import gc
import io
import json
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

import boto3
import botocore.endpoint
import botocore.eventstream
import botocore.exceptions
import botocore.response
import pytest
from botocore.stub import Stubber

from tests.support.bedrock import AWS, HELLO, SESSION, BedrockServer, aio_client_of, chunks, client_of, conversation, conversed, message
from tokentrail.instrumentation.layers import layers_over
from tokentrail.instrumentation.registry import instrument, integrations, uninstrument
from tokentrail.testing import Usages
from tokentrail.usage import Usage

ASK: dict[str, Any] = {"modelId": "us.amazon.nova-lite-v1:0", "messages": HELLO}
CLAUDE = "anthropic.claude-sonnet-4-5-20250929-v1:0"
BODY = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": [{"role": "user", "content": "lorem"}]}
MESSAGE = {
    "id": "msg_bdrk_1",
    "type": "message",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "ipsum"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 5, "output_tokens": 7, "cache_read_input_tokens": 32, "cache_creation_input_tokens": 3},
}
METRICS = {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 11, "outputTokenCount": 7, "invocationLatency": 1, "firstByteLatency": 1}}


def counts(usage: Usage) -> tuple[Any, ...]:
    return usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_write_tokens


def invoke(server: BedrockServer, model: str = CLAUDE, body: Any = BODY) -> Any:
    return client_of(server.url).invoke_model(modelId=model, body=json.dumps(body))["body"]


def test_converse_states_who_answered_what(usages: Usages) -> None:
    with BedrockServer(conversed(), requestid="f00") as server:
        client_of(server.url).converse(**ASK, system=[{"text": "dolor"}])
    (usage,) = usages.recorded
    assert counts(usage) == (40, 7, 32, 3)
    assert (usage.provider, usage.request_model, usage.response_model, usage.response_id) == ("aws.bedrock", "us.amazon.nova-lite-v1:0", "", "f00")
    assert (usage.endpoint, usage.operation, usage.gen_ai_operation, usage.ended, usage.attempts) == ("converse", "chat", "chat", "complete", 1)
    assert (usage.server_address, usage.server_port, usage.stream) == ("127.0.0.1", server.port, False)
    assert (usage.input_chars, usage.output_chars, usage.texts) == (10, 11, 2)


def test_counts_that_botocores_model_of_the_service_lacks(usages: Usages) -> None:
    """They are in the body, and an older botocore drops them."""
    details = [{"inputTokens": 2, "ttl": "1h"}, {"inputTokens": 1, "ttl": "5m"}]
    with BedrockServer(conversed(usage=USAGE_OF_NOVA | {"cacheDetails": details}, trace={"promptRouter": {"invokedModelId": "chosen"}})) as server:
        client_of(server.url).converse(**ASK)
    (usage,) = usages.recorded
    assert counts(usage) == (40, 7, 32, 3)
    assert (usage.cache_write_1h_tokens, usage.response_model) == (2, "chosen")


USAGE_OF_NOVA = {"inputTokens": 5, "outputTokens": 7, "totalTokens": 47, "cacheReadInputTokenCount": 32, "cacheWriteInputTokenCount": 3}


def test_a_model_that_is_an_arn(usages: Usages) -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-3-7-sonnet-20250219-v1:0"
    with BedrockServer(conversed()) as server:
        client_of(server.url).converse(modelId=arn, messages=HELLO)
    assert (usages[0].request_model, usages[0].model_family) == (arn, "claude")


@pytest.mark.parametrize(
    ("model", "asked", "answer", "endpoint", "operation", "output"),
    [
        (CLAUDE, BODY, MESSAGE, "invoke_model", "chat", "ipsum"),
        ("amazon.nova-lite-v1:0", {"messages": HELLO}, conversed(usage=USAGE_OF_NOVA), "invoke_model", "chat", "lorem ipsum"),
        ("openai.gpt-oss-20b", BODY, {"choices": [{"message": {"content": "ipsum"}}]}, "invoke_model", "chat", "ipsum"),
        ("mistral.mistral-large", BODY, {"choices": [{"message": {"content": "ipsum"}, "stop_reason": "stop"}]}, "invoke_model", "chat", "ipsum"),
        ("deepseek.r1", {"prompt": "lorem"}, {"choices": [{"text": "ipsum", "stop_reason": "stop"}]}, "invoke_model", "text_completion", "ipsum"),
        ("amazon.titan-text", {"inputText": "lorem"}, {"results": [{"outputText": "ipsum"}]}, "invoke_model", "text_completion", "ipsum"),
        ("meta.llama3", {"prompt": "lorem"}, {"generation": "ipsum", "stop_reason": "stop"}, "invoke_model", "text_completion", "ipsum"),
        ("mistral.mistral-7b", {"prompt": "lorem"}, {"outputs": [{"text": "ipsum"}]}, "invoke_model", "text_completion", "ipsum"),
        ("cohere.command-text", {"prompt": "lorem"}, {"id": "c", "generations": [{"text": "ipsum"}]}, "invoke_model", "text_completion", "ipsum"),
        ("cohere.command-r", {"message": "lorem"}, {"response_id": "c", "text": "ipsum"}, "invoke_model", "chat", "ipsum"),
        ("anthropic.claude-v2", {"prompt": "lorem"}, {"completion": "ipsum", "stop_reason": "stop"}, "invoke_model", "text_completion", "ipsum"),
        ("ai21.j2-mid", {"prompt": "lorem"}, {"completions": [{"data": {"text": "ipsum"}}]}, "invoke_model", "text_completion", "ipsum"),
        ("amazon.titan-embed-text-v2:0", {"inputText": "lorem"}, {"embedding": [0.5]}, "embeddings", "embeddings", None),
        ("cohere.embed-v4:0", {"texts": ["lorem"], "input_type": "x"}, {"embeddings": {"float": [[0.5]]}}, "embeddings", "embeddings", None),
    ],
)
def test_each_family(model: str, asked: Any, answer: Any, endpoint: str, operation: str, output: str | None, usages: Usages) -> None:
    """What a body does not state, the headers do; the cache stands beside the input there too."""
    stated = {"input_token_count": "5", "output_token_count": "7", "cache_read_input_token_count": "32", "cache_write_input_token_count": "3"}
    with BedrockServer(answer, **{f"bedrock_{name}": count for name, count in stated.items()}) as server:
        assert json.loads(invoke(server, model, asked).read()) == answer
    (usage,) = usages.recorded
    assert counts(usage) == (40, 7, 32, 3)
    assert (usage.endpoint, usage.gen_ai_operation, usage.request_model, usage.ended) == (endpoint, operation, model, "complete")
    assert (usage.input_chars, usage.output_chars) == (5, output and len(output))
    assert usage.token_type == ("embedding" if output is None else "llm")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"results": [{"tokenCount": 4, "outputText": "a"}, {"tokenCount": 3.0, "outputText": "b"}], "inputTextTokenCount": 11.0}, (11, 7)),
        ({"generation": "a", "prompt_token_count": 11, "generation_token_count": 7}, (11, 7)),
        ({"choices": [{"message": {"content": "a"}}], "usage": {"prompt_tokens": 11, "completion_tokens": 7}}, (11, 7)),
        ({"choices": [{"text": "a"}], "usage": {"prompt_tokens": 11, "completion_tokens": 7}}, (11, 7)),
        ({"embedding": [1], "inputTextTokenCount": 11}, (11, None)),
    ],
)
def test_what_a_body_states(answer: Any, expected: Any, usages: Usages) -> None:
    with BedrockServer(answer) as server:
        invoke(server, "a.model", {"prompt": "lorem"}).read()
    assert (usages[0].input_tokens, usages[0].output_tokens) == expected


@pytest.mark.parametrize(
    ("parts", "expected", "output"),
    [
        (
            [
                {"type": "message_start", "message": MESSAGE | {"content": [], "usage": MESSAGE["usage"] | {"output_tokens": 1}}},
                {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
                {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ipsum"}},
                {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}},
                {"type": "message_stop", **METRICS},
            ],
            (40, 9),
            5,
        ),
        (
            [
                {"messageStart": {"role": "assistant"}},
                {"contentBlockDelta": {"delta": {"text": "ipsum"}}},
                {"messageStop": {"stopReason": "end_turn"}},
                {"metadata": {"usage": USAGE_OF_NOVA}, **METRICS},
            ],
            (40, 7),
            5,
        ),
        (
            [{"outputText": "ip", "inputTextTokenCount": 11}, {"outputText": "sum", "totalOutputTextTokenCount": 7, "completionReason": "FINISH"}],
            (11, 7),
            5,
        ),
        (
            [
                {"generation": "ip", "prompt_token_count": 11, "generation_token_count": 1},
                {"generation": "sum", "generation_token_count": 7, **METRICS},
            ],
            (11, 7),
            5,
        ),
        ([{"outputs": [{"text": "ip"}]}, {"outputs": [{"text": "sum", "stop_reason": "stop"}], **METRICS}], (11, 7), 5),
        ([{"completion": "ip", "type": "completion"}, {"completion": "sum", "stop_reason": "stop", "type": "completion", **METRICS}], (11, 7), 5),
        (
            [
                {"choices": [{"index": 0, "delta": {"content": "ip"}}]},
                {"choices": [{"index": 0, "delta": {"content": "sum"}, "finish_reason": "stop"}], **METRICS},
            ],
            (11, 7),
            5,
        ),
        ([{"event_type": "text-generation", "text": "ipsum"}, {"event_type": "stream-end", "finish_reason": "COMPLETE", **METRICS}], (11, 7), 5),
        ([b"no json", {"outputs": [{"text": "ipsum"}]}, b"[1]", METRICS], (11, 7), 5),
    ],
)
def test_each_familys_stream(parts: list[Any], expected: Any, output: int, usages: Usages) -> None:
    with BedrockServer(chunks(*parts)) as server:
        answer = client_of(server.url).invoke_model_with_response_stream(modelId="a.model", body=json.dumps(BODY))
        got = [event["chunk"]["bytes"] for event in answer["body"]]
    assert got == [part if isinstance(part, bytes) else json.dumps(part).encode() for part in parts]
    (usage,) = usages.recorded
    assert (usage.input_tokens, usage.output_tokens, usage.ended, usage.stream, usage.output_chars) == (*expected, "complete", True, output)


def read_in_pieces(body: Any) -> bytes:
    return b"".join(iter(lambda: body.read(10), b""))


def read_into(body: Any) -> bytes:
    data = bytearray(10_000)
    size = body.readinto(data)
    assert body.readinto(data[size:]) == 0
    return bytes(data[:size])


def read_within(body: Any) -> bytes:
    with body as raw:
        return raw.read()


READS: list[Callable[[Any], bytes]] = [
    lambda body: body.read(),
    lambda body: json.dumps(json.load(body)).encode(),
    b"".join,
    lambda body: b"".join(body.iter_chunks(7)),
    lambda body: b"\n".join(body.iter_lines()),
    lambda body: b"".join(body.readlines()),
    lambda body: io.BufferedReader(body).read(),
    read_in_pieces,
    read_into,
    read_within,
]


@pytest.mark.parametrize("read", READS)
def test_however_a_body_is_read(read: Callable[[Any], bytes], usages: Usages) -> None:
    with BedrockServer(MESSAGE, bedrock_input_token_count="5", bedrock_output_token_count="7") as server:
        body = invoke(server)
        assert type(body) is botocore.response.StreamingBody
        assert not usages.recorded, "it is not read yet"
        assert json.loads(read(body)) == MESSAGE
    (usage,) = usages.recorded
    assert (counts(usage), usage.response_model, usage.response_id, usage.ended) == ((40, 7, 32, 3), "claude-sonnet-4-5", "msg_bdrk_1", "complete")


@pytest.mark.parametrize("leave", [lambda body: body.close(), lambda body: body.read(3) and body.close(), lambda body: None])
def test_a_body_that_is_left_has_the_counts_of_its_headers(leave: Callable[[Any], Any], usages: Usages) -> None:
    with BedrockServer(MESSAGE, conversation("lorem"), bedrock_input_token_count="5", bedrock_output_token_count="7") as server:
        body = invoke(server)
        leave(body)
        del body
        gc.collect()
        list(stream_of(server))  # the next call: what a finalizer leaves is recorded by then
        usages.wait_for(2)
    assert sorted((u.input_tokens, u.output_tokens, u.ended) for u in usages.recorded) == [(5, 7, "partial"), (40, 7, "complete")]


@pytest.mark.parametrize("how", ["read", "pieces", "lines", "within"])
async def test_bodies_of_aiobotocore(how: str, usages: Usages) -> None:
    with BedrockServer(MESSAGE) as server:
        async with aio_client_of(server.url) as client:
            body = (await client.invoke_model(modelId=CLAUDE, body=json.dumps(BODY)))["body"]
            if how == "read":
                got = await body.read()
            elif how == "pieces":
                got = b"".join([part async for part in body.iter_chunks(10)])
            elif how == "lines":
                got = b"".join([line async for line in body.iter_lines()])
            else:
                async with body as inside:
                    got = await inside.read()
    assert json.loads(got) == MESSAGE
    (usage,) = usages.recorded
    assert (counts(usage), usage.ended) == ((40, 7, 32, 3), "complete")


@pytest.mark.skipif(find_spec("aiobotocore.httpxsession") is None, reason="since aiobotocore 3")
async def test_aiobotocore_over_httpx(usages: Usages) -> None:
    """But for event streams, which aiobotocore 3.10 itself cannot read then."""
    from aiobotocore.httpxsession import HttpxSession

    with BedrockServer(MESSAGE, conversed()) as server:
        async with aio_client_of(server.url, http_session_cls=HttpxSession) as client:
            body = (await client.invoke_model(modelId=CLAUDE, body=json.dumps(BODY)))["body"]
            assert json.loads(await body.read()) == MESSAGE
            await client.converse(**ASK)
    assert [(counts(usage), usage.ended) for usage in usages.recorded] == [((40, 7, 32, 3), "complete")] * 2


async def test_an_unread_body_of_aiobotocore(usages: Usages) -> None:
    with BedrockServer(MESSAGE, bedrock_input_token_count="5", bedrock_output_token_count="7") as server:
        async with aio_client_of(server.url) as client:
            (await client.invoke_model(modelId=CLAUDE, body=json.dumps(BODY)))["body"].close()
    assert [(u.input_tokens, u.output_tokens, u.ended) for u in usages.recorded] == [(5, 7, "partial")]


def stream_of(server: BedrockServer) -> Any:
    return client_of(server.url).converse_stream(**ASK)["stream"]


def test_a_stream_that_is_read(usages: Usages) -> None:
    with BedrockServer(conversation("lorem ", "ipsum"), requestid="f00") as server:
        stream = stream_of(server)
        assert type(stream) is botocore.eventstream.EventStream
        assert not usages.recorded
        assert [next(iter(event)) for event in stream][-1] == "metadata"
        assert "close" not in vars(stream)
    (usage,) = usages.recorded
    assert (counts(usage), usage.ended, usage.response_id, usage.output_chars) == ((40, 7, 32, 3), "complete", "f00", 11)
    assert usage.time_to_first_chunk_ns is not None


def test_a_stream_that_is_closed(usages: Usages) -> None:
    with BedrockServer(conversation("lorem ", "ipsum")) as server:
        stream = stream_of(server)
        next(event for event in stream if "contentBlockDelta" in event)
        stream.close()
        assert [(u.ended, u.input_tokens, u.output_chars) for u in usages.recorded] == [("partial", None, 6)]
        stream.close()
    assert len(usages.recorded) == 1


def test_a_stream_that_is_dropped(usages: Usages) -> None:
    with BedrockServer(conversation("lorem ", "ipsum")) as server:
        for event in stream_of(server):
            if "contentBlockDelta" in event:
                break
        gc.collect()
        usages.wait_for(1)
    assert [(u.ended, u.output_chars) for u in usages.recorded] == [("partial", 6)]


def test_an_error_within_a_stream_is_recorded_at_once(usages: Usages) -> None:
    frames = [*conversation("lorem", usage=None, stop=None), message("", b'{"message":"slow down"}', error="throttlingException")]
    with BedrockServer(frames) as server:
        stream = stream_of(server)
        with pytest.raises(botocore.exceptions.EventStreamError, match="throttlingException"):
            list(stream)
        (usage,) = usages.recorded
    assert (usage.ended, usage.error_type, usage.output_chars) == ("error", "botocore.exceptions.EventStreamError", 5)


async def test_an_error_within_a_stream_of_aiobotocore(usages: Usages) -> None:
    frames = [*chunks({"outputs": [{"text": "lorem"}]}), message("", b'{"message":"no"}', error="modelStreamErrorException")]
    with BedrockServer(frames) as server:
        async with aio_client_of(server.url) as client:
            stream = (await client.invoke_model_with_response_stream(modelId="a.b", body="{}"))["body"]
            with pytest.raises(botocore.exceptions.EventStreamError):
                [event async for event in stream]
            assert [(u.ended, u.error_type) for u in usages.recorded] == [("error", "botocore.exceptions.EventStreamError")]


def test_a_stream_that_ends_before_its_stop(usages: Usages) -> None:
    with BedrockServer(conversation("lorem", usage=None, stop=None)) as server:
        list(stream_of(server))
    assert [(u.ended, u.input_tokens) for u in usages.recorded] == [("partial", None)]


async def test_streams_of_aiobotocore(usages: Usages) -> None:
    with BedrockServer(conversation("lorem")) as server:
        async with aio_client_of(server.url) as client:
            assert len([event async for event in (await client.converse_stream(**ASK))["stream"]]) == 5
            stream = (await client.converse_stream(**ASK))["stream"]
            async for _ in stream:
                break
            stream.close()
    assert [(u.ended, u.input_tokens) for u in usages.recorded] == [("complete", 40), ("partial", None)]


RETRIES = {"retries": {"total_max_attempts": 3, "mode": "standard"}}
NO = (500, {"message": "again"})


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)


@pytest.mark.usefixtures("no_pauses")
def test_botocores_retries_are_one_call(usages: Usages) -> None:
    with BedrockServer(NO, NO, conversed()) as server:
        client_of(server.url, **RETRIES).converse(**ASK)
    with BedrockServer(NO) as server, pytest.raises(botocore.exceptions.ClientError):
        client_of(server.url, **RETRIES).converse(**ASK)
    assert [(u.attempts, u.ended, u.error_type, u.input_tokens) for u in usages.recorded] == [(3, "complete", "", 40), (3, "error", "500", None)]


@pytest.mark.usefixtures("no_pauses")
async def test_aiobotocores_retries_are_one_call(usages: Usages) -> None:
    with BedrockServer(NO, conversation("lorem")) as server:
        async with aio_client_of(server.url, **RETRIES) as client:
            [event async for event in (await client.converse_stream(**ASK))["stream"]]
    assert [(u.attempts, u.ended, u.input_tokens) for u in usages.recorded] == [(2, "complete", 40)]


@pytest.mark.usefixtures("no_pauses")
def test_nobody_answers(usages: Usages) -> None:
    with pytest.raises(botocore.exceptions.EndpointConnectionError):
        client_of("http://127.0.0.1:9", **RETRIES).converse(**ASK)
    (usage,) = usages.recorded
    assert (usage.ended, usage.error_type, usage.attempts) == ("error", "botocore.exceptions.EndpointConnectionError", 3)


def test_clients_that_were_there_before(usages: Usages) -> None:
    uninstrument()
    with BedrockServer(conversed()) as server:
        client = boto3.client("bedrock-runtime", endpoint_url=server.url, **AWS)
        client.converse(**ASK)
        assert not usages.recorded
        converse = client.converse
        instrument()
        converse(**ASK)
        assert len(usages.recorded) == 1
        uninstrument()
        converse(**ASK)
    assert len(usages.recorded) == 1


def test_what_spends_no_tokens_is_not_counted(usages: Usages) -> None:
    with BedrockServer({"inputTokens": 5}) as server:
        client_of(server.url).count_tokens(modelId="a", input={"converse": {"messages": HELLO}})
    for body in (
        {"query": "q", "documents": ["d"]},
        {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": "cat"}},
        {"text_prompts": [{"text": "cat"}]},
    ):
        with BedrockServer({"results": [], "images": []}) as server:
            invoke(server, "a.model", body).read()
    with BedrockServer({"Error": 1}) as server:
        SESSION.create_client("dynamodb", endpoint_url=server.url, **AWS).list_tables()
    client = client_of("http://127.0.0.1:9")
    with Stubber(client) as stubber:
        stubber.add_response("converse", conversed(), ASK)
        client.converse(**ASK)
    assert not usages.recorded


def test_an_image_whose_answer_states_tokens_is_counted(usages: Usages) -> None:
    with BedrockServer({"images": []}, bedrock_input_token_count="5") as server:
        invoke(server, "a.model", {"taskType": "TEXT_IMAGE"}).read()
    assert [(u.input_tokens, u.output_tokens) for u in usages.recorded] == [(5, None)]


ODD = [None, -1, 12.0, 12.5, "12", True, [], {}, "", 2**63, -(2**63) - 1, 10**40, "9" * 30, "-1"]


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_odd_counts(odd: Any, usages: Usages) -> None:
    known = {12.0: 12, "12": 12}
    expected = None if isinstance(odd, (bool, list, dict)) else known.get(odd)
    streamed = [
        {"type": "message_start", "message": {"usage": odd, "model": odd, "id": odd}},
        {"metadata": odd},
        {"choices": odd},
        {"outputText": odd},
        odd,
    ]
    for answer in (conversed(usage={"inputTokens": odd, "outputTokens": 7, "cacheDetails": odd}), conversed(usage=odd, output=odd, stopReason=odd)):
        with BedrockServer(answer) as server, suppress(Exception):  # botocore's own opinion
            client_of(server.url).converse(**ASK)
    with BedrockServer(chunks(*streamed)) as server:
        list(client_of(server.url).invoke_model_with_response_stream(modelId="a.b", body="{}")["body"])
    assert usages[0].input_tokens in {expected, None}
    for answer in (
        {"usage": odd, "type": "message", "content": odd},
        {"results": odd, "inputTextTokenCount": odd},
        {"choices": odd},
        {"output": odd, "stopReason": odd},
        odd,
    ):
        with BedrockServer(chunks()) as server:
            server.answers = [(200, answer)]
            invoke(server).read()
    assert len(usages.recorded) == 8


@pytest.mark.parametrize("body", [b"<html>no</html>", b"", b'{"usage": {"inputTok'])
def test_an_answer_that_is_no_json(body: bytes, usages: Usages) -> None:
    with BedrockServer([body], bedrock_input_token_count="5", bedrock_output_token_count="7") as server:
        assert invoke(server).read() == body
    assert [(u.input_tokens, u.output_tokens, u.ended) for u in usages.recorded] == [(5, 7, "complete")]


def test_doctor_takes_aiobotocores_own_function_for_no_foreign_one() -> None:
    hooks = [hook for name in ("botocore", "aiobotocore") for hook in integrations()[name].hooks]
    assert list(layers_over(hooks)) == []
    uninstrument(["aiobotocore"])
    assert [layer.leads_to_the_function for layer in layers_over(hooks[:1])] == [False], "calls through it are not counted now"
    instrument()


def test_the_functions_look_as_before() -> None:
    uninstrument()
    before = botocore.endpoint.Endpoint._send_request.__code__
    instrument()
    assert botocore.endpoint.Endpoint._send_request.__code__ is not before
    uninstrument()
    assert botocore.endpoint.Endpoint._send_request.__code__ is before
    instrument()
