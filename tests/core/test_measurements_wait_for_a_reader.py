"""Durations wait for a reader's collection, off the call: all readers see all of them, once, at the end and after a fork too."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.metrics import _internal as metrics_api
from opentelemetry.sdk.metrics import AlwaysOnExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricExporter, MetricExportResult, PeriodicExportingMetricReader

from tests.core.conftest import Configure, Sdk
from tests.support.calls import a_request, an_answer, call, count_calls
from tests.support.forked import exit_code_of_child
from tests.support.telemetry_contract import points_of
from tokentrail import track_token_usage
from tokentrail.process.current import current
from tokentrail.recording import recorder
from tokentrail.recording.runtime import Runtime
from tokentrail.telemetry import measurements

DURATION = "gen_ai.client.inference.duration"


def count_in(data: Any, name: str = DURATION) -> int:
    """The number of durations in what a reader or an exporter got."""
    return sum(point.count for point in points_of(data) if point.name == name)


class Kept(MetricExporter):
    """Keeps the last export."""

    def __init__(self) -> None:
        super().__init__()
        self.data: Any = None

    def export(self, metrics_data: Any, timeout_millis: float = 0, **_: Any) -> MetricExportResult:
        self.data = metrics_data
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 0) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 0, **_: Any) -> None:
        pass


@pytest.fixture
def provide(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> Callable[..., MeterProvider]:
    """Puts a provider with these readers in the place of the process's."""

    def put(*readers: Any, **given: Any) -> MeterProvider:
        provider = MeterProvider(readers, shutdown_on_exit=False, **given)
        monkeypatch.setattr(metrics_api, "_METER_PROVIDER", provider)
        return provider

    return put


def waiting() -> int:
    return len(current.runtime.measurements)


def test_a_call_leaves_its_duration_to_the_reader(sdk: Sdk) -> None:
    call()
    assert waiting() == 1
    (point,) = [point for point in sdk.points if point.name == DURATION]
    assert (point.count, waiting()) == (1, 0)


def test_a_call_that_is_never_read_costs_no_record_of_the_sdk(sdk: Sdk, monkeypatch: pytest.MonkeyPatch) -> None:
    sdk.exporter.export = lambda _spans: None  # type: ignore[assignment,method-assign,return-value]
    waits = count_calls(call)
    monkeypatch.setattr(measurements, "MOST_WAITING", 0)
    assert count_calls(call) - waits > 60, "the histogram of the SDK is the larger part of a measurement"


def test_all_readers_see_all_durations(provide: Callable[..., MeterProvider]) -> None:
    pulled, other, kept = InMemoryMetricReader(), InMemoryMetricReader(), Kept()
    pushed = PeriodicExportingMetricReader(kept, export_interval_millis=3_600_000)
    provider = provide(pulled, other, pushed)
    for expected in (3, 6):
        for _ in range(3):
            call()
        assert count_in(pulled.get_metrics_data()) == expected
        provider.force_flush()
        assert count_in(kept.data) == expected
    call()
    provider.shutdown()
    assert count_in(kept.data) == 7, "the shutdown exports what has ended before"


def test_readers_that_collect_at_once_miss_nothing(provide: Callable[..., MeterProvider]) -> None:
    readers = [InMemoryMetricReader() for _ in range(3)]
    provide(*readers)
    call()
    stopped = threading.Event()

    def read(reader: InMemoryMetricReader) -> None:
        while not stopped.is_set():
            reader.get_metrics_data()

    reading = [threading.Thread(target=read, args=(reader,)) for reader in readers]
    calling = [threading.Thread(target=lambda: [call() for _ in range(100)]) for _ in range(4)]
    for thread in (*reading, *calling):
        thread.start()
    for thread in calling:
        thread.join()
    stopped.set()
    for thread in reading:
        thread.join()
    assert [count_in(reader.get_metrics_data()) for reader in readers] == [401, 401, 401]


