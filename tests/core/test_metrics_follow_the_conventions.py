"""Both generations of metric names, exact sums under threads and forks, and what must not be added twice."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics

from tests.core.conftest import Configure, Sdk
from tests.support.calls import a_request, an_answer, call
from tests.support.telemetry_contract import DISTRIBUTIONS, LATEST, LEGACY, OURS
from tokentrail import setup_opentelemetry, track_token_usage
from tokentrail.instrumentation.contract import Answer
from tokentrail.process.current import current
from tokentrail.recording import recorder
from tokentrail.telemetry import sums

CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
    "server.address": "api.openai.com",
}
USAGE = "gen_ai.client.inference.usage."


def take_only_point(values: dict[tuple[tuple[str, object], ...], float]) -> tuple[dict[str, object], float]:
    ((attributes, value),) = values.items()
    return dict(attributes), value


def test_the_latest_generation_by_default(sdk: Sdk) -> None:
    call(answer=an_answer(input_tokens=11, output_tokens=7, cache_read_tokens=4, cache_write_tokens=3, reasoning_tokens=2))
    call(answer=an_answer(input_tokens=1, output_tokens=1, cache_read_tokens=None, reasoning_tokens=None))
    for name, value in (("input", 12), ("output", 8), ("cache_read.input", 4), ("cache_write.input", 3), ("reasoning.output", 2)):
        assert take_only_point(sdk.values(f"{USAGE}{name}_tokens")) == (CALL | {"gen_ai.token.modality": "unknown"}, value)
    (duration,) = [point for point in sdk.points if point.name == "gen_ai.client.inference.duration"]
    assert duration.attributes == CALL
    assert duration.count == 2
    assert {point.name for point in sdk.points} <= LATEST.keys() | OURS.keys()


@pytest.mark.parametrize("generation", ["latest", "legacy"])
def test_no_count_ends_the_export_of_all_metrics(sdk: Sdk, configure: Configure, generation: str) -> None:
    """A sum beyond 64 bits cannot be encoded, and then nothing of the process is exported any more, the application's own metrics neither."""
    configure(metrics=generation)
    for count in (2**62, 2**62, 2**63, 10**30, -(2**70), -5, 10**12 + 1):
        call(answer=an_answer(input_tokens=count, output_tokens=count, cache_read_tokens=count, reasoning_tokens=count))
        by_hand = {"provider": "openai", "model": "m", "token_type": "llm", "operation": "chat"}
        track_token_usage(**by_hand, input_tokens=count if 0 < count < 2**63 else 1, output_tokens=1)
    call(answer=an_answer(input_tokens=11, output_tokens=7))
    assert len(encode_metrics(sdk.reader.get_metrics_data()).SerializeToString()) > 100


def test_a_port_is_told_where_it_is_not_the_usual_one(sdk: Sdk) -> None:
    call(request=a_request(server_address="127.0.0.1", server_port=11434))
    assert {point.name in OURS for point in sdk.points} == {True, False}
    for point in sdk.points:
        assert point.attributes.get("server.port") == (None if point.name in OURS else 11434)


def test_the_legacy_generation(sdk: Sdk, configure: Configure) -> None:
    configure(metrics="legacy")
    call()
    call(answer=Answer(), ended="error", error=ValueError())
    points = [point for point in sdk.points if point.name not in OURS]
    assert {point.name for point in points} == LEGACY.keys()
    tokens = {point.attributes["gen_ai.token.type"]: point for point in points if point.name == "gen_ai.client.token.usage"}
    assert (tokens["input"].value, tokens["output"].value) == (11, 7)
    assert tokens["input"].attributes == CALL | {"gen_ai.token.type": "input"}
    durations = {point.attributes.get("error.type"): point.count for point in points if point.name == "gen_ai.client.operation.duration"}
    assert durations == {None: 1, "ValueError": 1}


