"""Cohere bills units: these are the counts, and the tokens of the whole prompt stand beside them. Each request is a row, under its caller's attribution."""

from __future__ import annotations

import copy
import json
import threading
from contextvars import Context
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import tokentrail
from tests.support.cohere import ASK, USAGE, answer, answer_v1, client_at, events, events_v1, lines
from tests.support.scripted import ScriptedServer, sse
from tokentrail.integrations.shapes.cohere import CohereChunks, read_answer, read_vectors
from tokentrail.integrations.transports.lines import Lines
from tokentrail.process.current import current
from tokentrail.recording import recorder
from tokentrail.recording.runtime import Runtime
from tokentrail.testing import Usages, collect_usages

VECTORS: dict[str, Any] = {"id": "e-1", "embeddings": {"float": [[0.5]]}, "texts": [], "response_type": "embeddings_by_type"}


def counts_of(usage: Any) -> tuple[Any, ...]:
    return (
        (usage.input_tokens, usage.output_tokens),
        (usage.consumed_input_tokens, usage.consumed_output_tokens),
        (usage.cache_read_tokens, usage.reasoning_tokens, usage.image_input_tokens),
    )


@pytest.mark.parametrize(
    ("stated", "counts"),
    [
        (USAGE, ((12, 5), (212, 7), (208, None, None))),
        ({"tokens": {"input_tokens": 9, "output_tokens": 4}}, ((9, 4), (9, 4), (None, None, None))),
        ({"billed_units": {"input_tokens": 3, "output_tokens": 2}}, ((3, 2), (None, None), (None, None, None))),
        (
            {"billed_units": {"input_tokens": 267, "output_tokens": 66}, "tokens": {"input_tokens": 34, "image_tokens": 259, "reasoning_tokens": 5}},
            ((267, 66), (34, None), (None, 5, 259)),
        ),
        ({"billed_units": {"input_tokens": -1, "output_tokens": -1}}, ((None, None), (None, None), (None, None, None))),
        (
            {"billed_units": {"input_tokens": -1, "output_tokens": -1}, "tokens": {"input_tokens": -1, "output_tokens": -1}},  # the SDK's on Bedrock
            ((None, None), (None, None), (None, None, None)),
        ),
        ({"billed_units": {"input_tokens": 12.0, "output_tokens": "5"}, "tokens": USAGE["tokens"]}, ((12, 5), (212, 7), (None, None, None))),
        ({"billed_units": {"search_units": 1}}, ((None, None), (None, None), (None, None, None))),
        ({}, ((None, None), (None, None), (None, None, None))),
        (None, ((None, None), (None, None), (None, None, None))),
    ],
)
def test_what_is_billed_counts(stated: Any, counts: Any, usages: Usages) -> None:
    with ScriptedServer(answer(usage=stated), answer_v1(meta=stated)) as server:
        client_at(server.url).chat(**ASK)
        client_at(server.url, "Client").chat(message="hello")
    assert [counts_of(usage) for usage in usages.recorded] == [counts, counts]
    assert [(usage.response_id, usage.ended) for usage in usages.recorded] == [("c-1", "complete"), ("r-1", "complete")]


@pytest.mark.parametrize(
    ("billed", "into", "images"),
    [
        ({"input_tokens": 7, "image_tokens": 0}, 7, 0),
        ({"input_tokens": 300, "image_tokens": 259}, 300, 259),
        ({"input_tokens": 0, "image_tokens": 259}, 259, 259),  # an image alone: it cannot be a part of 0
        ({"image_tokens": 259}, 259, 259),
        ({"images": 1}, None, None),
    ],
)
def test_tokens_of_images_are_input(billed: Any, into: int | None, images: int | None, usages: Usages) -> None:
    with ScriptedServer({**VECTORS, "meta": {"billed_units": billed}}) as server:
        client_at(server.url).embed(model="embed-v4.0", input_type="image", images=["data:,"], embedding_types=["float"])
    assert [(usage.input_tokens, usage.image_input_tokens, usage.output_tokens) for usage in usages.recorded] == [(into, images, None)]


