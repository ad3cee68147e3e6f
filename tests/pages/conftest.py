"""A browser for all tests of a file's folder, and two served ledgers: one as somebody's would be, one with hostile names."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from tests.pages.hostile import HOSTILE
from tests.support import chromium
from tests.support.example_ledger import example_rows
from tests.support.ledger_rows import closing, usage
from tokentrail.clickhouse.client import connect
from tokentrail.embedded.process import ServerProcess
from tokentrail.embedded.server import Addresses
from tokentrail.prices.files import parse
from tokentrail.prices.store import load

if TYPE_CHECKING:
    from playwright.sync_api import Browser

END = datetime(2026, 11, 20, tzinfo=timezone.utc)
PRICES = """
[[price]]
provider = "openai"
model = "gpt-5*"
input = "1.25"
output = "10"

[[price]]
provider = "anthropic"
model = "*"
currency = "EUR"
input = "3"
output = "15"
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for a file's tests. Playwright keeps an event loop in this thread while the browser is open: later files want loops of their own."""
    with chromium.browser() as found:
        yield found


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    """A month of a made-up company, with prices in two currencies."""
    with ServerProcess.started(tmp_path_factory.mktemp("served")) as server:
        client = connect(server.addresses.dsn)
        client.insert_json("usage_landing", example_rows(END, calls=1500))
        load(client, parse(PRICES))
        client.close()
        yield server.addresses


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    """Every hostile name as a tenant, an operation, a provider, a model, a service, an operation id and an error."""
    now = datetime.now(timezone.utc) - timedelta(minutes=5)
    with ServerProcess.started(tmp_path_factory.mktemp("hostile")) as server:
        client = connect(server.addresses.dsn)
        rows = []
        for number, name in enumerate(HOSTILE, start=1):
            short = name[:1000]  # a record of more than 64 KiB is put in quarantine
            named = {"provider": name, "request_model": name, "response_model": name, "operation_id": short, "error_type": short, "ended": "error"}
            row = usage(
                seq=number, ts=int(now.timestamp()) * 10**9 + number, tenant=name, operation=name, key=f"key-{number}", kind="opaque", more=named
            )
            rows.append(row | {"ServiceName": name, "ResourceAttributes": {"service.name": name}})
        client.insert_json("usage_landing", [*rows, closing(len(rows))])
        assert client.query("SELECT count() FROM usage").rows == [(len(HOSTILE),)]
        client.close()
        yield server.addresses
