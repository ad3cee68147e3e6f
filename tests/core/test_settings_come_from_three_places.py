"""Keyword arguments before `TOKENTRAIL_*` before `OTEL_*`; a wrong variable is one warning, a wrong argument an error that changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tests.core.conftest import Configure
from tests.support.calls import call, journal_of
from tokentrail.process.current import Current, current
from tokentrail.settings import Settings, from_environment

ROOT = Path(__file__).parent.parent.parent
NO_FSYNC = "is neither never nor always nor whole milliseconds from 2 to 60000"


def read(**environ: str) -> tuple[Settings, list[str]]:
    wrong: list[str] = []
    return from_environment(environ, wrong.append), wrong


def test_every_setting_has_its_variable() -> None:
    samples = {
        "bool": ("true", True),
        "int": ("1048576", 1048576),
        "float": ("2.5", 2.5),
        "str": ("none", "none"),
        "Fsync": ("100", 100),
        "tuple[str, ...]": ("a.internal, 127.0.0.1:8001,", ("a.internal", "127.0.0.1:8001")),
        "Mapping[str, str]": ("a=chat", {"a": "chat"}),
    }
    for setting in fields(Settings):
        text, value = ("otel", "otel") if setting.name == "delivery" else samples[str(setting.type)]
        found, wrong = read(**{f"TOKENTRAIL_{setting.name.upper()}": text})
        assert not wrong
        assert getattr(found, setting.name) == value


def test_nothing_set_is_the_defaults() -> None:
    assert read() == (Settings(), [])
    assert read(TOKENTRAIL_TIMEOUT="", TOKENTRAIL_DISABLED=" ", OTEL_EXPORTER_OTLP_TIMEOUT="") == (Settings(), []), "an empty variable is none"


@pytest.mark.parametrize(
    ("name", "environ", "value"),
    [
        ("endpoint", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "http://c:4318/v1/logs"),
        ("endpoint", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/base/"}, "http://c:4318/base/v1/logs"),
        ("endpoint", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://l/x"}, "http://l/x"),
        ("endpoint", {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://l/x", "TOKENTRAIL_ENDPOINT": "http://t/y"}, "http://t/y"),
        ("headers", {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20x,b=1"}, {"authorization": "Bearer x", "b": "1"}),
        ("headers", {"OTEL_EXPORTER_OTLP_HEADERS": "a=1", "OTEL_EXPORTER_OTLP_LOGS_HEADERS": "b=2"}, {"b": "2"}),
        ("timeout", {"OTEL_EXPORTER_OTLP_TIMEOUT": "7"}, 7.0),
        ("timeout", {"OTEL_EXPORTER_OTLP_TIMEOUT": "7", "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT": "3"}, 3.0),
        ("compression", {"OTEL_EXPORTER_OTLP_COMPRESSION": "none"}, "none"),
        ("certificate", {"OTEL_EXPORTER_OTLP_CERTIFICATE": "/ca.pem"}, "/ca.pem"),
        ("client_key", {"OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY": "/key.pem"}, "/key.pem"),
        ("protocol", {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "grpc"),
        ("service_name", {"OTEL_SERVICE_NAME": "a", "OTEL_RESOURCE_ATTRIBUTES": "service.name=b"}, "a"),
        ("service_name", {"OTEL_RESOURCE_ATTRIBUTES": "service.name=b"}, "b"),
        ("environment", {"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=old"}, "old"),
        ("environment", {"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=old,deployment.environment.name=new"}, "new"),
        ("environment", {"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=new", "TOKENTRAIL_ENVIRONMENT": "mine"}, "mine"),
        ("resource", {"OTEL_RESOURCE_ATTRIBUTES": "service.name=b,team=search,region=eu%2Dwest"}, {"team": "search", "region": "eu-west"}),
        ("otel_sdk_disabled", {"OTEL_SDK_DISABLED": "TRUE"}, True),
        ("otel_sdk_disabled", {"OTEL_SDK_DISABLED": "1"}, False),
    ],
)
def test_standard_variables(name: str, environ: dict[str, str], value: object) -> None:
    found, wrong = read(**environ)
    assert (getattr(found, name), wrong) == (value, [])


def test_timeouts_are_seconds_as_in_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The specification says milliseconds; what one variable means must not differ between two libraries of one process."""
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "7")
    exporter: Any = OTLPLogExporter()
    client = getattr(exporter, "_client", exporter)  # where it keeps it, since 1.45
    assert client._timeout == read(OTEL_EXPORTER_OTLP_TIMEOUT="7")[0].timeout == 7


