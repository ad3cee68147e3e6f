"""`delivery="otel"`: usages go through the program's own LoggerProvider, the ledger reads them as it reads the shipper's, and `verify` names what was dropped."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from opentelemetry._logs import NoOpLoggerProvider
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

import tokentrail
from tests.support.ledger_rows import Land, moment
from tokentrail import semconv
from tokentrail.clickhouse.client import Client
from tokentrail.embedded.otlp_logs import log_rows
from tokentrail.journal import otlp
from tokentrail.journal.records import Header, encode_usage
from tokentrail.ledger.verify import verify
from tokentrail.process.diagnostics import Diagnostics
from tokentrail.recording.delivery import Texts
from tokentrail.recording.log_delivery import LogDelivery
from tokentrail.recording.runtime import Runtime
from tokentrail.settings import Settings
from tokentrail.testing import collect_usages
from tokentrail.usage import Usage

FULL = Usage(
    key="order:7",
    key_kind="opaque",
    ts=1_795_000_000_000_000_000,
    tenant_id="acme",
    gen_ai_operation="chat",
    provider="openai",
    request_model="gpt-4o\ud800",
    response_model="gpt-4o-2024",
    error_type="timeout",
    ended="error",
    trace_id="ab" * 16,
    span_id="cd" * 8,
    input_tokens=10,
    output_tokens=0,
    reasoning_tokens=2**62,
    input_source="reported",
    output_source="reported",
)


class Program:
    """A program's LoggerProvider, and what it has exported."""

    def __init__(self) -> None:
        self.exporter = InMemoryLogRecordExporter()
        self.provider = LoggerProvider(resource=Resource.create({semconv.SERVICE_NAME: "shop"}))
        self.provider.add_log_record_processor(SimpleLogRecordProcessor(self.exporter))

    def exported(self) -> list[Any]:
        """The log records as OTLP has them."""
        request = ExportLogsServiceRequest.FromString(encode_logs(self.exporter.get_finished_logs()).SerializeToString())
        return [record for resource in request.resource_logs for scope in resource.scope_logs for record in scope.log_records]

    def rows(self) -> list[dict[str, Any]]:
        """The rows that a receiver stores in the landing table."""
        request = ExportLogsServiceRequest.FromString(encode_logs(self.exporter.get_finished_logs()).SerializeToString())
        return [
            row | {"Timestamp": moment(record.time_unix_nano)}
            for row, record in zip(log_rows(request)["usage_landing"], self.exported(), strict=True)
        ]


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Program:
    made = Program()
    monkeypatch.setattr("opentelemetry._logs.get_logger_provider", lambda: made.provider)
    return made


@pytest.fixture
def runtime(program: Program, tmp_path: Path) -> Iterator[Runtime]:
    with Runtime(Settings(journal_dir=str(tmp_path / "journal"), ship=False, estimate=False, delivery="otel")).in_place() as own:
        yield own


def count(number: int) -> None:
    tokentrail.track_token_usage(token_type="llm", operation="chat", provider="openai", model="gpt-4o", input_tokens=number, output_tokens=1)


def test_a_log_record_is_what_the_shipper_would_send(program: Program, runtime: Runtime) -> None:
    for usage in (FULL, Usage(key="k", key_kind="opaque", ts=5)):
        runtime.delivery.append(usage)
    runtime.close()
    full, least, closing = program.exported()
    writer_id = {each.key: each.value.string_value for each in full.attributes}[semconv.WRITER_ID]
    header = Header(writer_id=writer_id, created=1, first_seq=1)
    for number, (usage, found) in enumerate(((FULL, full), (Usage(key="k", key_kind="opaque", ts=5), least)), 1):
        request = ExportLogsServiceRequest.FromString(otlp.request(header, [otlp.log_record(usage, encode_usage(usage), number, writer_id)]))
        expected = request.resource_logs[0].scope_logs[0].log_records[0]
        assert {each.key: each.value for each in found.attributes} == {each.key: each.value for each in expected.attributes}
        for name in ("time_unix_nano", "body", "trace_id", "span_id", "event_name", "severity_number"):
            assert getattr(found, name) == getattr(expected, name), name
    assert closing.event_name == f"{semconv.EVENT_NAME_PREFIX}{semconv.EVENT_CLOSING}"


