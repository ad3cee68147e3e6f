"""The README's commands for SREs, run as they stand from an installed wheel; only addresses are replaced, for each test has ports of its own."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml

from tests.support.store import Store
from tests.support.waiting import wait_until
from tests.support.wheel import ROOT, InstalledWheel
from tokentrail.deploy.collector import config_folder, gateway_url
from tokentrail.local.child import Child
from tokentrail.local.collector import PREFIX
from tokentrail.local.ports import answers, free_port

APPLICATION = """python -c '
import tokentrail
tokentrail.track_token_usage(token_type="llm", operation="query", tenant_id="acme", provider="groq", model="llama-3.1-8b", input_tokens=12, output_tokens=5)
assert tokentrail.flush(timeout=60), "not shipped"
'"""


def quick_start() -> list[str]:
    section = (ROOT / "README.md").read_text("utf-8").partition("## Quick start: SREs")[2]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    return block.group(1).splitlines()


def test_its_endpoint_is_where_its_gateway_listens() -> None:
    config = yaml.safe_load((config_folder() / "gateway.yaml").read_text("utf-8"))
    listens = re.fullmatch(r"\$\{env:TOKENTRAIL_COLLECTOR_OTLP_HTTP:-(.*)\}", config["receivers"]["otlp"]["protocols"]["http"]["endpoint"]).group(1)
    assert gateway_url() == f"http://{listens}"
    commands = "\n".join(quick_start())
    assert commands.index("--config ./collector/gateway.yaml") < commands.index(f"export OTEL_EXPORTER_OTLP_ENDPOINT=http://{listens}")
    readme = (config_folder() / "README.md").read_text("utf-8")
    assert f"OTEL_EXPORTER_OTLP_ENDPOINT=http://{listens} " in readme
    assert f"| `TOKENTRAIL_COLLECTOR_OTLP_HTTP` | {listens} |" in readme


def test_every_document_names_the_port_that_is_listened_on() -> None:
    """The containers' example listens where applications look by themselves, and says so."""
    port = gateway_url().rpartition(":")[2]
    named = 0
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), config_folder() / "README.md"]:
        for line in page.read_text("utf-8").splitlines():
            own = {"4317"} if "OTEL_EXPORTER_OTLP_PROTOCOL=grpc" in line else {port, "4318"}
            ports = re.findall(r"OTEL_EXPORTER_OTLP_ENDPOINT=\S*?:(\d+)", line)
            assert set(ports) <= own, f"{page}: {line}"
            named += len(ports)
    assert named > 2
    gateway = yaml.safe_load((config_folder() / "compose.yaml").read_text("utf-8"))["services"]["gateway"]
    assert gateway["environment"][PREFIX + "OTLP_HTTP"] == "0.0.0.0:4318"
    assert "127.0.0.1:4318:4318" in gateway["ports"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    running = Store(tmp_path / "clickhouse", log=tmp_path / "clickhouse.log")
    running.start()
    yield running
    running.kill()


def test_usage_of_a_service_arrives(collector_binary: Path, installed_wheel: InstalledWheel, store: Store, tmp_path: Path) -> None:
    listens, health = f"127.0.0.1:{free_port()}", free_port()
    shims = tmp_path / "bin"
    shims.mkdir()
    (shims / "otelcol-contrib").symlink_to(collector_binary)
    lines = [line for line in quick_start() if not line.startswith("pip install ")]
    lines.insert(next(number for number, line in enumerate(lines) if line.startswith("tokentrail doctor")), "read _started")
    script = "\n".join(["set -e", *lines, APPLICATION, "kill $!", "wait $! || true"])
    for printed, actual in (("@clickhouse:8123", f"@127.0.0.1:{store.port}"), ("//clickhouse:8123", f"//127.0.0.1:{store.port}")):
        assert printed in script
        script = script.replace(printed, actual)
    script = script.replace(gateway_url(), f"http://{listens}")
    environment = installed_wheel.environment(
        HOME=str(tmp_path / "home"),
        TOKENTRAIL_JOURNAL_DIR=str(tmp_path / "journal"),
        **{PREFIX + "OTLP_HTTP": listens},
        **{PREFIX + name: f"127.0.0.1:{free_port()}" for name in ("OTLP_GRPC", "LEDGER_HTTP", "LEDGER_GRPC")},
        **{PREFIX + "HEALTH": f"127.0.0.1:{health}", PREFIX + "METRICS_PORT": str(free_port())},
    )
    environment = {**environment, "PATH": f"{shims}{os.pathsep}{environment['PATH']}"}
    for unwanted in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "XDG_STATE_HOME"):
        environment.pop(unwanted, None)
    with Child("the quick start", ["bash", "-c", script], environment=environment, folder=tmp_path, takes_input=True) as shell:
        shell.start()
        wait_until(lambda: not shell.running or answers(f"http://127.0.0.1:{health}/"), "the gateway that the README starts", deadline_s=120)
        shell.send("")
        assert shell.wait(120) == 0, shell.lines
        rows = wait_until(lambda: store.query("SELECT tenant_id, model, input_tokens, output_tokens FROM usage"), "the usage in the ledger")
        assert rows == [["acme", "llama-3.1-8b", "12", "5"]]
        assert (tmp_path / "home" / ".local/state/tokentrail/gateway/ledger").is_dir()