def test_histograms_of_single_calls_are_there_by_setting(sdk: Sdk, configure: Configure) -> None:
    """Their tokens are those of calls that did not fail and that state them; a call without a first chunk has no time to it."""
    configure(all_histograms=True)
    stream = recorder.start(a_request())
    assert stream is not None
    stream.first_chunk()
    stream.finish(an_answer(input_tokens=11, output_tokens=7))
    call(answer=an_answer(input_tokens=None, output_tokens=5))
    call(answer=an_answer(input_tokens=3, output_tokens=3), ended="error", error=ValueError())
    embedded = a_request(endpoint="embeddings", gen_ai_operation="embeddings", token_type="embedding")
    call(request=embedded, answer=Answer(model="text-embedding-3-small", input_tokens=9))
    of_single_calls = {point.name: point for point in sdk.points if point.name in DISTRIBUTIONS}
    found = {name.removeprefix("gen_ai.client."): (point.count, point.value) for name, point in of_single_calls.items()}
    first_chunk = found.pop("inference.time_to_first_chunk")
    assert found == {
        "inference.operation.input_tokens": (1, 11),
        "inference.operation.output_tokens": (2, 12),
        "embeddings.operation.input_tokens": (1, 9),
    }
    assert first_chunk[0] == 1
    assert of_single_calls["gen_ai.client.inference.operation.input_tokens"].attributes == CALL
    for name, point in of_single_calls.items():
        assert (point.kind, point.unit, point.buckets) == (DISTRIBUTIONS[name].kind, DISTRIBUTIONS[name].unit, DISTRIBUTIONS[name].buckets)


@pytest.mark.parametrize("others", [{"metrics": "legacy"}, {"metrics": "none"}, {"all_histograms": False}])
def test_histograms_of_single_calls_are_there_with_the_latest_names_alone(sdk: Sdk, configure: Configure, others: dict[str, object]) -> None:
    configure(**{"all_histograms": True} | others)
    call()
    assert not {point.name for point in sdk.points} & DISTRIBUTIONS.keys()


def test_both_generations(sdk: Sdk, configure: Configure) -> None:
    configure(metrics="both")
    call()
    names = {point.name for point in sdk.points}
    assert names >= LEGACY.keys() | {f"{USAGE}input_tokens", "gen_ai.client.inference.duration"}


@pytest.mark.parametrize("off", [{"metrics": "none"}, {"otel_sdk_disabled": True}, {"disabled": True}])
def test_no_metrics_where_they_are_switched_off(sdk: Sdk, configure: Configure, off: dict[str, object]) -> None:
    configure(**off)
    call()
    assert sdk.points == []


def test_sums_that_were_counted_under_another_setting_are_not_shown(sdk: Sdk, configure: Configure) -> None:
    call()
    assert sdk.values(f"{USAGE}input_tokens")
    configure(metrics="legacy")
    call()
    assert not sdk.values(f"{USAGE}input_tokens")


def test_embeddings_have_names_of_their_own(sdk: Sdk) -> None:
    request = a_request(endpoint="embeddings", gen_ai_operation="embeddings", token_type="embedding", model="text-embedding-3-small")
    call(request=request, answer=Answer(model="text-embedding-3-small", input_tokens=9))
    attributes, value = take_only_point(sdk.values("tokentrail.embeddings.usage.input_tokens"))
    assert (attributes["gen_ai.operation.name"], value) == ("embeddings", 9)
    assert not sdk.values(f"{USAGE}input_tokens")
    names = {point.name for point in sdk.points}
    assert "gen_ai.client.embeddings.duration" in names
    assert "gen_ai.client.inference.duration" not in names


def test_a_call_without_counts_adds_nothing_but_is_there(sdk: Sdk) -> None:
    call(answer=Answer(), ended="error", error=ValueError())
    attributes, value = take_only_point(sdk.values(f"{USAGE}input_tokens"))
    assert value == 0
    assert "error.type" not in attributes, "the conventions know no error on a counter"


