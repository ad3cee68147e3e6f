"""Real instrumentations make the spans of streams not current, state them on a span or an event of its own, or leave them open: each call is one row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import Span

import tokentrail
from tests.bridge.conftest import Program
from tests.support.foreign_spans import tokens
from tokentrail.instrumentation.contract import Answer, Request
from tokentrail.recording import recorder

MODEL = {"gen_ai__request__model": "gpt-4o"}


def own_call(model: str = "gpt-4o") -> recorder.Call:
    call = recorder.start(Request(provider="openai", endpoint="chat", gen_ai_operation="chat", model=model, stream=True))
    assert call is not None
    call.enter()
    call.leave()
    return call


def end(call: recorder.Call, response_id: str = "") -> None:
    call.finish(Answer(response_id=response_id, input_tokens=10, output_tokens=4))


def start(program: Program, scope: str = "opentelemetry.instrumentation.openai") -> Span:
    """A span in a trace of its own, which is made current nowhere."""
    return program.tracer(scope).start_span("chat", context=Context())


def state(span: Span, given: int = 10, answered: int = 4, **more: object) -> None:
    attributes: dict[str, Any] = tokens(given, answered, **(MODEL | more))
    span.set_attributes(attributes)
    span.end()


def emit(program: Program, scope: str, **more: object) -> None:
    attributes: dict[str, Any] = tokens(**more)
    program.events.get_logger(scope).emit(LogRecord(timestamp=7 * 10**18 // 4, attributes=attributes, context=Context()))


@pytest.mark.parametrize("spans", [True, False])
@pytest.mark.parametrize("ids", [("", ""), ("r", "r"), ("", "r"), ("r", "")])
@pytest.mark.parametrize("first", ["span", "call"])
def test_a_span_that_is_not_current_is_the_call_that_began_inside(program: Program, ids: tuple[str, str], first: str, spans: bool) -> None:
    tokentrail.configure(spans=spans)
    span = start(program)
    call = own_call()
    ends: list[Callable[[], None]] = [lambda: state(span, 99, 99, gen_ai__response__id=ids[0]), lambda: end(call, ids[1])]
    for action in ends if first == "span" else reversed(ends):
        action()
    assert program.totals() == (1, 10, 4)


def test_a_span_inside_another_instrumentations_is_the_same_call(program: Program) -> None:
    outer = start(program)
    inner = start(program, "com.anthropic.sdk.python")
    state(inner, gen_ai__response__id="r")
    state(outer, 10, 5, gen_ai__response__id="r")
    assert [usage.instrumentation for usage in program.usages] == ["com.anthropic.sdk.python"]
    late = start(program, "opentelemetry.instrumentation.openai")
    stream = start(program, "com.anthropic.sdk.python")
    state(late)
    state(stream)
    assert program.totals() == (2, 20, 8)


def test_streams_that_are_open_at_once_are_calls_of_their_own(program: Program) -> None:
    """The second one began while the span of the first was open, in one context; neither states an id."""
    some, others = start(program), start(program)
    state(others)
    state(some)
    assert program.totals() == (2, 20, 8)


def test_a_call_beside_an_open_stream_of_another_package_is_a_call_of_its_own(program: Program) -> None:
    stream = start(program, "opentelemetry.instrumentation.other")
    end(own_call("gpt-4o"), "r")
    state(stream, 7, 7, gen_ai__request__model="other-large")
    stream = start(program, "opentelemetry.instrumentation.other")
    end(own_call("gpt-4o"), "s")
    state(stream, 7, 7, gen_ai__response__id="t")
    assert program.totals() == (4, 34, 22)


@pytest.mark.parametrize("first", ["span", "call"])
def test_a_span_that_is_made_at_the_streams_end_is_the_call_with_its_response_id(program: Program, first: str) -> None:
    call = own_call()
    ends: list[Callable[[], None]] = [lambda: state(start(program), 99, 99, gen_ai__response__id="r"), lambda: end(call, "r")]
    for action in ends if first == "span" else reversed(ends):
        action()
    assert program.totals() == (1, 10, 4)
    state(start(program), 3, 3, gen_ai__response__id="r")  # the provider repeats its ids, and this call nobody else has seen
    assert program.totals() == (2, 13, 7)


def test_a_span_that_is_left_open_and_stated_on_another_one_is_the_call_inside(program: Program) -> None:
    start(program)
    end(own_call(), "r")
    state(start(program))
    assert program.totals() == (1, 10, 4)
    state(start(program))  # each call is told of once
    assert program.totals() == (2, 20, 8)


def test_an_event_in_no_trace_is_the_open_spans_of_its_scope(program: Program) -> None:
    scope = "openlit.instrumentation.openai"
    span = start(program, scope)
    emit(program, scope)
    assert program.usages == []
    state(span, 10, 4, gen_ai__response__id="r")
    assert program.totals() == (1, 10, 4)
    assert program.usages[0].duration_ns is not None


@pytest.mark.parametrize("first", ["event", "span"])
def test_an_event_in_no_trace_and_a_span_have_one_response_id(program: Program, first: str) -> None:
    both: list[Callable[[], None]] = [
        lambda: emit(program, "events", gen_ai__response__id="r"),
        lambda: state(start(program), gen_ai__response__id="r"),
    ]
    for action in both if first == "event" else reversed(both):
        action()
    assert program.totals() == (1, 10, 4)
    emit(program, "events", gen_ai__response__id="r")
    assert program.totals() == (2, 20, 8)


def test_what_reads_none_is_not_stated(program: Program) -> None:
    with program.tracer("app").start_as_current_span("request"):
        for _ in range(2):
            with program.tracer().start_as_current_span("chat", attributes=tokens(gen_ai__response__id="None")):
                pass
    assert program.totals() == (2, 20, 8)
    assert {usage.response_id for usage in program.usages} == {""}


def test_a_call_that_is_not_sampled_is_known_too(program: Program) -> None:
    program.spans.sampler = ALWAYS_OFF
    call = own_call()
    emit(program, "events", gen_ai__response__id="r", **MODEL)
    end(call, "r")
    assert program.totals() == (1, 10, 4)


def test_spans_that_nobody_ends_take_no_room(program: Program) -> None:
    for _ in range(300):
        start(program)
        end(own_call(), "r")
    state(start(program))
    assert program.totals() == (300, 3000, 1200)


def test_a_call_of_which_tokentrail_counts_nothing_is_none(program: Program) -> None:
    """The start of a job: a record tells of the job later."""
    span = start(program)
    call = own_call()
    call.finish(Answer(object_id="job_1"), "created")
    state(span, 0, 0)
    assert [usage for usage in program.usages if usage.calls] == []
