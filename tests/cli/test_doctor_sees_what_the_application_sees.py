"""`tokentrail doctor -- COMMAND` and `opentelemetry-instrument tokentrail doctor` find what the application would find, and run no line of the application."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.grpc_receiver import GrpcOtlp
from tests.support.otlp_receiver import Otlp
from tokentrail.doctor.log_delivery import check_log_delivery
from tokentrail.doctor.spans import check_spans
from tokentrail.embedded.process import ServerProcess
from tokentrail.settings import Settings

BIN = Path(sys.executable).parent
INSTRUMENT = str(BIN / "opentelemetry-instrument")
DISTRO = """
import os
from opentelemetry.instrumentation.distro import BaseDistro
class Distro(BaseDistro):
    def _configure(self, **kwargs):
        os.environ.setdefault("OTEL_TRACES_EXPORTER", "none")
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = os.environ["ONLY_THE_DISTRO_KNOWS"]
"""


@pytest.fixture(scope="module")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("clickhouse")
    server = ServerProcess.started(folder / "data", log=folder / "log")
    yield server.addresses.dsn
    server.kill()


@pytest.fixture
def otlp() -> Iterator[Otlp]:
    with Otlp() as receiver:
        yield receiver


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An application that leaves a trace if a line of its own is run."""
    program = tmp_path / "app.py"
    program.write_text("import pathlib\npathlib.Path(__file__).with_name('ran').touch()\n")
    return program


