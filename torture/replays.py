"""Everything that has landed lands again, in several ways: no total may move, not in the ledger, the sums by day, the report or the cost.

Each way is looked at twice: while the sums by day are those from before (they do not count then, for something has arrived), and when they are built
anew. What has landed just now would be an open day without sums, so arrivals are moved into the past by hand: by three hours, or by a month.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal
from typing import Any, Final

from tokentrail.clickhouse.client import Client, connect
from tokentrail.ledger.query import answer
from tokentrail.ledger.report import ask, days_from_sums
from tokentrail.ledger.rollup import different_days, refresh
from tokentrail.prices.price import Price, PriceList
from tokentrail.prices.store import load
from torture.stage import Stage

__all__ = ["replay"]

LANDED: Final = "* EXCEPT (arrived_at)"
REPLAY: Final = f"INSERT INTO usage_landing ({LANDED}) SELECT {LANDED} FROM (SELECT DISTINCT {LANDED} FROM usage_landing)"
SHUFFLED: Final = f"{REPLAY} ORDER BY rand()"
SMALL_BATCHES: Final = "max_block_size = 37, min_insert_block_size_rows = 37, min_insert_block_size_bytes = 0, max_insert_threads = 1"
WAYS: Final[dict[str, tuple[str, Sequence[str]]]] = {
    "thrice": ("3 HOUR", [REPLAY] * 3),
    "shuffled": ("3 HOUR", [SHUFFLED]),
    "in other batches": ("3 HOUR", [f"{SHUFFLED} SETTINGS {SMALL_BATCHES}"]),
    "a month later": ("1 MONTH", [REPLAY]),
}
"""How long ago all that came before has arrived, and the statements."""
PRICES: Final = PriceList("own", (Price("openai", "gpt", ("gpt-4o-mini.*",), {"input": [(-1, Decimal(2))], "output": [(-1, Decimal(3))]}),))
BY: Final = ["tenant_id", "model", "day"]
FROM_THE_LEDGER: Final = {"timezone": "Etc/UTC"}
"""The same hours as UTC by a name that no sums are kept for."""


def replay(stage: Stage) -> None:
    """Lands everything again in each way, and looks whether a total moves."""
    with closing(connect(f"{stage.store.url}/tokentrail")) as client:
        load(client, PRICES)
        let_pass(client, "3 HOUR")
        refresh(client)
        before, days = totals(client), days_from_sums(client, BY, {}, cost=True)
        stage.outcome.notes.append(f"{days} days had sums when all of it landed again {', '.join(WAYS)}; cost {before['cost'][0][1]}")
        if not days:
            stage.outcome.fail("no day had sums when everything landed again")
        for how, (past, statements) in WAYS.items():
            let_pass(client, past)
            for statement in statements:
                client.command(statement)
            compare(stage, f"landed again {how}", before, totals(client))
            let_pass(client, "3 HOUR")
            refresh(client)
            compare(stage, f"landed again {how}, sums built anew", before, totals(client))
            built = days_from_sums(client, BY, {}, cost=True)
            if built != days or different_days(client):
                stage.outcome.fail(f"landed again {how}: {built} of {days} days have sums, and of other totals {different_days(client)}")
            stage.say(f"landed again {how}: {before['ledger'][0][0]} rows, {built} days with sums, cost {before['cost'][0][1]}")


def totals(client: Client) -> dict[str, Any]:
    """Returns all totals by what they are of."""
    return {
        "ledger": client.query("SELECT count(), sum(calls), sum(input_tokens), sum(output_tokens), uniqExact(idempotency_key) FROM usage").rows,
        "days": answer(client, "tokens_over_time", {"step": "day"}).rows,
        "days of the ledger": answer(client, "tokens_over_time", {"step": "day", **FROM_THE_LEDGER}).rows,
        "report": ask(client, BY, {}, cost=True).dicts(),
        "report of the ledger": ask(client, BY, FROM_THE_LEDGER, cost=True).dicts(),
        "cost": client.query("SELECT count(), sum(cost) FROM usage_cost").rows,
    }


def compare(stage: Stage, how: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Notes each total that has moved, and sums that are not the ledger's."""
    for what, total in after.items():
        if total != before[what]:
            stage.outcome.fail(f"{how}: {what} was {before[what][:2]} and is {total[:2]}")
    for what in ("days", "report"):
        if after[what] != after[f"{what} of the ledger"]:
            stage.outcome.fail(f"{how}: {what} with sums is not that of the ledger")


def let_pass(client: Client, time: str) -> None:
    """Moves all arrivals and builds so far into the past."""
    client.command(f"ALTER TABLE usage_ledger UPDATE arrived_at = arrived_at - INTERVAL {time} WHERE 1 SETTINGS mutations_sync = 2")
    last = client.query("SELECT max(built_at) FROM usage_day_builds").rows[0][0]
    client.command(f"INSERT INTO usage_day_builds SELECT * REPLACE (built_at - INTERVAL {time} AS built_at) FROM usage_day_builds")
    client.command(
        f"ALTER TABLE usage_day_builds DELETE WHERE built_at > toDateTime64('{last}', 3, 'UTC') - INTERVAL {time} SETTINGS mutations_sync = 2"
    )