def test_the_values_are_the_usages(sdk: Sdk) -> None:
    given = {"operation": "query", "provider": "groq", "model": "llama"}
    for seconds in (0.25, 0.5, 4.0):
        track_token_usage(token_type="llm", input_tokens=1, duration=seconds, **given)  # type: ignore[arg-type]
    (point,) = [point for point in sdk.points if point.name == DURATION]
    assert (point.count, point.value) == (3, 4.75)


def test_attributes_are_those_of_the_call(sdk: Sdk) -> None:
    call(request=a_request(server_port=8080))
    call(answer=an_answer(model=""), error=ValueError(), ended="error")
    points = {point.attributes.get("error.type"): point for point in sdk.points if point.name == DURATION}
    assert points[None].attributes["server.port"] == 8080
    assert points[None].attributes["gen_ai.response.model"] == "gpt-4o-mini-2024-07-18"
    assert "gen_ai.response.model" not in points["ValueError"].attributes


@pytest.mark.parametrize("bound", [0, 1, 5])
def test_at_the_bound_each_call_records_its_own(sdk: Sdk, monkeypatch: pytest.MonkeyPatch, bound: int) -> None:
    monkeypatch.setattr(measurements, "MOST_WAITING", bound)
    recorded: list[int] = []
    record = measurements.record
    monkeypatch.setattr(measurements, "record", lambda *entry: (recorded.append(1), record(*entry)))
    for number in range(12):
        before = len(recorded)
        call()
        assert waiting() == min(number + 1, bound)
        assert len(recorded) - before == (number >= bound), "a caller records its own duration, and no other"
    assert sum(point.count for point in sdk.points if point.name == DURATION) == 12


