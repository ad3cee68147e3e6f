from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tokentrail.deploy.collector import config_folder
from tokentrail.local.collector import PREFIX

# What the plugin grafana-clickhouse-datasource 4.20 reads (its settings loader and its configuration type). An unknown key is ignored in silence:
# `server` was the name of `host` until version 3, and `database` never was the name of `defaultDatabase`.
CONNECTION = {"host", "port", "protocol", "secure", "path", "username", "httpHeaders", "customSettings"}
POOL = {"dialTimeout", "queryTimeout", "connMaxLifetime", "maxIdleConns", "maxOpenConns"}
CONTENT = {"defaultDatabase", "defaultTable", "logs", "traces", "configMode", "signalType", "aliasTables"}
SETTINGS = CONNECTION | POOL | CONTENT | {"validateSql", "enableRowLimit", "enableMapKeysDiscovery"}
SIGNAL = {"defaultDatabase", "defaultTable", "otelEnabled", "otelVersion"}
TRACES = SIGNAL | {"durationUnit", "traceTimestampTableSuffix", "showTraceLinks"}
LOGS = SIGNAL | {"showLogLinks"}


@pytest.fixture(scope="module")
def datasource() -> dict[str, Any]:
    provisioning = yaml.safe_load((config_folder() / "grafana-datasource.yaml").read_text("utf-8"))
    assert provisioning["apiVersion"] == 1
    (only,) = provisioning["datasources"]
    return only


def test_every_key_is_one_that_is_read(datasource: dict[str, Any]) -> None:
    assert set(datasource) <= {"name", "uid", "type", "access", "jsonData", "secureJsonData", "isDefault", "editable", "version", "orgId"}
    assert set(datasource["jsonData"]) <= SETTINGS
    assert set(datasource["jsonData"]["traces"]) <= TRACES
    assert set(datasource["jsonData"]["logs"]) <= LOGS
    assert set(datasource["secureJsonData"]) == {"password"}


def test_answers_are_never_cut_and_no_password_is_written_down(datasource: dict[str, Any]) -> None:
    assert datasource["jsonData"]["enableRowLimit"] is False
    assert datasource["secureJsonData"]["password"].startswith("$")


def test_a_row_of_the_ledger_leads_to_its_trace(datasource: dict[str, Any]) -> None:
    """The plugin links a column called trace_id if the data source says in which table the traces are."""
    traces = datasource["jsonData"]["traces"]
    assert (traces["defaultDatabase"], traces["defaultTable"], traces["otelEnabled"]) == ("tokentrail", "otel_traces", True)
    assert traces["showTraceLinks"] is True
    assert traces["durationUnit"] == "nanoseconds"


def test_compose_example_sets_only_variables_that_exist() -> None:
    compose = yaml.safe_load((config_folder() / "compose.yaml").read_text("utf-8"))
    known = set(re.findall(r"\$\{env:(TOKENTRAIL_COLLECTOR_[A-Z_]+)", (config_folder() / "gateway.yaml").read_text("utf-8")))
    named = {name for name in compose["services"]["gateway"]["environment"] if name.startswith(PREFIX)}
    assert named
    assert named <= known
    sources = {volume.partition(":")[0] for service in compose["services"].values() for volume in service.get("volumes", [])}
    files = {source for source in sources if source.startswith("./")}
    assert "./gateway.yaml" in files
    assert [source for source in files if not (config_folder() / source).is_file()] == []
    assert sources - files == compose["volumes"].keys()