def test_sums_are_exact_under_threads(sdk: Sdk) -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=lambda: [call() for _ in range(200)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert take_only_point(sdk.values(f"{USAGE}input_tokens"))[1] == 8 * 200 * 11
    assert [point.count for point in sdk.points if point.name == "gen_ai.client.inference.duration"] == [1600]


def test_sums_only_grow_and_reading_does_not_change_them(sdk: Sdk) -> None:
    seen = []
    for _ in range(3):
        call()
        seen.append(take_only_point(sdk.values(f"{USAGE}input_tokens"))[1])
        assert take_only_point(sdk.values(f"{USAGE}input_tokens"))[1] == seen[-1]
    assert seen == [11, 22, 33]


def test_configuring_again_does_not_double(sdk: Sdk, configure: Configure) -> None:
    for _ in range(3):
        configure(metrics="both")
        call()
    assert take_only_point(sdk.values(f"{USAGE}input_tokens"))[1] == 33
    assert [point.count for point in sdk.points if point.name == "gen_ai.client.inference.duration"] == [3]


def test_a_forked_child_counts_from_zero(sdk: Sdk) -> None:
    call()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        try:
            call()
            os.write(writing, str(take_only_point(sdk.values(f"{USAGE}input_tokens"))[1]).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        assert answer.read() == "11", "the parent exports its own 11; the child must not export them again"
    assert take_only_point(sdk.values(f"{USAGE}input_tokens"))[1] == 11


def test_usages_by_hand_are_counted_and_corrections_and_fine_tuning_are_not(sdk: Sdk) -> None:
    given = {"operation": "query", "provider": "groq", "model": "llama"}
    key = track_token_usage(token_type="llm", input_tokens=5, output_tokens=2, duration=0.5, **given)  # type: ignore[arg-type]
    track_token_usage(token_type="llm", input_tokens=-3, corrects_key=key, calls=0, **given)  # type: ignore[arg-type]
    track_token_usage(token_type="llm", input_tokens=4, duration=0.5, corrects_key=key, calls=0, **given)  # type: ignore[arg-type]
    track_token_usage(token_type="fine_tuning", input_tokens=1000, **given)  # type: ignore[arg-type]
    track_token_usage(token_type="llm", input_tokens=1, **given)  # type: ignore[arg-type]
    attributes, value = take_only_point(sdk.values(f"{USAGE}input_tokens"))
    assert (attributes["gen_ai.provider.name"], value) == ("groq", 6)
    (duration,) = [point for point in sdk.points if point.name == "gen_ai.client.inference.duration"]
    assert (duration.count, duration.value) == (1, 0.5)


def test_endless_model_names_stay_bounded(sdk: Sdk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "MOST_SERIES", 5)
    for number in range(9):
        call(request=a_request(model=f"ft:{number}"))
    values = {dict(attributes).get("gen_ai.request.model"): value for attributes, value in sdk.values(f"{USAGE}input_tokens").items()}
    assert len(values) == 6
    assert sum(values.values()) == 99
    assert sdk.values(f"{USAGE}input_tokens")[(("otel.metric.overflow", True),)] == 44


def test_what_the_journal_took_and_refused(sdk: Sdk, configure: Configure, tmp_path: Path, internal_errors: dict[str, int]) -> None:
    numbers, refused = current.runtime.journal.counts()  # of this process's earlier writers: the counters never go back
    written = numbers - refused
    call()
    call()
    taken = sdk.values("tokentrail.journal.events")
    assert taken == {(("tokentrail.journal.outcome", "written"),): written + 2, (("tokentrail.journal.outcome", "refused"),): refused}
    assert take_only_point(sdk.values("tokentrail.journal.size"))[1] == sum(
        file.stat().st_size for file in (tmp_path / "journal").rglob("*") if file.is_file()
    )
    (tmp_path / "file").write_text("in the way")
    configure(journal_dir=tmp_path / "file" / "journal")
    call()
    internal_errors["here"] = 3
    assert sdk.values("tokentrail.journal.events") == {
        (("tokentrail.journal.outcome", "written"),): written + 2,
        (("tokentrail.journal.outcome", "refused"),): refused + 1,
    }
    assert sdk.values("tokentrail.internal.errors") == {(("tokentrail.internal.place", "here"),): 3}


def test_a_signal_handler_in_the_middle_of_an_addition_does_not_wait_for_itself(sdk: Sdk) -> None:
    done = threading.Event()

    def work() -> None:
        with current.runtime.sums.mutex.lock:
            call()  # as a handler would that runs here
        done.set()

    threading.Thread(target=work, daemon=True).start()
    assert done.wait(10)


def test_an_sdk_that_is_set_up_already_is_never_replaced(sdk: Sdk) -> None:
    from opentelemetry import metrics, trace

    assert setup_opentelemetry(service_name="other") is False
    assert trace.get_tracer_provider() is sdk.tracing
    assert metrics.get_meter_provider() is sdk.metering


LATE = """
import sys
import tokentrail
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.support.calls import call
from tests.support.telemetry_contract import points_of

tokentrail.configure(journal_dir=sys.argv[1], ship=False)
call()
exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
tracing = TracerProvider()
tracing.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(tracing)
metrics.set_meter_provider(MeterProvider([reader]))
call()
points = {point.name: point for point in points_of(reader.get_metrics_data())}
assert [span.name for span in exporter.get_finished_spans()] == ["chat gpt-4o-mini"], exporter.get_finished_spans()
assert points["gen_ai.client.inference.usage.input_tokens"].value == 22, points
assert points["gen_ai.client.inference.duration"].count == 1, points
"""

ALONE = """
import sys
import tokentrail
from opentelemetry import metrics, trace
from opentelemetry.sdk.trace import TracerProvider

tokentrail.configure(journal_dir=sys.argv[1], ship=False, resource={"team": "search"})
assert tokentrail.setup_opentelemetry(service_name="svc", environment="prod") is True
provider = trace.get_tracer_provider()
assert isinstance(provider, TracerProvider)
found = dict(provider.resource.attributes)
assert (found["service.name"], found["deployment.environment.name"], found["team"]) == ("svc", "prod", "search"), found
assert tokentrail.setup_opentelemetry() is False
assert trace.get_tracer_provider() is provider
from tokentrail.process.current import current
from tokentrail.recording import recorder
import tokentrail
from tokentrail.telemetry.resource import resource_attributes
assert resource_attributes(current.settings, current.runtime.diagnostics)["service.name"] == "svc"
"""


UNNAMED = """
import logging, os, sys
import tokentrail
from opentelemetry import trace

tokentrail.configure(journal_dir=sys.argv[1], ship=False)
os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "grpc"
try:
    tokentrail.setup_opentelemetry()
except ImportError as error:
    assert "OTEL_EXPORTER_OTLP_PROTOCOL is grpc" in str(error) and "pip install opentelemetry-exporter-otlp-proto-grpc" in str(error), error
else:
    raise AssertionError("spans and metrics went over HTTP")
os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf"
assert tokentrail.setup_opentelemetry()
from tokentrail.process.current import current
from tokentrail.recording import recorder
from tokentrail.telemetry.resource import resource_attributes
found = trace.get_tracer_provider().resource.attributes["service.name"]
assert found == resource_attributes(current.settings, current.runtime.diagnostics)["service.name"] == "python", found
"""

OVER_GRPC = """
import importlib.metadata, os, sys
import tokentrail
import tokentrail.telemetry.setup
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter
from opentelemetry.sdk.trace.export import ConsoleSpanExporter

def point(kind, group):
    return importlib.metadata.EntryPoint("otlp_proto_grpc", f"opentelemetry.sdk.{kind}.export:{group}", "")

found = {"opentelemetry_traces_exporter": point("trace", "ConsoleSpanExporter"), "opentelemetry_metrics_exporter": point("metrics", "ConsoleMetricExporter")}
tokentrail.telemetry.setup.entry_points = lambda *, group, name: [found[group]]
tokentrail.configure(journal_dir=sys.argv[1], ship=False)
os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "grpc"
os.environ["OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"] = "http/protobuf"
assert tokentrail.setup_opentelemetry()
processor = trace.get_tracer_provider()._active_span_processor._span_processors[0]
assert isinstance(processor.span_exporter, ConsoleSpanExporter), processor
import gc
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
[reader] = [thing for thing in gc.get_objects() if isinstance(thing, PeriodicExportingMetricReader)]
assert not isinstance(reader._exporter, ConsoleMetricExporter), reader._exporter
"""


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(LATE, id="an SDK set up after the first call"),
        pytest.param(ALONE, id="setup_opentelemetry"),
        pytest.param(UNNAMED, id="unnamed"),
        pytest.param(OVER_GRPC, id="over gRPC"),
    ],
)
def test_in_a_process_of_its_own(program: str, tmp_path: Path, run_python: Callable[..., str]) -> None:
    run_python(program, str(tmp_path / "journal"), OTEL_METRIC_EXPORT_INTERVAL="600000", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
