"""A tenant's name may hold tabs, line ends, colons and blanks: what a process writes, and what the tests' rows say, arrives under this name."""

from __future__ import annotations

from tests.support.ledger_rows import Land, usage
from tokentrail.clickhouse.client import Client

NAMES = ("\tacme", "a\tb", "\nacme", "acme\r", " acme", "acme:eu", "100 %", "señor 日本", "\x00", "\u202e")


def test_a_name_of_any_characters_is_one_tenant(database: Client, land: Land) -> None:
    land(*(usage(seq=number, tenant=name) for number, name in enumerate(NAMES, 1)))
    assert dict(database.query("SELECT tenant_id, calls FROM usage").rows) == dict.fromkeys(NAMES, 1)
    assert database.query("SELECT count() FROM quarantine").rows == [(0,)]
