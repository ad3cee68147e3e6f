"""`tokentrail serve` keeps the rules of retention by itself, with the sums by day."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.ledger_rows import closing, usage
from tests.support.waiting import wait_until
from tokentrail.clickhouse.client import connect
from tokentrail.embedded.process import ServerProcess
from tokentrail.embedded.rollups import refreshing
from tokentrail.ledger.retention import Rule, set_rule
from tokentrail.ledger.verify import verify


def test_a_rule_is_kept_without_a_command(start: Callable[..., ServerProcess]) -> None:
    server = start()
    client = connect(server.addresses.dsn)
    client.insert_json("usage_landing", [usage(seq=1, tenant="old"), usage(seq=2, tenant="kept"), closing(2)])
    set_rule(client, Rule("old", 1, keep_sums=False))
    with refreshing(server.addresses.dsn, 0.2):
        wait_until(lambda: client.query("SELECT tenant_id FROM usage").rows == [("kept",)], "what has expired is gone", deadline_s=120)
    assert verify(client).findings == []
    client.close()
