"""Calls that another instrumentation's spans and events tell of become usages, each once, and never beside tokentrail's own."""

from __future__ import annotations

import os
from typing import Any

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context

import tokentrail
from tests.bridge.conftest import Program
from tests.support.foreign_spans import NO_CALLS, SHAPES, tokens
from tokentrail import semconv
from tokentrail.instrumentation.contract import Answer, Request
from tokentrail.recording import recorder

IN_OTHER_WORDS = {"duration_ms", "source", "instrumentation"}
EVENT = "gen_ai.client.inference.operation.details"


def typed(attributes: dict[str, str]) -> dict[str, Any]:
    """Attributes as an instrumentation sets them, with their types."""
    words = {"true": True, "false": False}
    return {name: int(value) if value.isdigit() else words.get(value, value) for name, value in attributes.items()}


def own_call(response_id: str = "", given: int = 10, answered: int = 4) -> recorder.Call:
    call = recorder.start(Request(provider="openai", endpoint="chat", gen_ai_operation="chat", model="gpt-4o"))
    assert call is not None
    call.enter()
    return call


def end(call: recorder.Call, response_id: str = "", given: int = 10, answered: int = 4) -> None:
    call.leave()
    call.finish(Answer(response_id=response_id, input_tokens=given, output_tokens=answered))


