"""One client span per call, under the decorator's, with the conventions' names and value types, and nothing of what was said."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import weakref
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, StatusCode

from tests.core.conftest import Configure, Sdk
from tests.support.calls import a_request, an_answer, call, journal_of
from tests.support.telemetry_contract import check_span
from tokentrail import track_token_usage, track_tokens
from tokentrail.counts import COUNTS
from tokentrail.instrumentation.contract import Answer
from tokentrail.journal.reader import header_of
from tokentrail.recording import recorder


class Overloaded(Exception):  # noqa: N818 - named as SDKs name theirs
    status_code = 529


@track_tokens(operation="query", tenant_id="acme", operation_id="req-1")
def answer_a_question() -> None:
    call()


def test_a_calls_span_has_exactly_the_conventions_attributes(sdk: Sdk) -> None:
    answer_a_question()
    span = sdk.span("chat gpt-4o-mini")
    check_span(span)
    assert span.kind is SpanKind.CLIENT
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "server.address": "api.openai.com",
        "tokentrail.tenant_id": "acme",
        "tokentrail.operation": "query",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 4,
    }


def test_every_attribute_that_an_answer_may_bring_is_in_the_contract(sdk: Sdk) -> None:
    numbers = {name: place for place, name in enumerate(Answer.__struct_fields__) if name.endswith("_tokens")}
    call(answer=an_answer(**numbers))
    check_span(sdk.span("chat gpt-4o-mini"))
    attributes = dict(sdk.span("chat gpt-4o-mini").attributes or {})
    for count in COUNTS:  # what was not billed is in the ledger only
        assert attributes.get(count.attribute) == (None if count.kind == "processed" else numbers[count.name]), count.name


def test_what_is_not_known_is_absent_and_not_empty(sdk: Sdk) -> None:
    call(request=a_request(model="", server_address="", server_port=0), answer=Answer())
    span = sdk.span("chat")
    check_span(span)
    assert dict(span.attributes or {}) == {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "tokentrail.operation": "chat"}


def test_a_calls_span_lies_under_its_decorators_and_its_http_clients_under_it(sdk: Sdk) -> None:
    tracer = trace.get_tracer("http client")

    @track_tokens(operation="chat")
    def ask() -> None:
        with track_tokens("query"):
            begun = recorder.start(a_request())
            assert begun is not None
            begun.enter()
            tracer.start_span("POST").end()
            begun.leave()
            begun.finish(an_answer())
        tracer.start_span("afterwards").end()

    with trace.get_tracer("the service").start_as_current_span("GET /ask"):
        ask()
    parents = {span.name: span.parent and span.parent.span_id for span in sdk.spans}
    ids = {span.name: span.context.span_id for span in sdk.spans}
    function = next(name for name in ids if name.endswith("ask") and not name.startswith("GET"))
    assert parents["POST"] == ids["chat gpt-4o-mini"]
    assert parents["chat gpt-4o-mini"] == ids["track_tokens query"]
    assert parents["track_tokens query"] == ids[function]
    assert parents["afterwards"] == ids[function]
    assert parents[function] == ids["GET /ask"]
    assert len({span.context.trace_id for span in sdk.spans}) == 1
    for span in sdk.spans:
        check_span(span)


def test_a_block_never_carries_counts(sdk: Sdk) -> None:
    answer_a_question()
    block = sdk.span("answer_a_question")
    check_span(block)
    assert block.kind is SpanKind.INTERNAL
    assert dict(block.attributes or {}) == {"tokentrail.tenant_id": "acme", "tokentrail.operation": "query", "tokentrail.operation.id": "req-1"}


def test_an_error_is_a_status_and_a_type_without_its_message(sdk: Sdk) -> None:
    @track_tokens
    def fails() -> None:
        error = Overloaded("PLANTED prompt: Good morning")
        call(answer=Answer(), ended="error", error=error)
        call(answer=Answer(), ended="error", error=ValueError("PLANTED"))
        raise error

    with pytest.raises(Overloaded):
        fails()
    first, second, block = sdk.spans
    for span, kind in ((first, "529"), (second, "ValueError"), (block, "529")):
        check_span(span)
        assert span.status.status_code is StatusCode.ERROR
        assert (span.attributes or {})["error.type"] == kind
        assert "PLANTED" not in span.to_json()
    assert (first.attributes or {})["tokentrail.ended"] == "error"


@pytest.mark.parametrize("error", [None, Overloaded("PLANTED")], ids=["answered", "failed"])
def test_a_call_whose_answer_is_an_inner_calls_has_a_span_that_ends_without_counts(error: Exception | None, sdk: Sdk) -> None:
    outer = recorder.start(a_request(model="gateway"))
    assert outer is not None
    outer.enter()
    call()
    outer.leave()
    outer.finish(an_answer(), "error" if error else "complete", error)
    inner, span = sdk.spans
    assert (span.name, inner.parent and inner.parent.span_id) == ("chat gateway", span.context.span_id)
    assert not any(name.startswith("gen_ai.usage.") for name in span.attributes or {})
    assert (span.attributes or {}).get("error.type") == ("529" if error else None)
    assert span.status.status_code is (StatusCode.ERROR if error else StatusCode.UNSET)
    assert sum(sdk.values("gen_ai.client.inference.usage.input_tokens").values()) == 11


def test_an_exception_without_a_status_is_told_by_its_qualified_name(sdk: Sdk) -> None:
    class Broken(Exception):  # noqa: N818
        pass

    call(answer=Answer(), ended="error", error=Broken("PLANTED"))
    assert (sdk.span("chat gpt-4o-mini").attributes or {})["error.type"] == f"{__name__}.{Broken.__qualname__}"


class Waits:
    """What is waited for, for ever."""

    def __await__(self) -> Generator[None, None, None]:
        yield


@track_tokens
async def coroutine() -> None:
    await Waits()


@track_tokens
def generator() -> Iterator[None]:
    yield


@track_tokens
async def async_generator() -> AsyncIterator[None]:
    yield


@track_tokens
async def async_generator_that_waits() -> AsyncIterator[None]:
    await Waits()
    yield


def step(async_iterator: Any) -> Any:
    """The awaitable of the next step, run to where it waits or ends."""
    awaited = async_iterator.__anext__()
    with suppress(StopIteration):
        awaited.send(None)
    return awaited


def begun(kind: Any) -> Any:
    started = kind()
    if kind is generator:
        next(started)
    elif kind is coroutine:
        started.send(None)
    else:
        return started, step(started)
    return started


@pytest.mark.parametrize("kind", [coroutine, generator, async_generator, async_generator_that_waits], ids=lambda kind: kind.__name__)
def test_the_span_of_a_block_that_is_left_ends(kind: Any, sdk: Sdk) -> None:
    """Nobody goes on with what has begun: the garbage collector closes it."""
    left = begun(kind)
    assert sdk.spans == []
    del left
    gc.collect()
    (span,) = sdk.spans
    assert (span.name, span.status.status_code) == (kind.__qualname__, StatusCode.UNSET)


def test_a_call_that_is_over_keeps_no_prompt(sdk: Sdk) -> None:
    """A task that was started within a call keeps the call, in its context, as long as the task lives."""

    class Text(str):
        __slots__ = ("__weakref__",)

    prompt = Text("PLANTED")
    seen, over = weakref.ref(prompt), recorder.start(a_request(prompt))
    assert over is not None
    over.enter()
    context = contextvars.copy_context()
    over.leave()
    over.finish(an_answer())
    del prompt, over
    gc.collect()
    assert seen() is None
    assert len(list(context)) > 0


def test_a_stream_tells_when_it_began_to_answer(sdk: Sdk, journal: Path) -> None:
    begun = recorder.start(a_request(stream=True))
    assert begun is not None
    begun.first_chunk()
    begun.first_chunk()
    begun.finish(an_answer(), "partial")
    span = sdk.span("chat gpt-4o-mini")
    check_span(span)
    attributes = dict(span.attributes or {})
    assert attributes["gen_ai.request.stream"] is True
    assert attributes["tokentrail.ended"] == "partial"
    ((_, _, usage),) = journal_of(journal)
    assert usage.time_to_first_chunk_ns is not None
    assert attributes["gen_ai.response.time_to_first_chunk"] == usage.time_to_first_chunk_ns / 1e9


def test_the_span_is_as_long_as_the_ledger_says(sdk: Sdk, journal: Path) -> None:
    call()
    span = sdk.span("chat gpt-4o-mini")
    ((_, _, usage),) = journal_of(journal)
    assert (span.start_time, span.end_time) == (usage.ts, usage.ts + (usage.duration_ns or 0))


def test_a_ledger_row_leads_to_its_span(sdk: Sdk, journal: Path) -> None:
    answer_a_question()
    with trace.get_tracer("the service").start_as_current_span("by hand") as by_hand:
        track_token_usage(token_type="llm", operation="query", provider="groq", model="m", input_tokens=1)
    (_, _, usage), (_, _, told) = journal_of(journal)
    span = sdk.span("chat gpt-4o-mini").context
    assert (usage.trace_id, usage.span_id) == (f"{span.trace_id:032x}", f"{span.span_id:016x}")
    assert told.trace_id == f"{by_hand.get_span_context().trace_id:032x}"


def test_without_spans_a_ledger_row_leads_to_the_services_own(sdk: Sdk, configure: Configure, journal: Path) -> None:
    configure(spans=False)
    with trace.get_tracer("the service").start_as_current_span("GET /ask") as span:
        answer_a_question()
        assert trace.get_current_span() is span
    assert [found.name for found in sdk.spans] == ["GET /ask"]
    ((_, _, usage),) = journal_of(journal)
    assert usage.span_id == f"{span.get_span_context().span_id:016x}"


def test_an_unsampled_call_counts_all_the_same(make_sdk: Callable[..., Sdk], journal: Path) -> None:
    sdk = make_sdk(ParentBased(ALWAYS_OFF))
    answer_a_question()
    assert sdk.spans == []
    ((_, _, usage),) = journal_of(journal)
    assert usage.input_tokens == 11
    assert int(usage.trace_id, 16) != 0
    assert sum(sdk.values("gen_ai.client.inference.usage.input_tokens").values()) == 11


def test_a_sampler_may_decide_by_what_is_known_at_the_start(make_sdk: Callable[..., Sdk]) -> None:
    seen: list[dict[str, object]] = []

    class Sampler(TraceIdRatioBased):
        def should_sample(self, context, trace_id, name, kind=None, attributes=None, links=None):  # type: ignore[no-untyped-def]
            seen.append(dict(attributes))
            return super().should_sample(context, trace_id, name, kind, attributes, links)

    make_sdk(Sampler(1.0))
    call(request=a_request(server_port=11434))
    assert {"gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "server.address", "server.port"} <= seen[0].keys()


def test_a_resource_that_cannot_be_read_loses_no_usage(journal: Path, internal_errors: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd(TracerProvider):
        @property
        def resource(self) -> Any:
            raise RuntimeError("a detector of the program's own has failed")

    monkeypatch.setattr(trace, "_TRACER_PROVIDER", Odd())
    call()
    ((writer_id, _, usage),) = journal_of(journal)
    assert usage.input_tokens == 11
    resource = header_of(journal / writer_id).resource
    assert (bool(resource["service.name"]), resource["process.pid"]) == (True, os.getpid())
    assert internal_errors == {"telemetry": 1, "telemetry.resource_attributes": 1}, "the SDK's tracer reads it too"


def test_an_sdk_that_fails_is_counted_and_the_application_goes_on(
    make_sdk: Callable[..., Sdk], internal_errors: dict[str, int], journal: Path
) -> None:
    class Broken(TraceIdRatioBased):
        def should_sample(self, *_args: object, **_keywords: object):  # type: ignore[no-untyped-def]
            raise RuntimeError("broken sampler")

    make_sdk(Broken(1.0))

    @track_tokens
    def work() -> int:
        call()
        return 5

    assert work() == 5
    assert internal_errors["track_tokens: its span"] == 1
    assert len(journal_of(journal)) == 1, "a broken sampler must not cost a usage"


def test_spans_of_tasks_do_not_mix(sdk: Sdk) -> None:
    @track_tokens(operation="chat", operation_id=str)
    async def ask(number: int) -> None:
        begun = recorder.start(a_request())
        assert begun is not None
        begun.enter()
        await asyncio.sleep(0.001 * (number % 3))
        begun.leave()
        begun.finish(an_answer(response_id=str(number)))

    async def everyone() -> None:
        await asyncio.gather(*[ask(number) for number in range(20)])

    asyncio.run(everyone())
    numbers = {span.context.span_id: (span.attributes or {}).get("tokentrail.operation.id") for span in sdk.spans}
    calls = [span for span in sdk.spans if span.name == "chat gpt-4o-mini"]
    assert len(calls) == 20
    for span in calls:
        assert span.parent is not None
        assert numbers[span.parent.span_id] == (span.attributes or {})["gen_ai.response.id"]


def test_settings_that_change_between_calls_are_the_next_calls(sdk: Sdk, configure: Configure) -> None:
    call()
    configure(spans=False)
    call()
    assert len(sdk.spans) == 1
    configure(spans=True)
    call()
    assert len(sdk.spans) == 2
