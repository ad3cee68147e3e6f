"""TLS to the Collector, over HTTP and gRPC: what is wrong is one sentence, nothing is sent, and all of it arrives once it is right."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.authorities import Authority
from tests.support.grpc_receiver import GrpcOtlp, grpc
from tests.support.journal import AT_ONCE, append, writer
from tests.support.otlp_receiver import Otlp
from tokentrail.journal.exporter import exporter_for
from tokentrail.journal.shipper import Shipper
from tokentrail.settings import Settings, from_environment

CASES = {
    "an unknown authority": ("its certificate is not trusted (CERTIFICATE_VERIFY_FAILED: ", "OTEL_EXPORTER_OTLP_CERTIFICATE"),
    "an expired certificate": ("certificate has expired", "it has to be renewed there"),
    "another host's certificate": ("is not valid for '127.0.0.1'", "the address has to name a host of the certificate"),
    "no client's certificate": ("a client's certificate", "see the settings `client_certificate` and `client_key`"),
    "a client's certificate of another authority": ("a client's certificate", "see the settings `client_certificate` and `client_key`"),
    "a key with a password": ("", ""),
}


@dataclass(frozen=True)
class Files:
    authority: Path
    other_authority: Path
    good: tuple[Path, Path]
    expired: tuple[Path, Path]
    elsewhere: tuple[Path, Path]
    client: tuple[Path, Path]
    stranger: tuple[Path, Path]
    sealed: tuple[Path, Path]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("authorities")
    ours, others = Authority(folder, "ours"), Authority(folder, "others")
    return Files(
        ours.certificate,
        others.certificate,
        ours.signed("good"),
        ours.signed("expired", expired=True),
        ours.signed("elsewhere", host="collector.example"),
        ours.signed("client"),
        others.signed("stranger"),
        ours.signed("sealed", password=b"s3cret"),
    )


def wrong(case: str, files: Files) -> tuple[tuple[Path, Path], dict[str, str]]:
    """The server's certificate, and the settings with what is wrong in them."""
    right = {"certificate": str(files.authority), "client_certificate": str(files.client[0]), "client_key": str(files.client[1])}
    settings: dict[str, dict[str, str]] = {
        "an unknown authority": {"certificate": str(files.other_authority)},
        "no client's certificate": {"client_certificate": "", "client_key": ""},
        "a client's certificate of another authority": {"client_certificate": str(files.stranger[0]), "client_key": str(files.stranger[1])},
        "a key with a password": {"client_certificate": str(files.sealed[0]), "client_key": str(files.sealed[1])},
    }
    shown = {"an expired certificate": files.expired, "another host's certificate": files.elsewhere}
    return shown.get(case, files.good), right | settings.get(case, {})


@contextmanager
def collector(protocol: str, shown: tuple[Path, Path], clients: Path) -> Iterator[Otlp]:
    """A receiver that shows a certificate, and wants one of its clients."""
    if protocol == "grpc":
        certificate, key = (path.read_bytes() for path in shown)
        with GrpcOtlp(tls=grpc.ssl_server_credentials([(key, certificate)], clients.read_bytes(), require_client_auth=True)) as otlp:
            yield otlp
    else:
        with Otlp(tls=shown, clients=clients) as otlp:
            yield otlp


def ship(root: Path, folder: Path, settings: Settings) -> tuple[bool, list[str]]:
    said: list[str] = []
    waits = iter([False] * 5 + [True])
    exporter = exporter_for(settings)
    done = (
        Shipper(root, exporter, wait=lambda _seconds, _asked: next(waits), policy=AT_ONCE, complain=said.append).ship_folder(folder, live=True).done
    )
    exporter.close()
    return done, said


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize("case", CASES)
def test_one_sentence_and_then_all_of_it(root: Path, files: Files, case: str, protocol: str) -> None:
    service = writer(root)
    append(service, 3)
    shown, stated = wrong(case, files)
    with collector(protocol, shown, files.authority) as otlp:
        done, said = ship(root, service.folder, settings_for(otlp, stated))
        assert not done
        assert otlp.taken == []
        assert len(said) == 1
        assert all(part in said[0] for part in CASES[case]), said[0]
        assert "\n" not in said[0]
        assert len(said[0]) < 500
        assert "s3cret" not in said[0]
    shown, stated = wrong("nothing", files)
    with collector(protocol, shown, files.authority) as otlp:
        assert ship(root, service.folder, settings_for(otlp, stated)) == (True, [])
        assert otlp.numbers(service.writer_id) == [1, 2, 3]


def settings_for(otlp: Otlp, stated: dict[str, Any]) -> Settings:
    return Settings(endpoint=otlp.url, protocol=otlp.protocol, timeout=10.0, **stated)


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_the_standard_variables_are_enough(root: Path, files: Files, protocol: str) -> None:
    service = writer(root)
    append(service, 2)
    with collector(protocol, files.good, files.authority) as otlp:
        variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": otlp.url.removesuffix("/v1/logs"),
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_EXPORTER_OTLP_CERTIFICATE": os.fspath(files.authority),
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": os.fspath(files.client[0]),
            "OTEL_EXPORTER_OTLP_CLIENT_KEY": os.fspath(files.client[1]),
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20s3cret,x-team=search",
        }
        assert ship(root, service.folder, from_environment(variables, pytest.fail)) == (True, [])
        assert otlp.numbers(service.writer_id) == [1, 2]
        assert otlp.requests[0].headers["authorization"] == "Bearer s3cret"
        assert otlp.requests[0].headers["x-team"] == "search"


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_plain_server_behind_https_is_named(root: Path, files: Files, protocol: str) -> None:
    service = writer(root)
    append(service, 1)
    with GrpcOtlp() if protocol == "grpc" else Otlp() as otlp:
        address = otlp.url.replace("http://", "https://")
        done, said = ship(root, service.folder, Settings(endpoint=address, protocol=otlp.protocol, timeout=5.0))
    assert not done
    assert "TLS failed (" in said[0]