def test_nothing_waits_where_no_sdk_takes_it(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in (NoOpMeterProvider(), metrics_api._ProxyMeterProvider()):
        monkeypatch.setattr(metrics_api, "_METER_PROVIDER", provider)
        configure()
        call()
        assert waiting() == 0


def test_the_end_of_a_runtime_records_what_waits(provide: Callable[..., MeterProvider], runtime: Runtime) -> None:
    reader = InMemoryMetricReader()
    provide(reader)
    call()
    runtime.close(for_good=True)
    assert waiting() == 0
    assert count_in(reader.get_metrics_data()) == 1


def test_settings_that_end_the_metrics_lose_no_earlier_duration(sdk: Sdk, configure: Configure) -> None:
    call()
    configure(metrics="none")
    call()
    assert [point.count for point in sdk.points if point.name == DURATION] == [1]


def test_an_exchanged_provider_reads_its_own(provide: Callable[..., MeterProvider], configure: Configure) -> None:
    first, second = InMemoryMetricReader(), InMemoryMetricReader()
    provide(first)
    call()
    provide(second)
    configure()
    call()
    call()
    assert count_in(second.get_metrics_data()) == 2
    assert count_in(first.get_metrics_data()) == 1


def test_a_forked_child_reports_none_of_its_parents(sdk: Sdk) -> None:
    call()

    def promise() -> bool:
        mine = waiting() == 0
        call()
        return mine and [point.count for point in sdk.points if point.name == DURATION] == [1]

    assert exit_code_of_child(promise) == 0
    assert [point.count for point in sdk.points if point.name == DURATION] == [1], "the parent's own is still there"


def test_a_child_forked_amid_a_collection_waits_for_nobody(sdk: Sdk, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, leave = threading.Event(), threading.Event()
    record = measurements.record

    def slow(*entry: Any) -> None:
        inside.set()
        leave.wait(30)
        record(*entry)

    monkeypatch.setattr(measurements, "record", slow)
    call()
    call()
    collecting = threading.Thread(target=current.runtime.measurements.record_all)
    collecting.start()
    assert inside.wait(30)
    assert exit_code_of_child(lambda: current.runtime.measurements.record_all() is None and waiting() == 0) == 0
    leave.set()
    collecting.join()
    assert [point.count for point in sdk.points if point.name == DURATION] == [2]


def test_a_second_collection_waits_for_what_the_first_one_records(sdk: Sdk, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, leave, done = threading.Event(), threading.Event(), threading.Event()
    monkeypatch.setattr(measurements, "record", lambda *_: (inside.set(), leave.wait(30)))
    call()
    first = threading.Thread(target=current.runtime.measurements.record_all)
    first.start()
    assert inside.wait(30)
    assert waiting() == 0
    second = threading.Thread(target=lambda: (current.runtime.measurements.record_all(), done.set()))
    second.start()
    assert not done.wait(0.2), "a reader would have read a histogram without a duration that waits no more"
    leave.set()
    first.join()
    second.join()


def test_a_call_never_waits_for_a_collection(sdk: Sdk) -> None:
    done = threading.Event()
    with current.runtime.measurements.recording.lock:
        threading.Thread(target=lambda: (call(), done.set()), daemon=True).start()
        assert done.wait(30)


def test_a_duration_that_the_sdk_refuses_keeps_none_of_the_others(sdk: Sdk, monkeypatch: pytest.MonkeyPatch, internal_errors: dict[str, int]) -> None:
    record = measurements.record
    refused = iter([True, False, False])

    def refuse(*entry: Any) -> None:
        if next(refused):
            raise RuntimeError
        record(*entry)

    monkeypatch.setattr(measurements, "record", refuse)
    for _ in range(3):
        call()
    assert [point.count for point in sdk.points if point.name == DURATION] == [2]
    assert internal_errors == {"telemetry.measurements": 1}


def test_exemplars_name_the_span_of_the_call(sdk: Sdk, provide: Callable[..., MeterProvider]) -> None:
    reader = InMemoryMetricReader()
    provide(reader)
    begun = recorder.start(a_request())
    assert begun is not None
    begun.finish(an_answer())
    scraping = trace.get_tracer("scrape").start_span("GET /metrics")
    token = context.attach(trace.set_span_in_context(scraping))
    data = reader.get_metrics_data()
    context.detach(token)
    scraping.end()
    assert [exemplar.span_id for exemplar in exemplars_in(data)] == [sdk.span("chat gpt-4o-mini").context.span_id]


def test_exemplars_of_calls_without_a_span_name_none(provide: Callable[..., MeterProvider], configure: Configure) -> None:
    configure(spans=False)
    reader = InMemoryMetricReader()
    provide(reader, exemplar_filter=AlwaysOnExemplarFilter())
    call()
    assert [exemplar.span_id for exemplar in exemplars_in(reader.get_metrics_data())] == [None]


def exemplars_in(data: Any) -> list[Any]:
    return [
        exemplar
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == DURATION
        for point in metric.data.data_points
        for exemplar in point.exemplars
    ]


AT_EXIT = """
import sys
import tokentrail
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
from tests.support.calls import call

def set_up():
    reader = PeriodicExportingMetricReader(ConsoleMetricExporter(formatter=shown), export_interval_millis=3_600_000)
    metrics.set_meter_provider(MeterProvider([reader]))

def shown(data):
    points = [point for one in data.resource_metrics for scope in one.scope_metrics for metric in scope.metrics
              if metric.name == "gen_ai.client.inference.duration" for point in metric.data.data_points]
    return f"durations: {sum(point.count for point in points)}\\n"

tokentrail.configure(journal_dir=sys.argv[1], ship=False)
if sys.argv[2] == "early":
    set_up()
    call()
else:
    call()
    set_up()
call()
"""


@pytest.mark.parametrize(("when", "count"), [("early", 2), ("late", 1)])
def test_the_last_durations_are_exported_at_exit(when: str, count: int, tmp_path: Path, run_python: Callable[..., str]) -> None:
    assert f"durations: {count}\n" in run_python(AT_EXIT, str(tmp_path / "journal"), when)