def test_a_request_of_a_pools_thread_is_its_callers(usages: Usages) -> None:
    """`Client.embed` sends 96 texts at once, each from a thread."""
    one = {"id": "e-1", "embeddings": [[0.5]] * 96, "texts": ["lorem"] * 96, "response_type": "embeddings_floats"}
    with ScriptedServer({**one, "meta": {"billed_units": {"input_tokens": 96}}}) as server:
        client = client_at(server.url, "Client")
        with tokentrail.track_tokens(tenant_id="acme", operation="extraction") as spent:
            client.embed(texts=["lorem"] * 200, model="embed-english-v3.0", input_type="search_document")
        client.embed(texts=["lorem"], model="embed-english-v3.0", input_type="search_document", batching=False)
    assert sorted((usage.tenant_id, usage.operation, usage.texts) for usage in usages.recorded) == sorted(
        [("acme", "extraction", 96), ("acme", "extraction", 96), ("acme", "extraction", 8), ("", "vector_search", 1)]
    )
    assert (spent.calls, spent.input_tokens) == (3, 288)


def test_two_threads_may_start_a_call_of_one_caller_at_once(usages: Usages, monkeypatch: pytest.MonkeyPatch) -> None:
    """A context can be entered once at a time, so each thread has a copy of the caller's."""
    both, start = threading.Barrier(2, timeout=20), recorder.start

    def start_together(request: Any) -> Any:
        both.wait()
        return start(request)

    monkeypatch.setattr(recorder, "start", start_together)
    one = {"id": "e-1", "embeddings": [[0.5]] * 96, "texts": ["lorem"] * 96, "response_type": "embeddings_floats"}
    with ScriptedServer({**one, "meta": {"billed_units": {"input_tokens": 96}}}) as server, tokentrail.track_tokens(tenant_id="acme"):
        client_at(server.url, "Client").embed(texts=["lorem"] * 192, model="embed-english-v3.0", input_type="search_document")
    assert [(usage.tenant_id, usage.input_tokens) for usage in usages.recorded] == [("acme", 96)] * 2


@pytest.mark.parametrize("options", [None, {"max_retries": 0}])
def test_a_stream_belongs_to_the_block_that_asked(options: Any, usages: Usages) -> None:
    more = {} if options is None else {"request_options": options}
    with ScriptedServer(sse(events("lorem")), lines(events_v1("lorem"))) as server:
        with tokentrail.track_tokens(tenant_id="acme"):
            stream = client_at(server.url).chat_stream(**ASK, **more)
            second = client_at(server.url, "Client").chat_stream(message="hello", **more)
        with tokentrail.track_tokens(tenant_id="reader"):
            list(stream)
            list(second)
    assert [(usage.tenant_id, usage.input_tokens) for usage in usages.recorded] == [("acme", 12)] * 2
    assert options in (None, {"max_retries": 0}), "the caller's dictionary stays as it is"


def test_a_stream_that_was_asked_for_outside_of_any_block_belongs_to_none(usages: Usages) -> None:
    with ScriptedServer(sse(events("lorem"))) as server:
        stream = Context().run(lambda: client_at(server.url).chat_stream(**ASK))
        with tokentrail.track_tokens(tenant_id="reader"):
            list(stream)
    assert [(usage.tenant_id, usage.input_tokens) for usage in usages.recorded] == [("", 12)]


async def test_an_async_stream_belongs_to_the_block_that_asked(usages: Usages) -> None:
    with ScriptedServer(sse(events("lorem"))) as server:
        async with client_at(server.url, "AsyncClientV2") as client:
            with tokentrail.track_tokens(tenant_id="acme"):
                stream = client.chat_stream(**ASK)
            assert [event.type async for event in stream][-1] == "message-end"
    assert [(usage.tenant_id, usage.ended) for usage in usages.recorded] == [("acme", "complete")]


def test_a_retry_is_an_attempt(usages: Usages) -> None:
    with ScriptedServer((503, {}), (503, {}), answer()) as server:
        client_at(server.url).chat(**ASK, request_options={"max_retries": 2})
        client_at(server.url).chat(**ASK)
    assert [(usage.attempts, usage.ended, usage.input_tokens) for usage in usages.recorded] == [(3, "complete", 12), (1, "complete", 12)]


async def test_a_retry_is_an_attempt_async(usages: Usages) -> None:
    with ScriptedServer((503, {}), (503, {}), (503, {}), answer()) as server:
        async with client_at(server.url, "AsyncClientV2") as client:
            await client.chat(**ASK, request_options={"max_retries": 3})
    assert [(usage.attempts, usage.ended) for usage in usages.recorded] == [(4, "complete")]


