"""Whatever the order, the batches and the repetitions: the same records give the same ledger, and what the rules of the keys say by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.ledger_rows import START_NS, Row, claimed, usage
from tokentrail.clickhouse.client import Client, connect
from tokentrail.clickhouse.migrate import migrate
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.ledger.verify import verify

RANKS = ("unknown", "estimated", "reported")
TABLES = ("usage_landing", "usage_ledger", "key_conflicts", "deliveries", "quarantine")


@dataclass(frozen=True)
class Said:
    """A record of the model: its identity is the writer and call, or the claimed key."""

    by: str
    seq: int
    call: int
    key: str
    rank: int
    tokens: int
    later: int
    tenant: str

    @property
    def identity(self) -> tuple[str, ...]:
        return (self.key,) if self.key else (self.by, str(self.call))

    def row(self) -> Row:
        fields = {"by": self.by, "seq": self.seq, "source": RANKS[self.rank], "input_tokens": self.tokens, "output_tokens": 1, "tenant": self.tenant}
        if self.key:
            return claimed(self.key, ts=START_NS + self.later * 10**9, **fields)
        return usage(
            call=self.call, key=f"chat:acme:{'c' * 32}:{START_NS + self.call}", key_time=START_NS + self.call, ts=START_NS + self.call, **fields
        )


records = st.builds(
    Said,
    by=st.sampled_from(["w1", "w2"]),
    seq=st.integers(1, 9),
    call=st.integers(1, 4),
    key=st.sampled_from(["", "", "k1", "k2"]),
    rank=st.integers(0, 2),
    tokens=st.integers(-3, 5),
    later=st.integers(-40, 40),
    tenant=st.sampled_from(["acme", "umbrella"]),
)


@pytest.fixture(scope="module")
def emptied(engine_dsn: str) -> Iterator[Client]:
    client = connect(engine_dsn, create=True)
    migrate(client, Target("orders"))
    yield client
    client.close()


def ledger(client: Client, batches: list[list[Row]]) -> list[tuple[object, ...]]:
    for table in TABLES:
        client.command(f"TRUNCATE TABLE {table}")
    for batch in batches:
        client.insert_json("usage_landing", batch)
    return client.query(
        "SELECT idempotency_key, writer_id, seq, calls, input_tokens, source, tenant_id, ts FROM usage ORDER BY ALL",
    ).rows


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=st.lists(records, min_size=1, max_size=12), data=st.data())
def test_the_same_records_give_the_same_ledger(emptied: Client, said: list[Said], data: st.DataObject) -> None:
    rows = [each.row() for each in said]
    first = ledger(emptied, [rows])
    repeated = data.draw(st.permutations(rows + data.draw(st.lists(st.sampled_from(rows), max_size=4))))
    cut = data.draw(st.integers(0, len(repeated)))
    assert ledger(emptied, [batch for batch in (repeated[:cut], repeated[cut:]) if batch]) == first
    assert len(first) == len({each.identity for each in said})
    best: dict[tuple[str, ...], int] = {}
    for each in said:
        best[each.identity] = max(best.get(each.identity, 0), each.rank)
    assert sorted(RANKS.index(str(row[5])) for row in first) == sorted(best.values())
    verification = verify(emptied)
    assert (verification.lost_keys, [writer.lost_calls for writer in verification.writers if writer.lost_calls]) == ([], [])
    contested = {
        said_key.key for said_key in said if said_key.key and len({o.tokens for o in said if (o.key, o.rank) == (said_key.key, said_key.rank)}) > 1
    }
    assert {conflict["key"] for conflict in verification.conflicts} == contested
