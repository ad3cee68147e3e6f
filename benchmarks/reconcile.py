"""What a round of `tokentrail reconcile` takes over a month: a bill by day, model and key beside the ledger, with the sums by day and without them.

    python benchmarks/reconcile.py --rows 10000000

Over the calls of `month.py`. The bill is made of the ledger's own sums, with a difference in every hundredth line; each of its lines is divided into
four keys. Goal: at most 10 s a round.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

from month import END, FIRST, cpu, ledger

from tokentrail.bills.line import BillLine
from tokentrail.clickhouse.client import Client
from tokentrail.ledger.report import report
from tokentrail.reconciling.cells import Range
from tokentrail.reconciling.counted import Sides
from tokentrail.reconciling.rounds import reconcile_bill
from tokentrail.reconciling.tolerance import DEFAULT, parse

KEYS = 4


def bill(client: Client, *, cost: bool) -> list[BillLine]:
    """The lines of a bill about all providers of the ledger."""
    rows = report(client, ["day", "provider", "response_model"], start=f"{FIRST:%F %T}", end=f"{END:%F %T}", cost=cost)
    return [line for number, row in enumerate(rows) for line in _lines(number, row, cost=cost)]


def _lines(number: int, row: dict[str, object], *, cost: bool) -> Iterator[BillLine]:
    day = datetime.strptime(str(row["day"]), "%Y-%m-%d").replace(tzinfo=timezone.utc)
    place = {"starts": day, "ends": day + timedelta(days=1), "provider": str(row["provider"]), "model": str(row["response_model"])}
    if cost:
        yield BillLine("costs", **place, cost=Decimal(str(row["cost"])), currency="USD")
        return
    wrong = 1_000_000 if number % 100 == 0 else 0
    for key in range(KEYS):
        first = key == 0
        counts = {name: int(str(row[name])) // KEYS + (int(str(row[name])) % KEYS + wrong) * first for name in ("input_tokens", "output_tokens")}
        calls = int(str(row["calls"]))
        yield BillLine("usage", **place, api_key=f"key_{key}", requests=calls // KEYS + calls % KEYS * first, counts=counts)


def timed(client: Client, title: str, lines: list[BillLine], sides: Sides) -> None:
    """Do a round and print what it took and found."""
    began, before = time.monotonic(), cpu()
    outcome = reconcile_bill(client, lines, sides, parse(DEFAULT), Range(FIRST, END))
    print(
        f"{title:44} {time.monotonic() - began:6.2f} s, {cpu() - before:6.2f} s of CPU: {len(lines):,} lines, {outcome.cells:,} cells, "
        f"{len(outcome.open):,} open findings",
        flush=True,
    )


def main() -> None:
    """Fill, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where the ledger is kept, and found again")
    asked = parser.parse_args()
    with ledger(asked.rows, folder=asked.folder) as client:
        usage, costs = bill(client, cost=False), bill(client, cost=True)
        print(f"{asked.rows:,} rows in {(END - FIRST).days} days")
        timed(client, "tokens and requests, sums by day", usage, Sides())
        timed(client, "costs, sums by day", costs, Sides())
        timed(client, "tokens and requests, from the ledger alone", usage, Sides(where=["key_kind=automatic", "operation_id="]))
        timed(client, "costs, from the ledger alone", costs, Sides(where=["operation_id="]))


if __name__ == "__main__":
    main()