def test_the_host_that_answers_is_recorded(usages: Usages) -> None:
    """The SDK's clients for Bedrock, SageMaker and Oracle send the request elsewhere, in an event hook."""

    def send_elsewhere(request: httpx.Request) -> None:
        request.url = httpx.URL("https://bedrock-runtime.eu-west-1.amazonaws.com/model/cohere.command-r-v1:0/invoke")

    transport = httpx.MockTransport(lambda _request: httpx.Response(200, json=answer()))
    http_client = httpx.Client(transport=transport, event_hooks={"request": [send_elsewhere]})
    client_at("https://api.cohere.com", httpx_client=http_client).chat(**ASK)
    client_at("https://api.cohere.com", httpx_client=httpx.Client(transport=transport)).chat(**ASK)
    assert [(usage.provider, usage.server_address) for usage in usages.recorded] == [
        ("aws.bedrock", "bedrock-runtime.eu-west-1.amazonaws.com"),
        ("cohere", "api.cohere.com"),
    ]


@pytest.mark.parametrize(("asked", "sent", "port"), [("https://api.cohere.com", ":8443", 8443), ("https://api.cohere.com:8080", "", 443)])
def test_the_span_names_the_host_and_the_port_that_answer(asked: str, sent: str, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def send_elsewhere(request: httpx.Request) -> None:
        request.url = httpx.URL(f"https://bedrock-runtime.eu-west-1.amazonaws.com{sent}/model/cohere.command-r-v1:0/invoke")

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", lambda *_args, **_more: provider.get_tracer("test"))
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, json=answer()))
    http_client = httpx.Client(transport=transport, event_hooks={"request": [send_elsewhere]})
    with Runtime(current.settings).in_place(), collect_usages() as recorded:
        client_at(asked, httpx_client=http_client).chat(**ASK)
    (span,) = exporter.get_finished_spans()
    attributes = dict(span.attributes or {})
    host = "bedrock-runtime.eu-west-1.amazonaws.com"
    assert recorded[0].server_address == host
    assert (attributes["gen_ai.provider.name"], attributes["server.address"], attributes["server.port"]) == ("aws.bedrock", host, port)


def test_what_spends_nothing_is_not_counted(usages: Usages) -> None:
    with ScriptedServer({"tokens": [1], "token_strings": ["a"], "text": "a", "models": [], "valid": True}) as server:
        client = client_at(server.url)
        client.tokenize(text="a", model="command-r", offline=False)
        client.detokenize(tokens=[1], model="command-r", offline=False)
        client.models.list()
    assert not usages.recorded


@pytest.mark.parametrize("body", ["<html>lorem</html>", "", "null", '"lorem"', '{"id": "c-1"', "[" * 5000])
def test_a_body_that_is_no_answer_is_one_record(body: str, usages: Usages) -> None:
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, text=body))
    raised: list[type[BaseException] | None] = []
    for hooked in (True, False):
        if not hooked:
            tokentrail.configure(disabled=True)
        try:
            client_at("https://api.cohere.com", httpx_client=httpx.Client(transport=transport)).chat(**ASK)
            raised.append(None)
        except Exception as error:
            raised.append(type(error))
    assert raised[0] is raised[1]
    (usage,) = usages.recorded
    assert (usage.input_tokens, usage.output_tokens) == (None, None)
    assert usage.ended == ("complete" if body == '"lorem"' else "error")


