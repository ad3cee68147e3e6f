"""A wrong address, protocol, header or certificate: one clear sentence, and nothing is lost."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.certificates import make_certificates
from tests.support.journal import AT_ONCE, Program, abandon, adopt, append, environment, parse_numbers, writer
from tests.support.otlp_receiver import Otlp, ok, status
from tokentrail.journal.exporter import Exporter, Result, endpoint_problem
from tokentrail.journal.shipper import Shipper
from tokentrail.settings import Settings, from_environment

SHIP = "from tokentrail.cli import main; import sys; sys.argv = ['tokentrail', 'journal', 'ship'{more}]; main()"
WRONG = {
    "port 4318": ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, "OTLP/HTTP port (4318)"),
    "grpc of another kind": ({"TOKENTRAIL_PROTOCOL": "grpc", "TOKENTRAIL_ENDPOINT": "ftp://collector:4317"}, "http://host:4317"),
    "port 4317": ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317"}, "gRPC port"),
    "http/json": ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, "http/protobuf"),
    "no scheme": ({"TOKENTRAIL_ENDPOINT": "collector:4318"}, "http://host:4318/v1/logs"),
    "no host": ({"TOKENTRAIL_ENDPOINT": "http://"}, "http://host:4318/v1/logs"),
    "no port": ({"TOKENTRAIL_ENDPOINT": "http://host:many/v1/logs"}, "http://host:4318/v1/logs"),
    "certificate": ({"OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere/ca.pem"}, "/nowhere/ca.pem"),
    "client key": ({"OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY": "/nowhere/key.pem"}, "/nowhere/key.pem"),
}


@pytest.mark.parametrize(("variables", "says"), WRONG.values(), ids=WRONG)
def test_of_a_command(root: Path, start: Callable[..., Program], variables: dict[str, str], says: str) -> None:
    stated = {name: value for name, value in environment(root).items() if name != "TOKENTRAIL_ENDPOINT"}
    program = start(SHIP.format(more=""), stated | variables)
    assert program.end() == 2
    assert says in program.errors
    assert len(program.errors.strip().splitlines()) == 1
    assert program.errors.startswith("Error: ")


@pytest.mark.parametrize(("variables", "says"), list(WRONG.values())[:4] + list(WRONG.values())[-2:])
def test_of_a_service(root: Path, otlp: Otlp, start: Callable[..., Program], variables: dict[str, str], says: str) -> None:
    stated = {name: value for name, value in environment(root).items() if name != "TOKENTRAIL_ENDPOINT"}
    program = start("from tests.support.journal_load import spend; spend(calls=50)", stated | variables)
    assert program.end() == 0
    assert program.errors.count("tokentrail: ") == 1, program.errors
    assert says in program.errors
    assert str(root) in program.errors, "where the records are"
    [(writer_id, numbers)] = parse_numbers(program.lines).items()
    assert adopt(root, otlp).done
    assert set(otlp.numbers(writer_id)) == numbers


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--dir", "/nowhere/at/all"], "/nowhere/at/all is no folder"),
        (["--dir", "/etc/passwd"], "/etc/passwd"),
        (["--watch", "--interval", "0"], "seconds above 0"),
        (["--interval", "soon"], "soon"),
        (["--endpoint", "http://localhost:4317"], "gRPC port"),
        (["--unknown"], "--unknown"),
    ],
)
def test_of_an_option(root: Path, start: Callable[..., Program], more: list[str], says: str) -> None:
    program = start(SHIP.format(more="".join(f", {word!r}" for word in more)), environment(root))
    assert program.end() == 2
    assert says in program.errors
    assert "Traceback" not in program.errors


@pytest.mark.parametrize(
    "variable",
    [("TOKENTRAIL_TIMEOUT", "-1"), ("TOKENTRAIL_COMPRESSION", "brotli"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"), ("OTEL_EXPORTER_OTLP_HEADERS", "a")],
)
def test_of_a_variable(root: Path, start: Callable[..., Program], variable: tuple[str, str]) -> None:
    program = start(SHIP.format(more=""), environment(root) | dict([variable]))
    assert program.end() == 2
    assert "Traceback" not in program.errors
    assert len(program.errors.strip().splitlines()) == 1


NO_EXTRA = "import sys; sys.modules['h2'] = None; "


def test_grpc_without_its_extra_names_the_extra(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    variables = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317"}
    stated = {name: value for name, value in environment(root).items() if name != "TOKENTRAIL_ENDPOINT"} | variables
    command = start(NO_EXTRA + SHIP.format(more=""), stated)
    assert command.end() == 2
    assert 'pip install "tokentrail[grpc]"' in command.errors
    assert len(command.errors.strip().splitlines()) == 1
    service = start(NO_EXTRA + "from tests.support.journal_load import spend; spend(calls=20)", stated)
    assert service.end() == 0
    assert service.errors.count("tokentrail: ") == 1, service.errors
    assert 'pip install "tokentrail[grpc]"' in service.errors
    [(writer_id, numbers)] = parse_numbers(service.lines).items()
    assert adopt(root, otlp).done
    assert set(otlp.numbers(writer_id)) == numbers


def test_grpc_that_nobody_gave_an_address_for_is_shipped_over_http_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """As OpenTelemetry's distro sets it for everybody who sets nothing."""
    from tokentrail.journal.endpoint import endpoint_of, protocol_of, why_not_grpc

    by_default = from_environment({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, pytest.fail)
    assert (protocol_of(by_default), endpoint_of(by_default)) == ("grpc", "http://localhost:4317")
    monkeypatch.setitem(sys.modules, "h2", None)
    assert (protocol_of(by_default), endpoint_of(by_default)) == ("http/protobuf", "http://localhost:4318/v1/logs")
    assert endpoint_problem(by_default) is None
    assert 'pip install "tokentrail[grpc]"' in why_not_grpc(by_default)
    with_an_address = by_default.with_(endpoint="http://collector:4317")
    assert protocol_of(with_an_address) == "grpc"
    assert 'pip install "tokentrail[grpc]"' in (endpoint_problem(with_an_address) or "")


def test_a_folder_of_another_user(start: Callable[..., Program], tmp_path_factory: pytest.TempPathFactory) -> None:
    import os
    import shutil
    import tempfile

    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    shared = Path(tempfile.mkdtemp(prefix="tokentrail-of-root-"))
    try:
        shared.chmod(0o755)
        root = shared / "journal"
        service = writer(root)
        append(service, 1)
        abandon(service)
        for mode in (0o700, 0o755, 0o777):  # the journal itself, and then only its writers' folders
            root.chmod(mode)
            for what in ("['tokentrail', 'journal', 'ship']", "['tokentrail', 'journal', 'status']"):
                code = f"import sys, os; os.setgid(65534); os.setuid(65534); from tokentrail.cli import main; sys.argv = {what}; main()"
                # modules are imported by root, since nobody may not read this checkout
                code = "import tokentrail.cli.journal, tokentrail.cli.group, rich.table, click; " + code
                program = start(code, environment(root))
                assert program.end() in (1, 2), program.errors
                assert "Traceback" not in program.errors, program.errors
                assert str(root) in program.errors
    finally:
        shutil.rmtree(shared)


def test_headers_and_paths_of_the_standard_variables(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    stated = {name: value for name, value in environment(root).items() if name != "TOKENTRAIL_ENDPOINT"}
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": otlp.url.removesuffix("/v1/logs"),
        "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=a",
        "OTEL_EXPORTER_OTLP_LOGS_HEADERS": "authorization=Bearer%20secret,x-tenant=b",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_SERVICE_NAME": "checkout",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=prod,team=a%20b",
    }
    program = start("from tests.support.journal_load import spend; spend(calls=5)", stated | variables | {"TOKENTRAIL_EXIT_TIMEOUT": "10"})
    assert program.end() == 0, program.errors
    [(writer_id, numbers)] = parse_numbers(program.lines).items()
    assert set(otlp.numbers(writer_id)) == numbers
    for request in otlp.requests:
        assert request.path == "/v1/logs"
        assert request.headers["authorization"] == "Bearer secret"
        assert request.headers["x-tenant"] == "b"
        assert request.headers["content-encoding"] == "gzip"
        assert request.headers["content-type"] == "application/x-protobuf"
    resource = otlp.taken[0].resource
    assert resource["service.name"] == "checkout"
    assert resource["deployment.environment.name"] == "prod"
    assert resource["team"] == "a b"
    assert resource["process.pid"] == program.pid


def test_a_header_that_is_none_loses_nothing(root: Path, otlp: Otlp) -> None:
    outcome = Exporter(Settings(endpoint=otlp.url, headers={"x-broken": "line\nbreak", "x-\u20ac": "\u20ac"})).send(b"")
    assert outcome.result is Result.MISCONFIGURED
    assert outcome.reason == f"{otlp.url}: the header 'x-broken' cannot be sent: its value holds a line end or another sign that no header can hold"


def test_why_nobody_was_reached_is_in_words() -> None:
    unresolved = Exporter(Settings(endpoint="http://no-such-host.invalid:4318/v1/logs")).send(b"")
    assert unresolved.result is Result.UNREACHABLE
    assert unresolved.reason.startswith("http://no-such-host.invalid:4318/v1/logs: the host no-such-host.invalid cannot be resolved (")
    assert "HTTPConnection" not in unresolved.reason
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}/v1/logs"
        assert Exporter(Settings(endpoint=endpoint)).send(b"").reason == f"{endpoint}: Connection refused"


