"""`opentelemetry-instrument` arms the hooks and finds a protocol that can be sent, whatever distros and exporters are installed beside tokentrail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

APP = """
import json, os
from opentelemetry import trace
from tokentrail.process.current import current
from tokentrail.instrumentation import instrumented
from tokentrail.journal.endpoint import endpoint_of
provider = trace.get_tracer_provider()
print(json.dumps({
    "armed": sorted(instrumented()),
    "otel": os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL"),
    "endpoint": endpoint_of(current.settings),
    "sdk": type(provider).__module__.startswith("opentelemetry.sdk"),
    "vendor": os.environ.get("VENDOR"),
}))
"""
ALL = ["groq", "ollama", "openai"]
INSTRUMENT = str(Path(sys.executable).with_name("opentelemetry-instrument"))
VENDOR = """
import os
from opentelemetry.instrumentation.distro import BaseDistro
class Distro(BaseDistro):
    def _configure(self, **kwargs):
        os.environ["VENDOR"] = "configured"
        os.environ.setdefault("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        os.environ.setdefault("OTEL_TRACES_EXPORTER", "otlp")
    def load_instrumentor(self, entry_point, **kwargs):
        os.environ["VENDOR"] += f" {entry_point.name}"
        super().load_instrumentor(entry_point, **kwargs)
class Broken(BaseDistro):
    def _configure(self, **kwargs):
        raise RuntimeError("the vendor's fault")
"""
GRPC_EXPORTER = "from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter as Spans\n"


def distribution(folder: Path, name: str, source: str, entry_points: str) -> None:
    """Make a folder for PYTHONPATH with one module, installed under that name."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(source)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)


def run(folder: Path, *command: str, **variables: str) -> tuple[dict[str, Any], str]:
    """Run the application in an environment that states nothing but these variables: what it printed, and its errors."""
    app = folder / "app.py"
    app.write_text(APP)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TOKENTRAIL_"))}
    clean |= {"TOKENTRAIL_JOURNAL_DIR": str(folder / "journal"), "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    words = command or (INSTRUMENT, sys.executable)
    ran = subprocess.run([*words, str(app)], env=clean | variables, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout), ran.stderr


def test_with_nothing_set(tmp_path: Path) -> None:
    found, errors = run(tmp_path)
    assert errors == ""
    assert found == {"armed": ALL, "otel": "http/protobuf", "endpoint": "http://localhost:4318/v1/logs", "sdk": True, "vendor": None}


def test_with_another_distro_first(tmp_path: Path) -> None:
    distribution(tmp_path / "vendor", "vendor", VENDOR, "[opentelemetry_distro]\nvendor = vendor:Distro\n")
    found, errors = run(tmp_path, PYTHONPATH=str(tmp_path / "vendor"))
    assert errors == ""
    assert (found["armed"], found["otel"], found["sdk"]) == (ALL, "http/protobuf", True)
    assert {"configured", "tokentrail"} <= set(found["vendor"].split()), "the distro that was there before tokentrail is no longer configured"


def test_a_grpc_exporter_that_is_installed_stays_the_sdks_choice(tmp_path: Path) -> None:
    distribution(tmp_path / "exporter", "exporter", GRPC_EXPORTER, "[opentelemetry_traces_exporter]\notlp_proto_grpc = exporter:Spans\n")
    found, errors = run(tmp_path, PYTHONPATH=str(tmp_path / "exporter"))
    assert errors == ""
    assert (found["armed"], found["otel"], found["sdk"]) == (ALL, "grpc", True)
    assert found["endpoint"] == "http://localhost:4318/v1/logs", "a distro's default is not the user's wish"


@pytest.mark.parametrize(
    ("endpoint", "ships_to"), [("http://collector:4318", "http://collector:4318/v1/logs"), ("http://collector:4317", "http://collector:4317")]
)
def test_an_endpoint_says_what_the_default_does_not(tmp_path: Path, endpoint: str, ships_to: str) -> None:
    distribution(tmp_path / "exporter", "exporter", GRPC_EXPORTER, "[opentelemetry_traces_exporter]\notlp_proto_grpc = exporter:Spans\n")
    found, _ = run(tmp_path, PYTHONPATH=str(tmp_path / "exporter"), OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
    assert found["endpoint"] == ships_to


@pytest.mark.parametrize("way", ["variable", "option"])
def test_a_distro_that_the_user_names_is_kept(tmp_path: Path, way: str) -> None:
    distribution(tmp_path / "vendor", "vendor", VENDOR, "[opentelemetry_distro]\nvendor = vendor:Distro\n")
    variables = {"PYTHONPATH": str(tmp_path / "vendor"), "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
    if way == "variable":
        found, errors = run(tmp_path, **variables, OTEL_PYTHON_DISTRO="vendor")
    else:
        found, errors = run(tmp_path, INSTRUMENT, "--distro", "vendor", sys.executable, **variables)
    assert errors == ""
    assert {"configured", "tokentrail"} <= set(found["vendor"].split())
    assert (found["armed"], found["otel"]) == (ALL, "http/protobuf")


BROKEN = {
    "a stated exporter is missing": {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
    "an exporter does not exist": {"OTEL_TRACES_EXPORTER": "zipkin"},
    "the configuration file is missing": {"OTEL_CONFIG_FILE": "/nowhere/otel.yaml"},
}


@pytest.mark.parametrize("variables", BROKEN.values(), ids=BROKEN)
def test_an_sdk_that_cannot_be_set_up_does_not_stop_the_ledger(tmp_path: Path, variables: dict[str, str]) -> None:
    found, errors = run(tmp_path, **variables)
    assert "Failed to auto initialize OpenTelemetry" in errors, "this world is not broken"
    assert (found["armed"], found["sdk"]) == (ALL, False)


def test_a_distro_that_raises_does_not_stop_the_ledger(tmp_path: Path) -> None:
    distribution(tmp_path / "vendor", "vendor", VENDOR, "[opentelemetry_distro]\nvendor = vendor:Broken\n")
    found, errors = run(tmp_path, PYTHONPATH=str(tmp_path / "vendor"))
    assert "the vendor's fault" in errors
    assert found["armed"] == ALL


@pytest.mark.parametrize("left_out", ["tokentrail", "flask, tokentrail", "*"])
def test_an_instrumentation_that_is_left_out_is_not_armed(tmp_path: Path, left_out: str) -> None:
    found, _ = run(tmp_path, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=left_out)
    assert found["armed"] == []


def test_initialize_without_the_command(tmp_path: Path) -> None:
    program = (
        "import runpy, sys; from opentelemetry.instrumentation.auto_instrumentation import initialize; initialize(); runpy.run_path(sys.argv[1])"
    )
    found, errors = run(tmp_path, sys.executable, "-c", program, OTEL_PYTHON_DISTRO="tokentrail")
    assert errors == ""
    assert (found["armed"], found["sdk"]) == (ALL, True)
