from __future__ import annotations

import pytest

from tests.support.collector import World
from tests.support.otlp import Writer, post
from tests.support.waiting import wait_until
from tokentrail.local.child import StartFailed


def test_second_gateway_on_the_same_folder_is_refused_and_the_first_goes_on(world: World) -> None:
    store = world.store()
    first = world.gateway(store)
    with pytest.raises(StartFailed, match="timeout"):
        world.gateway(store, overrides=("extensions::file_storage/ledger::timeout: 1s", "extensions::file_storage/telemetry::timeout: 1s"))
    writer = Writer()
    assert post(first.otlp_http_url, "logs", writer.request(10)) == 200
    wait_until(lambda: store.number("SELECT count() FROM usage_landing") == 10, "ten events")