class Found:
    """What a doctor said."""

    def __init__(
        self, folder: Path, *words: str, before: tuple[str, ...] = (), dsn: str = "", sdks: tuple[str, ...] = ("openai",), **variables: str
    ) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TOKENTRAIL_", "PYTHONPATH"))}
        clean |= {"TOKENTRAIL_JOURNAL_DIR": str(folder / "journal"), "PATH": f"{BIN}{os.pathsep}{clean['PATH']}"}
        options = [*(["--dsn", dsn] if dsn else []), *(word for name in sdks for word in ("--only", name))]  # all of them take 10 s
        command = [*before, str(BIN / "tokentrail"), "doctor", "--json", *options, *words]
        ran = subprocess.run(command, env=clean | variables, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
        self.code, self.errors = ran.returncode, ran.stderr
        self.findings = json.loads(ran.stdout) if ran.stdout else []

    def of(self, what: str) -> tuple[str, str]:
        """The state and the sentences of that name."""
        found = [(finding["state"], finding["sentence"]) for finding in self.findings if finding["what"] == what]
        return (max(state for state, _ in found), " / ".join(sentence for _, sentence in found)) if found else ("", "")


def test_all_is_well(app: Path, clickhouse: str, otlp: Otlp) -> None:
    found = Found(
        app.parent, "--", INSTRUMENT, sys.executable, str(app), dsn=clickhouse, TOKENTRAIL_ENDPOINT=otlp.url, OTEL_TRACES_EXPORTER="none", sdks=()
    )
    assert found.code == 0, found.findings
    assert {"openai", "groq", "ollama", "anthropic", "google-genai"} <= {finding["what"] for finding in found.findings}
    assert found.of("hooks") == ("ok", "opentelemetry-instrument has armed them: every call of an SDK is counted")
    assert found.of("application")[1].startswith(sys.executable)
    assert not (app.parent / "ran").exists()


def test_the_environment_that_a_distro_leaves(app: Path, otlp: Otlp, tmp_path: Path) -> None:
    vendor = tmp_path / "vendor"
    (vendor / "vendor-1.0.dist-info").mkdir(parents=True)
    (vendor / "vendor.py").write_text(DISTRO)
    (vendor / "vendor-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: vendor\nVersion: 1.0\n")
    (vendor / "vendor-1.0.dist-info" / "entry_points.txt").write_text("[opentelemetry_distro]\nvendor = vendor:Distro\n")
    address = otlp.url.removesuffix("/v1/logs")
    variables = {"ONLY_THE_DISTRO_KNOWS": address, "PYTHONPATH": str(vendor), "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    takes = ("ok", f"{address}/v1/logs takes OTLP over HTTP")
    assert Found(tmp_path, "--", INSTRUMENT, sys.executable, str(app), **variables).of("Collector") == takes
    assert Found(tmp_path, before=(INSTRUMENT,), **variables).of("Collector") == takes


def test_only_the_sdks_that_are_named_are_called(app: Path) -> None:
    for words in ((), ("--", sys.executable, str(app))):
        found = Found(app.parent, *words, sdks=("openai", "groq"))
        named = {finding["what"] for finding in found.findings}
        assert {"openai", "groq"} <= named
        assert named.isdisjoint({"ollama", "anthropic", "cohere", "google-genai"})
    wrong = Found(app.parent, sdks=("opnai",))
    assert wrong.code == 2
    assert "there is no SDK 'opnai': there are " in wrong.errors


def test_an_application_that_nothing_arms(app: Path) -> None:
    found = Found(app.parent, "--", sys.executable, str(app))
    assert found.of("hooks")[0] == "note"
    assert "opentelemetry-instrument, tokentrail.instrument() or a decorator" in found.of("hooks")[1]
    assert not (app.parent / "ran").exists()


def test_what_opentelemetry_instrument_could_not_do_is_said(app: Path) -> None:
    found = Found(app.parent, "--", INSTRUMENT, sys.executable, str(app), OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
    assert found.code == 1
    assert "otlp_proto_grpc" in found.of("opentelemetry-instrument")[1]
    assert found.of("spans and metrics")[0] == "wrong"
    assert found.of("hooks")[0] == "ok", "the ledger does not depend on exporters"
    left_out = Found(app.parent, "--", INSTRUMENT, sys.executable, str(app), OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="tokentrail")
    assert left_out.of("hooks")[0] == "wrong"
    assert "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS" in left_out.of("hooks")[1]


def test_a_collector_that_speaks_grpc(app: Path) -> None:
    with GrpcOtlp() as receiver:
        found = Found(app.parent, "--", sys.executable, str(app), OTEL_EXPORTER_OTLP_PROTOCOL="grpc", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
        assert found.of("Collector") == ("ok", f"{receiver.url} takes OTLP over gRPC")


def test_a_protocol_that_cannot_be_sent_is_the_same_sentence_whoever_is_asked(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    [finding] = check_spans(Settings())
    assert finding.state == "wrong"
    assert "OTEL_EXPORTER_OTLP_PROTOCOL is grpc" in finding.sentence
    assert "pip install opentelemetry-exporter-otlp-proto-grpc" in finding.sentence
    for start in ([], [INSTRUMENT]):
        found = Found(app.parent, "--", *start, sys.executable, str(app), OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
        assert found.of("spans and metrics") == (finding.state, finding.sentence)
    for signal in ("TRACES", "METRICS"):
        monkeypatch.setenv(f"OTEL_{signal}_EXPORTER", "none")
    assert [found.state for found in check_spans(Settings())] == ["ok"], "nothing is to be sent"


def test_the_bridge_of_the_interpreter(app: Path) -> None:
    found = Found(app.parent, "--", sys.executable, str(app))
    assert found.of("bridge")[0] == "note"
    assert "until tokentrail.bridge.install() is called" in found.of("bridge")[1]
    installs = app.parent / "installs"
    installs.mkdir()
    (installs / "sitecustomize.py").write_text(
        "import tokentrail.bridge\nfrom opentelemetry.sdk.trace import TracerProvider\ntokentrail.bridge.install(TracerProvider())\n"
    )
    found = Found(app.parent, "--", sys.executable, str(app), PYTHONPATH=str(installs))
    assert found.of("bridge") == ("ok", "tokentrail.bridge is installed: calls that only other instrumentations see are taken, once")


def test_delivery_through_the_programs_logger_provider(app: Path) -> None:
    otel = {"TOKENTRAIL_DELIVERY": "otel"}
    found = Found(app.parent, "--", sys.executable, str(app), **otel)
    assert found.of("delivery")[0] == "note"
    assert "until the program calls opentelemetry._logs.set_logger_provider(), usages are numbered and not sent" in found.of("delivery")[1]
    assert found.of("journal") == found.of("Collector") == ("", ""), "neither is used"
    none = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    found = Found(app.parent, "--", INSTRUMENT, sys.executable, str(app), **otel, **none)
    assert found.of("delivery")[0] == "ok"
    assert "(opentelemetry.sdk._logs._internal.LoggerProvider)" in found.of("delivery")[1]
    disabled = check_log_delivery(Settings(delivery="otel", otel_sdk_disabled=True))
    assert [finding.state for finding in disabled] == ["wrong"], "an SDK that is disabled takes log records and sends none"


def test_a_sitecustomize_of_ones_own_is_run_too(app: Path, otlp: Otlp) -> None:
    own = app.parent / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text(f"import os\nos.environ['TOKENTRAIL_ENDPOINT'] = {otlp.url!r}\n")
    found = Found(app.parent, "--", sys.executable, "-X", "utf8", str(app), PYTHONPATH=str(own))
    assert found.of("Collector")[0] == "ok"


def test_programs_that_start_python_in_their_own_way(app: Path) -> None:
    for words in ([str(BIN / "flask"), "--app", str(app), "run"], [sys.executable, "-m", "app"]):
        found = Found(app.parent, "--", *words)
        assert found.of("application")[0] == "ok", (words, found.errors)
    assert not (app.parent / "ran").exists()


def test_an_interpreter_without_tokentrail(app: Path) -> None:
    bare = app.parent / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True, timeout=60)
    found = Found(app.parent, "--", str(bare / "bin" / "python"), str(app))
    assert found.code == 1
    assert found.of("application")[0] == "wrong"
    assert "pip install tokentrail" in found.of("application")[1]
    assert not (app.parent / "ran").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nosuchcommand", "x"], "nosuchcommand is no command"),
        (["false"], "ended with exit code 1"),
        (["sh", "-c", "echo no such module >&2; exit 3"], "exit code 3 and started no Python interpreter that could be asked: no such module"),
        (["python", "-I", "app.py"], "with -I Python does not read PYTHONPATH"),
        (["python3", "-Es", "-m", "app"], "with -Es"),
    ],
)
def test_a_command_that_cannot_be_asked_is_one_sentence(app: Path, words: list[str], says: str) -> None:
    found = Found(app.parent, "--", *words)
    assert found.code == 2
    assert says in found.errors
    assert len(found.errors.strip().splitlines()) == 1
    assert not (app.parent / "ran").exists()
