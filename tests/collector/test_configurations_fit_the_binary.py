from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tokentrail.deploy.collector import config_folder
from tokentrail.local.collector import PREFIX

CONFIGS = ("gateway.yaml", "agent.yaml")
SERVE_PORTS = {8123, 4318}


def ask(binary: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    environment = clean | {PREFIX + name: value for name, value in settings.items()}
    return subprocess.run([str(binary), *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False)


def resolve_config(binary: Path, config: str, **settings: str) -> dict:
    answer = ask(binary, "print-config", "--mode", "unredacted", "--format", "json", "--config", str(config_folder() / config), **settings)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


@pytest.mark.parametrize("config", CONFIGS)
def test_every_component_and_key_is_known(collector_binary: Path, config: str) -> None:
    answer = ask(collector_binary, "validate", "--config", str(config_folder() / config))
    assert answer.returncode == 0, answer.stderr


def test_the_check_can_fail(collector_binary: Path) -> None:
    with_batch = "yaml:service::pipelines::traces::processors: [memory_limiter, batch]"
    answer = ask(collector_binary, "validate", "--config", str(config_folder() / "gateway.yaml"), "--config", with_batch)
    assert answer.returncode != 0
    assert "batch" in answer.stderr


@pytest.mark.parametrize("config", CONFIGS)
def test_nothing_that_answers_before_it_exports(config: str) -> None:
    described = yaml.safe_load((config_folder() / config).read_text("utf-8"))
    assert not [name for name in described["processors"] if name.partition("/")[0] == "batch"]
    ledger = next(exporter for name, exporter in described["exporters"].items() if name.endswith("/ledger"))
    assert ledger["retry_on_failure"]["max_elapsed_time"] == 0
    assert ledger["sending_queue"]["block_on_overflow"] is True
    assert described["extensions"][ledger["sending_queue"]["storage"]]["fsync"] is True
    assert described["service"]["pipelines"]["logs/ledger"]["processors"] == ["memory_limiter", "filter/only_ledger"]
    # the agent's batches have a size in bytes, which a foreign record may exceed
    filters = {"gateway.yaml": [], "agent.yaml": ["filter/only_ledger"]}[config]
    assert described["service"]["pipelines"]["logs/ledger_port"]["processors"] == ["memory_limiter", *filters]


def test_with_nothing_set_no_two_processes_want_one_port(collector_binary: Path) -> None:
    texts = [json.dumps(resolve_config(collector_binary, config)["extensions"]) for config in CONFIGS]
    ports: list[int] = sorted(SERVE_PORTS)
    for config in CONFIGS:
        whole = resolve_config(collector_binary, config)
        prometheus = whole["service"]["telemetry"]["metrics"]["readers"][0]["pull"]["exporter"]
        own = [protocol["endpoint"] for receiver in whole["receivers"].values() for protocol in receiver["protocols"].values()]
        assert len(own) == 4
        own.append(whole["extensions"]["health_check"]["endpoint"])
        ports += [int(address.rpartition(":")[2]) for address in own] + [prometheus_port(prometheus)]
    assert len(set(ports)) == len(ports), sorted(ports)
    folders = [re.findall(r'"directory": "([^"]+)"', text) for text in texts]
    assert not set(folders[0]) & set(folders[1])


def prometheus_port(reader: dict) -> int:
    text = json.dumps(reader)
    return int(re.search(r'"port": (\d+)', text).group(1))


@pytest.mark.parametrize(
    ("settings", "goes_to"),
    [({}, "127.0.0.1:4317"), ({"GATEWAY": "far:4317"}, "far:4317"), ({"GATEWAY": "far:4317", "LEDGER_GATEWAY": "far:14319"}, "far:14319")],
)
def test_an_agents_usage_goes_where_all_goes_unless_stated(collector_binary: Path, settings: dict[str, str], goes_to: str) -> None:
    exporters = resolve_config(collector_binary, "agent.yaml", **settings)["exporters"]
    assert exporters["otlp_grpc/ledger"]["endpoint"] == goes_to
    assert exporters["otlp_grpc/telemetry"]["endpoint"] == settings.get("GATEWAY", "127.0.0.1:4317")


@pytest.mark.parametrize("password", ["0123", "true", "a: b", "p#w", "1e5", "{x}", "käse"])
def test_a_password_stays_the_text_that_it_is(collector_binary: Path, password: str) -> None:
    whole = resolve_config(collector_binary, "gateway.yaml", PASSWORD=password, USERNAME="writer", DATABASE="ledger2")
    for exporter in ("clickhouse/ledger", "clickhouse/telemetry"):
        assert whole["exporters"][exporter]["password"] == password
        assert whole["exporters"][exporter]["username"] == "writer"
        assert whole["exporters"][exporter]["database"] == "ledger2"


def test_the_readme_lists_every_variable_and_no_other() -> None:
    readme = (config_folder() / "README.md").read_text("utf-8")
    in_files = set()
    for config in CONFIGS:
        in_files |= set(re.findall(r"\$\{env:(TOKENTRAIL_[A-Z_]+)", (config_folder() / config).read_text("utf-8")))
    assert set(re.findall(r"`(TOKENTRAIL_COLLECTOR_[A-Z_]+)`", readme)) == in_files


def test_manifest_is_all_of_one_release() -> None:
    text = (config_folder() / "manifest.yaml").read_text("utf-8")
    assert set(re.findall(r"gomod: \S+ (v\S+)", text)) == {"v0.161.0", "v1.67.0"}