def test_arguments_go_before_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENTRAIL_TENANT_ID", "from the environment")
    monkeypatch.setenv("TOKENTRAIL_SERVICE_NAME", "kept")
    own = Current()
    changed = own.configure({"tenant_id": "from the argument", "journal_dir": "~/journal"})
    assert (changed.tenant_id, changed.service_name) == ("from the argument", "kept")
    assert changed.journal_dir == str(Path.home() / "journal")
    assert own.settings is changed


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"TOKENTRAIL_DISABLED": "maybe"}, "TOKENTRAIL_DISABLED cannot be used: 'maybe' is neither true nor false"),
        ({"TOKENTRAIL_TIMEOUT": "soon"}, "TOKENTRAIL_TIMEOUT cannot be used: could not convert string to float: 'soon'"),
        ({"TOKENTRAIL_TIMEOUT": "-1"}, "TOKENTRAIL_TIMEOUT cannot be used: timeout=-1.0: seconds above 0"),
        ({"TOKENTRAIL_TIMEOUT": "inf"}, "TOKENTRAIL_TIMEOUT cannot be used: timeout=inf: seconds above 0"),
        ({"TOKENTRAIL_METRICS": "newest"}, "TOKENTRAIL_METRICS cannot be used: metrics='newest': use latest, legacy, both or none"),
        ({"TOKENTRAIL_JOURNAL_MAX_BYTES": "1"}, "TOKENTRAIL_JOURNAL_MAX_BYTES cannot be used: journal_max_bytes=1: at least 262144 bytes"),
        ({"TOKENTRAIL_JOURNAL_FSYNC": "sometimes"}, f"TOKENTRAIL_JOURNAL_FSYNC cannot be used: 'sometimes' {NO_FSYNC}"),
        ({"TOKENTRAIL_JOURNAL_FSYNC": "100ms"}, f"TOKENTRAIL_JOURNAL_FSYNC cannot be used: '100ms' {NO_FSYNC}"),
        ({"TOKENTRAIL_OPERATIONS": "chat=talk"}, "TOKENTRAIL_OPERATIONS cannot be used: 'talk' is not an operation"),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "10s"}, "OTEL_EXPORTER_OTLP_TIMEOUT cannot be used"),
        ({"OTEL_EXPORTER_OTLP_COMPRESSION": "deflate"}, "OTEL_EXPORTER_OTLP_COMPRESSION cannot be used: compression='deflate': use gzip or none"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "team"}, "OTEL_RESOURCE_ATTRIBUTES cannot be used: item 1 of its list is not name=value"),
    ],
)
def test_a_wrong_variable_is_one_sentence_and_takes_no_other_with_it(environ: dict[str, str], sentence: str) -> None:
    found, wrong = read(**environ, OTEL_SERVICE_NAME="kept", TOKENTRAIL_TENANT_ID="kept too")
    assert len(wrong) == 1
    assert wrong[0].startswith(sentence)
    assert (found.service_name, found.tenant_id) == ("kept", "kept too")
    for setting in fields(Settings):
        if setting.name not in ("service_name", "tenant_id"):
            assert getattr(found, setting.name) == getattr(Settings(), setting.name)