def test_the_ledger_counts_them_and_verify_finds_nothing(program: Program, runtime: Runtime, land: Land, database: Client) -> None:
    for number in (1, 2, 3):
        count(number)
    runtime.close()
    land(*program.rows())
    assert database.query("SELECT sum(calls), sum(input_tokens), any(service_name) FROM usage").rows == [(3, 6, "shop")]
    found = verify(database)
    assert (found.ok, [(writer.events, writer.closed) for writer in found.writers]) == (True, [(3, True)])


def test_what_the_provider_drops_is_named(program: Program, runtime: Runtime, land: Land, database: Client) -> None:
    for number in range(1, 6):
        count(number)
    runtime.close()
    land(*(row for row in program.rows() if row["LogAttributes"].get(semconv.SEQ) not in ("2", "5")))
    found = verify(database)
    assert not found.ok
    assert [writer.missing for writer in found.writers] == ["2,5"]


def test_nothing_is_written_to_a_journal(program: Program, runtime: Runtime, tmp_path: Path) -> None:
    count(1)
    assert tokentrail.flush()
    assert len(program.exported()) == 1
    assert not (tmp_path / "journal").exists()


def test_flush_is_the_providers(program: Program, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    program.provider.add_log_record_processor(BatchLogRecordProcessor(late := InMemoryLogRecordExporter(), schedule_delay_millis=600_000))
    count(1)
    assert late.get_finished_logs() == ()
    assert tokentrail.flush()
    assert len(late.get_finished_logs()) == 1
    monkeypatch.setattr(program.provider, "force_flush", lambda *_: False)
    assert not tokentrail.flush()


def test_flush_gives_the_provider_milliseconds(program: Program, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    import tokentrail.telemetry.setup  # where nothing was set up, the records have the whole time, whoever imported the module

    given: list[int] = []
    monkeypatch.setattr(program.provider, "force_flush", lambda timeout_millis: given.append(timeout_millis) or True)
    count(1)
    assert tokentrail.flush(7000.0)
    assert 6_000_000 < given[0] <= 7_000_000


def test_a_span_that_runs_now_is_not_stated_for_a_usage_without_one(program: Program, runtime: Runtime) -> None:
    with TracerProvider().get_tracer("test").start_as_current_span("now") as span:
        runtime.delivery.append(Usage(key="k", key_kind="opaque", ts=5))
        count(1)
    without, within = program.exported()
    assert (without.trace_id, without.span_id) == (b"", b"")
    assert within.span_id == span.get_span_context().span_id.to_bytes(8, "big")


def test_an_estimate_is_the_same_writers_also_after_its_end(program: Program, tmp_path: Path, land: Land, database: Client) -> None:
    settings = Settings(journal_dir=str(tmp_path / "journal"), ship=False, delivery="otel")
    with Runtime(settings).in_place() as runtime:
        runtime.delivery.append(
            Usage(key="chat:acme:" + "a" * 32 + ":1795000000000000000", key_time=1795000000000000000, ts=1795000000000000000), Texts(["a b c"], ["d"])
        )
        assert runtime.drain_estimates(60)
    land(*program.rows())
    ((source, given),) = database.query("SELECT source, input_tokens FROM usage").rows
    assert (source, given > 0) == ("estimated", True)
    assert verify(database).ok


def test_an_estimate_that_comes_after_the_end_is_the_former_writers_whose_closing_waits_for_it(
    program: Program, land: Land, database: Client
) -> None:
    waiting: list[tuple[Usage, Callable[[Usage], None], Callable[[], None]]] = []
    delivery = LogDelivery(lambda usage, _texts, append, settle: waiting.append((usage, append, settle)), Diagnostics())
    first = Usage(key="chat:acme:" + "a" * 32 + ":1795000000000000000", key_time=1795000000000000000, ts=1795000000000000000)
    assert delivery.append(first, Texts(("a",), ("b",))) == 1
    delivery.close(0.0)
    assert len(program.exported()) == 1, "the closing record states the estimate's number, too"
    for number in (1, 2, 3):
        assert delivery.append(replace(FULL, reasoning_tokens=None, key=f"order:{number}")) == number
    ((usage, append, settle),) = waiting
    append(replace(usage, input_tokens=7, output_tokens=1, input_source="estimated", output_source="estimated"))
    settle()
    land(*program.rows())
    assert sorted((writer.state, writer.last_seq) for writer in verify(database).writers) == [("complete", 2), ("open", 3)]
    assert database.query("SELECT input_tokens FROM usage WHERE source = 'estimated'").rows == [(7,)]


def test_without_a_provider_numbers_are_given_and_one_sentence_is_logged(
    runtime: Runtime, program: Program, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, land: Land, database: Client
) -> None:
    monkeypatch.setattr("opentelemetry._logs.get_logger_provider", NoOpLoggerProvider)
    with caplog.at_level(logging.WARNING, "tokentrail"):
        count(1)
        count(2)
    assert [record.message.count("set_logger_provider") for record in caplog.records] == [1]
    assert not tokentrail.flush()
    monkeypatch.setattr("opentelemetry._logs.get_logger_provider", lambda: program.provider)
    count(3)
    runtime.close()
    land(*program.rows())
    assert [writer.missing for writer in verify(database).writers] == ["1-2"]


def test_a_provider_that_raises_harms_nobody(program: Program, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(program.provider, "get_logger", fail)
    monkeypatch.setattr(program.provider, "force_flush", fail)
    assert runtime.delivery.append(FULL) == -1
    count(1)
    assert not tokentrail.flush()
    runtime.close()


def test_another_delivery_ends_the_writer(program: Program, runtime: Runtime, tmp_path: Path) -> None:
    count(1)
    tokentrail.configure(delivery="journal")
    assert [record.event_name for record in program.exported()] == ["tokentrail.usage", "tokentrail.closing"]
    count(2)
    assert len(program.exported()) == 2
    assert (tmp_path / "journal").exists()
    tokentrail.configure(delivery="otel")
    count(3)
    assert len(program.exported()) == 3
    with pytest.raises(ValueError, match="use journal or otel"):
        tokentrail.configure(delivery="kafka")  # type: ignore[arg-type]


def test_collected_usages_are_not_sent(program: Program, runtime: Runtime) -> None:
    with collect_usages() as usages:
        tokentrail.configure(tenant_id="acme")
        count(1)
        assert [usage.tenant_id for usage in usages] == ["acme"]
    assert program.exporter.get_finished_logs() == ()
    count(2)
    assert len(program.exported()) == 1


def test_threads_get_numbers_of_their_own(program: Program, runtime: Runtime) -> None:
    threads = [threading.Thread(target=lambda: [count(1) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [each.value.int_value for record in program.exported() for each in record.attributes if each.key == semconv.SEQ]
    assert sorted(numbers) == list(range(1, 201))


def test_a_forked_child_is_a_writer_of_its_own(program: Program, runtime: Runtime, tmp_path: Path) -> None:
    count(1)

    def child() -> None:
        count(2)
        (tmp_path / "child").write_text(
            " ".join(f"{_attribute(record, semconv.WRITER_ID)}:{_attribute(record, semconv.SEQ)}" for record in program.exported())
        )

    pid = os.fork()
    if pid == 0:
        try:
            child()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    parents, childs = ((tmp_path / "child").read_text()).split()
    assert parents.partition(":")[0] != childs.partition(":")[0]
    assert childs.endswith(":1")
    assert len(program.exported()) == 1


def _attribute(record: Any, name: str) -> str:
    (value,) = [each.value for each in record.attributes if each.key == name]
    return value.string_value or str(value.int_value)