def emit(program: Program, attributes: dict[str, Any]) -> None:
    program.events.get_logger("opentelemetry.util.genai.handler").emit(LogRecord(timestamp=7 * 10**18 // 4, attributes=attributes, event_name=EVENT))


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_a_span_is_read_as_clickhouse_reads_it(program: Program, shape: str) -> None:
    row, expected = SHAPES[shape]
    with program.tracer(row["ScopeName"]).start_as_current_span("chat", attributes=typed(row["SpanAttributes"])) as span:
        if row["StatusCode"] == "Error":
            span.set_status(StatusCode.ERROR)
    (usage,) = program.usages
    found = usage.as_dict()
    assert {name: found[name] for name in expected.keys() - IN_OTHER_WORDS} == {
        name: value for name, value in expected.items() if name not in IN_OTHER_WORDS
    }
    assert (usage.source, usage.origin) == (expected.get("source", "reported"), "bridged")
    assert usage.instrumentation == row["ScopeName"]
    found_span = span.get_span_context()
    assert (usage.trace_id, usage.span_id) == (f"{found_span.trace_id:032x}", f"{found_span.span_id:016x}")
    assert usage.key == f"span:{usage.trace_id}:{usage.span_id}"
    assert usage.duration_ns is not None


@pytest.mark.parametrize("shape", sorted(NO_CALLS.keys() - {"a span of tokentrail"}))
def test_what_is_no_call_is_not_taken(program: Program, shape: str) -> None:
    row = NO_CALLS[shape]
    kind = SpanKind[row["SpanKind"].upper()]
    with program.tracer(row["ScopeName"]).start_as_current_span("x", kind=kind, attributes=typed(row["SpanAttributes"])):
        pass
    assert program.usages == []


@pytest.mark.parametrize("ids", ["", "r"])
@pytest.mark.parametrize("spans", [True, False])
def test_a_span_around_a_call_of_tokentrail_is_not_taken(program: Program, ids: str, spans: bool) -> None:
    tokentrail.configure(spans=spans)
    with program.tracer().start_as_current_span("chat", attributes=tokens(99, 99, gen_ai__response__id=ids)):
        end(own_call(), ids)
    assert program.totals() == (1, 10, 4)


def test_a_span_inside_a_call_of_tokentrail_is_not_taken(program: Program) -> None:
    call = own_call()
    with program.tracer().start_as_current_span("chat", attributes=tokens(99, 99)):
        pass
    emit(program, tokens(99, 99))
    end(call)
    assert program.totals() == (1, 10, 4)


def test_a_span_inside_a_call_of_tokentrail_that_has_no_span_is_not_taken(program: Program) -> None:
    tokentrail.configure(spans=False)
    call = own_call()
    with program.tracer().start_as_current_span("chat", attributes=tokens(99, 99)):
        pass
    end(call)
    assert program.totals() == (1, 10, 4)


@pytest.mark.parametrize("program", [0.0], indirect=True)
def test_an_event_inside_a_call_of_tokentrail_that_is_not_sampled_is_not_taken(program: Program) -> None:
    call = own_call()
    with program.tracer().start_as_current_span("chat"):
        emit(program, tokens(99, 99))
    end(call)
    assert program.totals() == (1, 10, 4)


def test_a_stream_of_tokentrails_that_ends_last_is_counted_alone(program: Program) -> None:
    """The framework's span has ended before the stream is read to its end."""
    outer = program.tracer().start_span("chat", attributes=tokens(99, 99, gen_ai__response__id="r"))
    beside = program.tracer().start_span("chat", context=set_span_in_context(outer), attributes=tokens(99, 99, gen_ai__response__id="r"))
    with program.tracer().start_as_current_span("request", context=set_span_in_context(outer)):
        call = own_call()
        call.leave()
        beside.end()
        outer.end()
        assert program.usages == []
        end(call, "r")
    assert program.totals() == (1, 10, 4)


def test_a_call_that_nothing_of_tokentrail_tells_of_is_taken_beside_it(program: Program) -> None:
    with program.tracer("app").start_as_current_span("request"):
        call = own_call()
        call.leave()
        with program.tracer().start_as_current_span("chat", attributes=tokens(1, 1)):
            pass
        end(call, "r")
    assert program.totals() == (2, 11, 5)


def test_a_frameworks_span_around_taken_spans_is_not_taken(program: Program) -> None:
    tracer = program.tracer()
    with tracer.start_as_current_span("outer", attributes=tokens(30, 30)), tracer.start_as_current_span("chain"):
        for given in (10, 20):
            with tracer.start_as_current_span("chat", attributes=tokens(given, given)):
                pass
    assert program.totals() == (2, 30, 30)


def test_an_inner_stream_that_ends_after_its_framework_is_counted_once(program: Program) -> None:
    outer = program.tracer().start_span("outer", attributes=tokens(10, 10))
    inner = program.tracer().start_span("chat", context=set_span_in_context(outer), attributes=tokens(10, 10))
    outer.end()
    inner.end()
    assert program.totals() == (1, 10, 10)


def test_a_span_and_its_event_are_one_call_and_the_span_says_more(program: Program) -> None:
    with program.tracer().start_as_current_span("chat", attributes=tokens()) as span:
        emit(program, tokens())
    assert program.totals() == (1, 10, 4)
    assert program.usages[0].duration_ns is not None
    with program.tracer().start_as_current_span("chat") as span:  # the instrumentation states tokens on the event alone
        emit(program, tokens(1, 1))
    assert program.totals() == (2, 11, 5)
    assert program.usages[1].span_id == f"{span.get_span_context().span_id:016x}"


@pytest.mark.parametrize("program", [0.0], indirect=True)
def test_events_of_a_trace_that_is_not_sampled_are_taken(program: Program) -> None:
    with program.tracer().start_as_current_span("chat", attributes=tokens()):
        emit(program, tokens(gen_ai__response__id="r"))
        emit(program, tokens(gen_ai__response__id="r"))
    assert program.totals() == (1, 10, 4)
    with program.tracer().start_as_current_span("chat"):
        end(own_call(), "s")
        emit(program, tokens(99, 99, gen_ai__response__id="s"))
    assert program.totals() == (2, 20, 8)


def test_an_event_without_a_span_is_a_call(program: Program) -> None:
    emit(program, tokens())
    emit(program, tokens())
    assert program.totals() == (2, 20, 8)


def test_events_of_tokentrail_are_not_taken(program: Program) -> None:
    emit(program, tokens() | {semconv.EVENT: semconv.EVENT_USAGE})
    assert program.usages == []


def test_two_traces_and_two_answers_are_two_calls(program: Program) -> None:
    for response_id in ("r", "r", "s"):  # each a trace of its own: some providers repeat their ids
        with program.tracer().start_as_current_span("chat", attributes=tokens(gen_ai__response__id=response_id)):
            pass
    assert program.totals() == (3, 30, 12)
    with program.tracer("app").start_as_current_span("request"):
        for response_id in ("r", "r", "s"):
            with program.tracer().start_as_current_span("chat", attributes=tokens(gen_ai__response__id=response_id)):
                pass
    assert program.totals() == (5, 50, 20)


def test_tenant_and_operation_are_those_of_the_block(program: Program) -> None:
    block = tokentrail.track_tokens(tenant_id="acme", operation="summarize")
    with block as spent, program.tracer().start_as_current_span("chat", attributes=tokens()):
        pass
    with program.tracer().start_as_current_span("chat", attributes=tokens() | {semconv.TENANT_ID: "umbrella"}):
        pass
    assert [(usage.tenant_id, usage.operation) for usage in program.usages] == [("acme", "summarize"), ("umbrella", "chat")]
    assert (spent.calls, spent.input_tokens) == (1, 10)


def test_tenant_and_operation_that_nobody_states_are_those_of_the_settings(program: Program) -> None:
    tokentrail.configure(tenant_id="acme", operations={"chat": "summarize"})
    with program.tracer().start_as_current_span("chat", attributes=tokens()):
        pass
    emit(program, tokens(11, 5))
    assert [(usage.tenant_id, usage.operation) for usage in program.usages] == [("acme", "summarize")] * 2


@pytest.mark.parametrize("stated", ["timestamp", "observed_timestamp"])
def test_an_event_has_the_time_that_it_states_else_that_at_which_it_was_seen(program: Program, stated: str) -> None:
    times: dict[str, Any] = {"timestamp": None, "observed_timestamp": 1_790_000_000_000_000_007} | {stated: 1_790_000_000_000_000_001}
    program.events.get_logger("opentelemetry.util.genai.handler").emit(LogRecord(**times, attributes=tokens(), event_name=EVENT))
    assert [usage.ts for usage in program.usages] == [1_790_000_000_000_000_001]


def test_a_usage_by_hand_tells_of_its_span(program: Program) -> None:
    """The span that is current at `track_token_usage` is that of the call; a span without such a usage is a call of its own."""
    given: dict[str, Any] = {
        "token_type": "llm",
        "provider": "openai",
        "operation": "chat",
        "model": "gpt-4o",
        "input_tokens": 10,
        "output_tokens": 4,
    }
    with program.tracer().start_as_current_span("chat", attributes=tokens()):
        tokentrail.track_token_usage(**given)
    with program.tracer().start_as_current_span("chat", attributes=tokens(1, 1)):
        pass
    assert program.totals() == (2, 11, 5)


BAD: list[Any] = ["many", "10", -1, 1.5, True, 2**63 - 1, 10**12 + 1, [1, 2], float("inf")]


@pytest.mark.parametrize("value", BAD)
def test_a_malformed_count_is_not_stated(program: Program, value: Any) -> None:
    with program.tracer().start_as_current_span("chat", attributes=tokens(value, 4)):
        pass
    (usage,) = program.usages
    assert (usage.input_tokens, usage.output_tokens, usage.input_source) == (None, 4, "unknown")


def test_malformed_words_are_not_stated_and_nothing_is_raised(program: Program) -> None:
    odd = {name: [1, 2] for name in (semconv.PROVIDER, semconv.REQUEST_MODEL, semconv.RESPONSE_ID, semconv.SERVER_ADDRESS)}
    with program.tracer().start_as_current_span("chat", attributes=tokens() | odd | {semconv.SERVER_PORT: 99_999, semconv.REQUEST_STREAM: "yes"}):
        pass
    (usage,) = program.usages
    assert (usage.provider, usage.request_model, usage.response_id, usage.server_port, usage.stream) == ("", "", "", 0, False)


def test_an_error_of_the_bridge_never_reaches_the_application(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr("tokentrail.bridge.calls.Calls.start", fail)
    monkeypatch.setattr("tokentrail.bridge.processors.states_call", fail)
    with program.tracer().start_as_current_span("chat", attributes=tokens()):
        emit(program, tokens())
    assert program.usages == []


@pytest.mark.parametrize("step", ["begin", "note", "finish"])
def test_an_error_of_the_bridge_loses_no_call_of_tokentrail(step: str, program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(f"tokentrail.bridge.calls.Calls.{step}", fail)
    end(own_call())
    assert program.totals() == (1, 10, 4)
    assert sum(program.runtime.diagnostics.internal_errors.values()) == 1


def test_what_waits_at_the_end_is_taken(program: Program) -> None:
    with program.tracer("app").start_as_current_span("request"):
        own_call().leave()  # a stream that nobody ends
        with program.tracer().start_as_current_span("chat", attributes=tokens(3, 3)):
            pass
        assert program.usages == []
        program.runtime.close()
    assert program.totals() == (1, 3, 3)


def test_many_traces_lose_no_waiting_call(program: Program) -> None:
    for _ in range(1100):
        with program.tracer("app").start_as_current_span("request"):
            own_call().leave()
            with program.tracer().start_as_current_span("chat", attributes=tokens(1, 1)):
                pass
    program.runtime.close()
    assert program.totals() == (1100, 1100, 1100)


def test_a_forked_child_takes_nothing_of_its_parents(program: Program) -> None:
    with program.tracer("app").start_as_current_span("request"):
        call = own_call()
        call.leave()
        with program.tracer().start_as_current_span("chat", attributes=tokens(3, 3)):
            pass
        pid = os.fork()
        if pid == 0:
            program.runtime.close()
            os._exit(len(program.usages))
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        end(call)
    assert program.totals() == (2, 13, 7)


def test_providers_of_the_api_alone_take_no_processor() -> None:
    assert not tokentrail.bridge.install(object(), object())