NAMES = st.sampled_from(
    [
        *("usage", "meta", "billed_units", "tokens", "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "image_tokens"),
        *("content", "text", "thinking", "tool_calls", "tool_plan", "finish_reason", "delta"),
    ]
)
VALUES = st.sampled_from([None, 0, 3, -1, 12.0, 12.5, "12", True, [], {}, "lorem", 2**63, [{"text": "lorem"}], {"function": {"arguments": "{}"}}])
CHANGES = st.lists(st.tuples(st.integers(0, 9), NAMES, st.sampled_from(["set", "drop"]), VALUES), max_size=3).filter(
    lambda changes: not any(name == "finish_reason" and isinstance(value, (list, dict)) for _, name, _, value in changes)  # kept as it came
)
TAMPERING = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def objects_in(value: Any) -> list[dict[str, Any]]:
    inside = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return ([value] if isinstance(value, dict) else []) + [found for each in inside for found in objects_in(each)]


def changed(document: Any, changes: Any) -> Any:
    document = copy.deepcopy(document)
    for place, name, action, value in changes:
        found = objects_in(document)
        inside = found[place % len(found)]
        if action == "set":
            inside[name] = copy.deepcopy(value)
        else:
            inside.pop(name, None)
    return document


def as_objects(value: Any) -> Any:
    """The same as an SDK's objects would have it, which are read the plain way."""
    if isinstance(value, dict):
        return SimpleNamespace(**{name: as_objects(item) for name, item in value.items()})
    return [as_objects(item) for item in value] if isinstance(value, list) else value


@TAMPERING
@given(document=st.sampled_from([answer(), answer_v1()]), changes=CHANGES)
@example(document=answer(), changes=[(3, "thinking", "set", "lorem")])
@example(document=answer(), changes=[(5, "output_tokens", "set", "12")])
@example(document=answer(), changes=[(4, "input_tokens", "set", 2**63)])
@example(document=answer(), changes=[(1, "tool_plan", "set", "lorem")])
def test_both_ways_of_reading_an_answer_agree(document: Any, changes: Any) -> None:
    document = changed(document, changes)
    assert read_answer(document) == read_answer(as_objects(document))


@TAMPERING
@given(changes=CHANGES)
def test_both_ways_of_reading_vectors_agree(changes: Any) -> None:
    document = changed({**VECTORS, "meta": {"billed_units": {"input_tokens": 7, "image_tokens": 3}, "tokens": {"input_tokens": 9}}}, changes)
    assert read_vectors(document) == read_vectors(as_objects(document))


def read_events(sent: list[Any]) -> Any:
    chunks = CohereChunks({}, False)
    for event in sent:
        chunks.absorb(event)
    return chunks.reading(exhausted=True)


@TAMPERING
@given(sent=st.sampled_from([events("lorem", "ipsum"), events_v1("lorem", "ipsum")]), place=st.integers(0, 6), changes=CHANGES)
def test_both_ways_of_reading_events_agree(sent: Any, place: int, changes: Any) -> None:
    place %= len(sent)
    kept = [change for change in changes if change[1] not in {"text", "content", "tool_plan", "tool_calls"}]  # an event has one piece of one text
    sent = [*sent[:place], changed(sent[place], kept), *sent[place + 1 :]]
    assert read_events(sent) == read_events([as_objects(event) for event in sent])


def read_bytes(body: bytes, sizes: list[int]) -> Any:
    reader = Lines(lambda: CohereChunks({}, False))
    for size in sizes:
        reader.absorb(body[:size])
        body = body[size:]
    reader.absorb(body)
    return reader.reading(exhausted=True)


@settings(max_examples=200, deadline=None)
@given(version=st.sampled_from([1, 2]), torn=st.booleans(), sizes=st.lists(st.integers(1, 60), max_size=400))
def test_bytes_read_alike_wherever_they_are_cut(version: int, torn: bool, sizes: list[int]) -> None:
    """Within a character too; and a line that is no JSON takes no other line with it."""
    sent = events("lörem ", "ipsum") if version == 2 else events_v1("lörem ", "ipsum")
    body = b"".join(sse(sent) if version == 2 else [json.dumps(event, ensure_ascii=False).encode() + b"\n" for event in sent])
    if torn:
        body = b'data: {"type": "content-delta", \n\n{"event_type": \n' + body
    assert read_bytes(body, sizes) == read_events(sent)


@pytest.mark.parametrize("version", [1, 2])
def test_bytes_that_come_one_by_one_read_alike(version: int) -> None:
    sent = events("lorem ", "ipsum") if version == 2 else events_v1("lorem ", "ipsum")
    body = b"".join(sse(sent) if version == 2 else lines(sent))
    assert read_bytes(body, [1] * len(body)) == read_events(sent)


ANYTHING: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**19) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["content", "text", "usage", "delta", "message", "id", "billed_units", "input_tokens"]), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = st.fixed_dictionaries({}, optional=dict.fromkeys(("id", "message", "usage", "meta", "type", "event_type", "delta", "generations"), ANYTHING))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=FIELDS, stream=st.booleans())
@pytest.mark.slow
def test_any_json_is_one_sound_record(fields: dict[str, Any], stream: bool) -> None:
    sent = b"".join(sse([*events("lorem"), fields])) if stream else json.dumps({**answer(), **fields}).encode()
    headers = {"content-type": "text/event-stream" if stream else "application/json"}
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, headers=headers, content=sent))
    client = client_at("https://api.cohere.com", httpx_client=httpx.Client(transport=transport))
    with collect_usages() as usages:
        try:
            if stream:
                list(client.chat_stream(**ASK))
            else:
                client.chat(**ASK)
        except (AttributeError, TypeError, ValueError):
            pass  # the SDK's own opinion
    (usage,) = usages.recorded
    assert usage.provider == "cohere"