def test_secrets_are_never_shown() -> None:
    environ = {
        "TOKENTRAIL_HEADERS": "PLANTED",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=PLANTED",
        "TOKENTRAIL_CONTENT_HASH_SECRET": "PLANTED" * 20,
    }
    found, wrong = read(**environ)
    assert len(wrong) == 2
    assert "PLANTED" not in " ".join(wrong)
    assert found.headers == {"authorization": "PLANTED"}
    assert "PLANTED" not in repr(found.with_(content_hash_secret="PLANTED"))
    with pytest.raises(TypeError, match="headers") as raised:
        found.with_(headers={"authorization": b"PLANTED"})
    assert "PLANTED" not in str(raised.value)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"tennant_id": "x"}, "unexpected keyword argument 'tennant_id'"),
        ({"disabled": "yes"}, "disabled='yes': True or False"),
        ({"disabled": 1}, "disabled=1: True or False"),
        ({"timeout": "10"}, "timeout='10': a number"),
        ({"timeout": 0}, "timeout=0.0: seconds above 0"),
        ({"timeout": float("nan")}, "timeout=nan: seconds above 0"),
        ({"exit_timeout": -1}, "exit_timeout=-1.0: seconds, from 0"),
        ({"journal_max_bytes": 1.5}, "journal_max_bytes=1.5: a whole number"),
        ({"journal_fsync": -1}, f"journal_fsync: '-1' {NO_FSYNC}"),
        ({"journal_fsync": 60_001}, f"journal_fsync: '60001' {NO_FSYNC}"),
        ({"journal_fsync": 0.1}, f"journal_fsync: '0.1' {NO_FSYNC}"),
        ({"journal_fsync": None}, f"journal_fsync: 'None' {NO_FSYNC}"),
        ({"journal_fsync": "²"}, f"journal_fsync: '²' {NO_FSYNC}"),
        ({"journal_dir": ""}, "journal_dir is empty"),
        ({"journal_dir": 7}, "journal_dir=7: a text"),
        ({"tenant_id": None}, "tenant_id=None: a text"),
        ({"journal_dir": "/a\0b"}, "no file system has such a name"),
        ({"journal_dir": "/a\ud800b"}, "no file system has such a name"),
        ({"operations": {"chat": "talk"}}, "'talk' is not an operation"),
        ({"operations": ["chat"]}, r"operations=\['chat'\]: a mapping of texts"),
        ({"resource": {"a": 1}}, "a mapping of texts"),
        ({"metrics": "all"}, "use latest, legacy, both or none"),
        ({"content_hash_secret": "x" * 65}, "longer than 64 bytes"),
    ],
)
def test_a_wrong_argument_raises_and_changes_nothing(wrong: dict[str, Any], sentence: str, configure: Configure) -> None:
    before = current.settings
    with pytest.raises((TypeError, ValueError), match=sentence):
        configure(service_name="changed", **wrong)
    assert current.settings is before


@pytest.mark.parametrize(
    ("given", "means"),
    [
        *((word, "always") for word in (True, "true", "yes", "on", "1", 1, "always", " Always ")),
        *((word, "never") for word in (False, "false", "no", "off", "0", 0, "never", "NEVER")),
        *((word, int(word)) for word in ("2", 2, "60000", 60_000, " 100 ")),
    ],
)
def test_a_yes_or_no_of_former_versions_still_says_when_to_sync(given: Any, means: str | int, configure: Configure) -> None:
    assert configure(journal_fsync=given).journal_fsync == means
    if not isinstance(given, bool):
        found, wrong = read(TOKENTRAIL_JOURNAL_FSYNC=str(given))
        assert (found.journal_fsync, wrong) == (means, [])


def test_mappings_are_copied_and_operations_are_words(configure: Configure) -> None:
    given = {"chat": "OPERATION_QUERY"}
    changed = configure(operations=given, resource={"service.name": "svc", "deployment.environment.name": "prod", "team": "search"})
    given["chat"] = "chat"
    assert changed.operations == {"chat": "query"}
    assert (changed.service_name, changed.environment, changed.resource) == ("svc", "prod", {"team": "search"})


def test_the_operation_by_endpoint(configure: Configure, journal: Path) -> None:
    configure(operations={"chat": "summarize"}, tenant_id="everyone")
    call()
    ((_, _, usage),) = journal_of(journal)
    assert (usage.operation, usage.tenant_id) == ("summarize", "everyone")


def test_a_switched_off_sdk_does_not_switch_off_the_ledger(tmp_path: Path, run_python: Callable[..., str]) -> None:
    program = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
import tokentrail
from tests.support.calls import call
with tokentrail.track_tokens("chat", tenant_id="acme"):
    call()
"""
    run_python(program, OTEL_SDK_DISABLED="true", TOKENTRAIL_JOURNAL_DIR=str(tmp_path), TOKENTRAIL_SHIP="false")
    ((_, _, usage),) = journal_of(tmp_path)
    assert (usage.tenant_id, usage.input_tokens, usage.trace_id) == ("acme", 11, "")


def test_wrong_variables_are_one_warning_each_and_the_application_goes_on(tmp_path: Path, run_python: Callable[..., str]) -> None:
    program = """
import tokentrail
from tests.support.calls import call
for _ in range(3):
    call()
"""
    said = run_python(program, TOKENTRAIL_TIMEOUT="soon", TOKENTRAIL_METRICS="x", TOKENTRAIL_JOURNAL_DIR=str(tmp_path), TOKENTRAIL_SHIP="no")
    assert said.splitlines() == [
        "tokentrail: TOKENTRAIL_METRICS cannot be used: metrics='x': use latest, legacy, both or none; it is left out",
        "tokentrail: TOKENTRAIL_TIMEOUT cannot be used: could not convert string to float: 'soon'; it is left out",
    ]
    assert len(journal_of(tmp_path)) == 3