@pytest.mark.parametrize("path", ["", "/"])
def test_an_endpoint_without_its_path_is_told_the_path(path: str) -> None:
    with Otlp(lambda received: ok() if received.path == "/v1/logs" else status(404)) as otlp:
        outcome = Exporter(Settings(endpoint=otlp.url.removesuffix("/v1/logs") + path)).send(b"")
    assert outcome.result is Result.MISCONFIGURED
    assert f"its path is missing, is {otlp.url} meant?" in outcome.reason


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("certificates"), "server", "other")


def test_tls_with_a_certificate_of_ones_own(root: Path, certificates: Path) -> None:
    service = writer(root)
    append(service, 3)
    with Otlp(tls=(certificates / "server.pem", certificates / "server.key")) as otlp:
        said: list[str] = []
        for certificate in ("", str(certificates / "other.pem")):
            exporter = Exporter(Settings(endpoint=otlp.url, certificate=certificate))
            waits = iter([False] * 6 + [True])
            ships = Shipper(root, exporter, wait=lambda _seconds, _asked, waits=waits: next(waits), policy=AT_ONCE, complain=said.append)
            assert not ships.ship_folder(service.folder, live=True).done
        assert len(said) == 2
        assert all("CERTIFICATE_VERIFY_FAILED" in sentence for sentence in said)
        assert otlp.taken == []
        variables = {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": otlp.url, "OTEL_EXPORTER_OTLP_CERTIFICATE": str(certificates / "server.pem")}
        settings = from_environment(variables, pytest.fail)
        assert endpoint_problem(settings) is None
        assert Shipper(root, Exporter(settings)).ship_folder(service.folder, live=True).done
        assert otlp.numbers(service.writer_id) == [1, 2, 3]
