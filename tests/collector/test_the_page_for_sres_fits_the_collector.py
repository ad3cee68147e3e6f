"""What docs/sre.md states of the Collector is true of the official one: its certificates are read again, and its own metrics have these names."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
import yaml

from tests.support.certificates import make_certificates
from tests.support.collector import World, own_metric
from tests.support.otlp import Writer, post
from tests.support.waiting import wait_until
from tokentrail.deploy.collector import config_folder
from tokentrail.local.collector import Collector

PAGE = (Path(__file__).parents[2] / "docs" / "sre.md").read_text("utf-8")


def shown(address: str) -> str:
    """The certificate that a server at host:port shows."""
    host, _, port = address.rpartition(":")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection((host, int(port)), timeout=10) as plain, context.wrap_socket(plain) as secure:
        return ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True) or b"")


def put(folder: Path, name: str) -> None:
    shutil.copy(folder / f"{name}.key", folder / "tls.key")
    shutil.copy(folder / f"{name}.pem", folder / "tls.crt")


def test_certificates_are_replaced_without_a_restart(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (printed,) = re.findall(r"```yaml run\n(.*?)```", PAGE, re.DOTALL)
    folder = make_certificates(tmp_path, "former", "new")
    put(folder, "former")
    secured = printed.replace("/etc/tokentrail", str(folder)).replace("reload_interval: 1h", "reload_interval: 1s")
    gateway = world.gateway(world.store(started=False), overrides=(secured,))
    addresses = [urlsplit(gateway.otlp_http_url).netloc, gateway.otlp_grpc]
    former, new = (ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert((folder / f"{name}.pem").read_text())) for name in ("former", "new"))
    assert [shown(address) for address in addresses] == [former, former]
    put(folder, "new")
    wait_until(lambda: [shown(address) for address in addresses] == [new, new], "the new certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "new.pem"))
    agent = world.agent(gateway, GATEWAY_INSECURE="false")
    assert post(agent.otlp_http_url, "logs", Writer().request(10)) == 200
    wait_until(lambda: own_metric(agent, "otelcol_exporter_sent_log_records", "otlp_grpc/ledger") == 10, "records that pass to the gateway")


def exposed(running: Collector) -> set[str]:
    with urlopen(running.metrics_url, timeout=10) as answer:
        return set(re.findall(r"^(otelcol_\w+)[{ ]", answer.read().decode(), re.MULTILINE))


def test_its_own_metrics_have_these_names(world: World) -> None:
    gateway = world.gateway(world.store(started=False))
    agent = world.agent(gateway)
    assert post(agent.otlp_http_url, "logs", Writer().request(10)) == 200
    assert post(gateway.ledger_http_url, "logs", Writer().request(10)) == 503  # ClickHouse is away: a failure to be counted
    wait_until(lambda: "otelcol_exporter_sent_log_records" in exposed(agent), "a record that was handed on")
    only_a_broken_disk_shows = {"otelcol_exporter_enqueue_failed_log_records"}
    named = set(re.findall(r"`(otelcol_\w+)`", PAGE))
    assert named - only_a_broken_disk_shows <= exposed(agent) | exposed(gateway)
    assert named & only_a_broken_disk_shows == only_a_broken_disk_shows


def test_every_alert_on_the_collector_is_named() -> None:
    rules = yaml.safe_load((config_folder() / "prometheus-rules.yaml").read_text("utf-8"))
    alerts = {rule["alert"] for group in rules["groups"] if group["name"] == "tokentrail-collector" for rule in group["rules"]}
    assert set(re.findall(r"TokentrailCollector\w+", PAGE)) == alerts
    asked = set(re.findall(r"otelcol_\w+[a-z]", " ".join(rule["expr"] for group in rules["groups"] for rule in group["rules"])))
    assert {name for name in asked if not name.endswith("_")} <= set(re.findall(r"`(otelcol_\w+)`", PAGE)) | {"otelcol_exporter"}
