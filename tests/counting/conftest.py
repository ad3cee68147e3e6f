"""What the counting tests share: no network, and vocabularies that are looked for anew."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tokentrail.counting import vocabularies


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


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
