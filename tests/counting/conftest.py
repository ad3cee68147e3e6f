"""What the counting tests share: no network, and vocabularies that are looked for anew."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tokentrail.counting import vocabularies

HERE = {"localhost", "127.0.0.1", "::1", None}


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No address but this machine's own is resolved or connected to; whoever tries is named at the test's end, even if it swallowed the error."""
    touched: list[object] = []

    def guarded(real: Callable[..., Any], host_of: Callable[..., object]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            host = host_of(*args)
            if host not in HERE:
                touched.append(host)
                raise OSError(f"the network was touched: {host}")
            return real(*args, **kwargs)

        return call

    monkeypatch.setattr(socket.socket, "connect", guarded(socket.socket.connect, lambda _, to: to[0] if isinstance(to, tuple) else None))
    monkeypatch.setattr(socket, "getaddrinfo", guarded(socket.getaddrinfo, lambda host, *_: host))
    yield
    assert touched == []


@pytest.fixture
def fresh_vocabularies(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Vocabularies are looked for again, before and after; the caller's cache folders are out of sight."""
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    monkeypatch.delenv("DATA_GYM_CACHE_DIR", raising=False)
    vocabularies.forget()
    yield
    vocabularies.forget()


@pytest.fixture
def no_data_package(fresh_vocabularies: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without `tokenizers-offline`'s data."""
    monkeypatch.setattr(vocabularies, "DATA_PACKAGE", "tokentrail-no-such-package")
