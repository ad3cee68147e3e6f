"""A DSN with https: the authority is checked, and what is wrong is one sentence. TLS ends in front of a real server, as at a proxy."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.authorities import Authority
from tokentrail.clickhouse.client import ClickHouseError, connect
from tokentrail.embedded.server import Addresses


@contextmanager
def proxy(target: str, shown: tuple[Path, Path]) -> Iterator[int]:
    """Ends TLS with a certificate, and passes the bytes on; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*shown)
    listening = socket.create_server(("127.0.0.1", 0))
    address = urlsplit(target)

    def pump(source: socket.socket, to: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(65536):
                to.sendall(piece)
        for each in (source, to):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def serve() -> None:
        with suppress(OSError):
            while True:
                plain, _ = listening.accept()
                with suppress(OSError):
                    outer = context.wrap_socket(plain, server_side=True)
                    inner = socket.create_connection((address.hostname, address.port))
                    for pair in ((outer, inner), (inner, outer)):
                        threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield int(listening.getsockname()[1])
    finally:
        listening.close()


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Authority]:
    folder = tmp_path_factory.mktemp("authorities")
    return Authority(folder, "ours"), Authority(folder, "others")


def test_a_certificate_of_the_stated_authority_is_trusted(server: Addresses, authorities: tuple[Authority, Authority]) -> None:
    ours, _ = authorities
    with proxy(server.http, ours.signed("good")) as port:
        client = connect(f"https://127.0.0.1:{port}/tokentrail?ca_cert={ours.certificate}")
        assert client.query("SELECT 1").rows == [[1]] or client.query("SELECT 1").rows == [(1,)]
        client.close()


@pytest.mark.parametrize("case", ["another authority", "expired", "another host"])
def test_what_is_wrong_is_one_sentence(server: Addresses, authorities: tuple[Authority, Authority], case: str) -> None:
    ours, others = authorities
    shown = ours.signed("shown", expired=case == "expired", host="clickhouse.example" if case == "another host" else "127.0.0.1")
    trusted = others if case == "another authority" else ours
    with proxy(server.http, shown) as port, pytest.raises(ClickHouseError) as caught:
        connect(f"https://someone:s3cret@127.0.0.1:{port}/tokentrail?ca_cert={trusted.certificate}")
    said = str(caught.value)
    assert said.startswith(f"no TLS connection to https://127.0.0.1:{port}/tokentrail: ")
    assert {"another authority": "certificate verify failed", "expired": "has expired", "another host": "not valid for '127.0.0.1'"}[case] in said
    assert "s3cret" not in said
    assert "\n" not in said
