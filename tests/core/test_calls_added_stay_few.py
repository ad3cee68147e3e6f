"""A guard against regression: how many function calls one recorded call costs, with real spans, metrics and journal. Counted, not timed."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.metrics import _internal as metrics_api

from tests.core.conftest import Sdk
from tests.support.calls import a_request, an_answer, count_calls
from tokentrail import track_tokens
from tokentrail.attribution import attribution
from tokentrail.recording import recorder

REQUEST, ANSWER = a_request("Good morning", "How are you?"), an_answer(reasoning_tokens=3)


def one_call() -> None:
    begun = recorder.start(REQUEST)
    assert begun is not None
    begun.enter()
    begun.leave()
    begun.finish(ANSWER)


def test_a_call_with_span_metrics_and_journal(sdk: Sdk) -> None:
    """Most are the SDK's own: one span with a dozen attributes. The histogram is left to the reader."""
    sdk.exporter.export = lambda _spans: None  # type: ignore[assignment,method-assign,return-value]
    assert count_calls(one_call) <= 270


def test_a_call_without_an_sdk(journal: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", trace.NoOpTracerProvider())
    monkeypatch.setattr(metrics_api, "_METER_PROVIDER", NoOpMeterProvider())
    assert count_calls(one_call) <= 78


def test_a_block_without_an_sdk(journal: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", trace.NoOpTracerProvider())

    @track_tokens(operation="query", tenant_id="acme")
    def work() -> None:
        assert attribution.get() is not None

    assert count_calls(work) <= 40


def test_a_step_of_a_generator(journal: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", trace.NoOpTracerProvider())

    def plain(steps: int) -> Any:
        yield from range(steps)

    decorated = track_tokens("chat")(plain)

    def added(steps: int) -> int:
        return count_calls(lambda: list(decorated(steps))) - count_calls(lambda: list(plain(steps)))

    assert added(110) - added(10) <= 100 * 7
