"""What makes hundreds of calls with real SDKs in one process quick, and changes nothing that they do."""

from __future__ import annotations

import gc
import importlib
import ssl
from collections.abc import Iterator
from typing import Any

import certifi
import pytest

_DEFAULT = ssl.get_default_verify_paths()
_PLACES = (certifi.where(), _DEFAULT.openssl_cafile, _DEFAULT.openssl_capath, "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/cert.pem")
ROOTS = frozenset({None, *_PLACES})
"""Where SDKs find the certificates of the web: in certifi, or where the operating system keeps them."""


@pytest.fixture(scope="session")
def quick_sdks() -> Iterator[None]:
    """The SDKs' modules are left out of every later collection; no client reads the root certificates of the web.

    A collection of all types of three SDKs takes 0.2 s, and tests of abandoned streams ask for hundreds. Each client would read 140 certificates anew,
    which takes 0.1 s; what the clients call here is plain HTTP on loopback.
    """
    for name in ("anthropic", "cohere", "groq", "mistralai", "ollama", "openai"):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    load = ssl.SSLContext.load_verify_locations

    def load_others(context: ssl.SSLContext, cafile: Any = None, capath: Any = None, cadata: Any = None) -> None:
        if cadata is not None or not {cafile, capath} <= ROOTS:
            load(context, cafile, capath, cadata)

    ssl.SSLContext.load_verify_locations = load_others  # type: ignore[method-assign]
    yield
    ssl.SSLContext.load_verify_locations = load  # type: ignore[method-assign]
    gc.unfreeze()


@pytest.fixture(scope="module")
def quick_collections(quick_sdks: None) -> None:
    """What earlier files have left in memory is left out of this file's collections: a whole run holds twenty SDKs, and tests of abandoned streams collect."""
    gc.collect()
    gc.freeze()
