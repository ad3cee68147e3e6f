"""Each check of the doctor, asked by itself: what is fine is `ok`, and what is not is told, with what to do."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.support.installed import Point
from tests.support.journal import append, writer
from tests.support.otlp_receiver import Otlp, html, status
from tokentrail.doctor.bridge import check_bridge
from tokentrail.doctor.clickhouse import check_clickhouse
from tokentrail.doctor.collector import check_collector
from tokentrail.doctor.finding import Finding
from tokentrail.doctor.hooks import check_hooks
from tokentrail.doctor.inside import service_checks
from tokentrail.doctor.journal import check_journal
from tokentrail.doctor.sdks import check_sdks
from tokentrail.doctor.spans import check_spans
from tokentrail.instrumentation import registry
from tokentrail.instrumentation.contract import Exchange, Hook, Integration, Request
from tokentrail.instrumentation.registry import uninstrument
from tokentrail.settings import Settings


@pytest.fixture
def otlp() -> Iterator[Otlp]:
    with Otlp() as receiver:
        yield receiver


@pytest.fixture
def under_instrument(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in an interpreter that `opentelemetry-instrument` has started."""
    monkeypatch.setitem(sys.modules, "opentelemetry.instrumentation.auto_instrumentation", types.ModuleType("auto_instrumentation"))
    for signal in ("TRACES", "METRICS", "LOGS"):
        monkeypatch.setenv(f"OTEL_{signal}_EXPORTER", "none")


def only(findings: Iterable[Finding]) -> tuple[str, str]:
    (found,) = findings
    return found.state, found.sentence


def test_a_journal_with_room(tmp_path: Path) -> None:
    append(writer(tmp_path), 3)
    state, sentence = only(check_journal(Settings(journal_dir=str(tmp_path))))
    assert state == "ok"
    assert "of 1 process lie there" in sentence


def test_a_journal_at_its_bound(tmp_path: Path) -> None:
    append(writer(tmp_path), 100)
    state, sentence = only(check_journal(Settings(journal_dir=str(tmp_path), journal_max_bytes=70_000, journal_segment_bytes=65_536)))
    assert state == "wrong"
    assert sentence.endswith("is at its bound of 70,000: events are refused")


def test_a_journal_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    state, sentence = only(check_journal(Settings(journal_dir=str(tmp_path / "file" / "journal"))))
    assert state == "wrong"
    assert "cannot be written" in sentence


@pytest.mark.parametrize("answer", [status(400), status(404), status(503), html()], ids=["400", "404", "503", "a page"])
def test_a_collector_that_takes_nothing(otlp: Otlp, answer: object) -> None:
    otlp.policy = lambda _received: answer  # type: ignore[assignment, return-value]
    state, sentence = only(check_collector(Settings(endpoint=otlp.url)))
    assert state == "wrong"
    assert "events wait in the journal until it answers" in sentence


def test_a_collector_that_takes_records_and_one_that_is_away() -> None:
    with Otlp() as receiver:
        settings = Settings(endpoint=receiver.url)
        assert only(check_collector(settings)) == ("ok", f"{receiver.url} takes OTLP over HTTP")
    assert only(check_collector(settings))[0] == "wrong"


def test_settings_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENTRAIL_SHIP_INTERVAL", "soon")
    first = next(iter(service_checks()))
    assert (first.what, first.state) == ("settings", "wrong")
    assert "TOKENTRAIL_SHIP_INTERVAL" in first.sentence
    monkeypatch.delenv("TOKENTRAIL_SHIP_INTERVAL")
    assert next(iter(service_checks())) == Finding("settings", "ok", "the environment can be read")


def test_tokentrail_switched_off_and_the_sdk_switched_off() -> None:
    assert ("note", "TOKENTRAIL_DISABLED is set: nothing is recorded") in [(f.state, f.sentence) for f in check_spans(Settings(disabled=True))]
    assert only(check_spans(Settings(otel_sdk_disabled=True))) == ("note", "OTEL_SDK_DISABLED is set: only the ledger is written")


def test_an_sdk_that_was_not_set_up(under_instrument: None) -> None:
    state, sentence = only(check_spans(Settings()))
    assert state == "wrong"
    assert "has set up no SDK" in sentence


def test_hooks_that_nobody_has_armed(under_instrument: None, monkeypatch: pytest.MonkeyPatch) -> None:
    uninstrument()
    assert only(check_hooks([], application=True))[0] == "wrong"
    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "tokentrail")
    assert "is 'tokentrail'" in only(check_hooks([], application=True))[1]
    told = list(check_hooks(["a distro\n failed"], application=True))
    assert (told[0].state, told[0].sentence) == ("wrong", "a distro failed")


def test_no_bridge() -> None:
    assert only(check_bridge())[0] == "note"


@pytest.mark.parametrize(("counted", "state"), [(0, "wrong"), (1, "ok"), (2, "wrong")])
def test_an_sdk_whose_calls_are_counted_more_or_less_than_once(counted: int, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's function asks another one of its functions, or none that is patched."""

    class Client:
        def ask(self, times: int) -> None:
            for _ in range(times):
                self.send()

        def send(self) -> None:
            """Sends nothing."""

    def opens(_client: object, args: tuple[object, ...], kwargs: dict[str, object]) -> Exchange:
        return Exchange(Request(provider="acme", endpoint="chat", gen_ai_operation="chat"), args, kwargs, read=lambda _result: None)

    def probe(_url: str) -> int:
        module.Client().ask(counted)
        return 1

    module = types.ModuleType("acme_client")
    module.Client = Client  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "acme_client", module)
    integration = Integration(name="acme", package="acme-sdk", hooks=(Hook("acme_client", "Client.send", opens=opens),), probe=probe)
    monkeypatch.setattr(registry, "points", lambda: {"acme": Point(integration)})
    monkeypatch.setattr("tokentrail.doctor.sdks.version_of", lambda _package: "1.0")
    found, sentence = only(finding for finding in check_sdks() if finding.what == "acme")
    assert found == state
    assert ("were counted once each" if state == "ok" else f"of 1 calls to a listener here {counted} were counted") in sentence
    uninstrument()


def test_hooks_that_are_off_in_an_applications_process(monkeypatch: pytest.MonkeyPatch) -> None:
    uninstrument()
    monkeypatch.setitem(sys.modules, "acme_client", types.ModuleType("acme_client"))
    hook = Hook("acme_client", "Client.send", opens=lambda *_: None)
    monkeypatch.setattr(registry, "points", lambda: {"acme": Point(Integration(name="acme", package="acme-sdk", hooks=(hook,)))})
    monkeypatch.setattr("tokentrail.doctor.sdks.version_of", lambda _package: "1.0")
    state, sentence = only(finding for finding in check_sdks(switch_on=False) if finding.what == "acme")
    assert state == "wrong"
    assert "the hooks are off here" in sentence


def test_a_ledger_that_is_not_there() -> None:
    assert only(check_clickhouse("http://127.0.0.1:9/tokentrail"))[0] == "wrong"
