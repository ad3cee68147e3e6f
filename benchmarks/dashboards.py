"""How long the panels and lists of dashboards take, each by itself, over 30 days of a ledger with 1 % copies.

    python benchmarks/dashboards.py --rows 10000000 --of overview

The statements are those of the exported files, with All everywhere; Grafana sends several at once, which share the processors. A title behind which
several times stand has several panels.
"""

from __future__ import annotations

import argparse
import re
import statistics
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from month import DAY, DAYS, START, ledger

from tokentrail.clickhouse.client import Client
from tokentrail.grafana.board import board_json
from tokentrail.grafana.boards import BOARDS

VALUES = {"step": "auto", "by": "provider", "__timezone": "utc", "trace": ""}
ALL = "%2A"


def statements(dashboard: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The title and statement of each list and panel, as the backend gets it."""
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield f"list of {variable['name']}s", expanded(variable["query"]["rawSql"])
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], expanded(target["rawSql"])


def expanded(sql: str) -> str:
    """The statement with All everywhere, over the 30 days."""
    start = START // 10**6
    sql = sql.replace("$__fromTime_ms", f"fromUnixTimestamp64Milli({start})")
    sql = sql.replace("$__toTime_ms", f"fromUnixTimestamp64Milli({start + DAYS * DAY // 10**6})")
    return re.sub(r"\$\{(\w+):percentencode\}", lambda match: VALUES.get(match[1], ALL), sql)


def milliseconds(client: Client, sql: str, rounds: int) -> float:
    """The median of some runs, after one that warms."""
    taken = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        client.query(sql)
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken[1:])


def main() -> None:
    """Fill, time one after the other, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = [board.uid.removeprefix("tokentrail-") for board in BOARDS]
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--of", default="overview", choices=known, metavar="DASHBOARD", help=", ".join(known))
    parser.add_argument("--folder", type=Path, help="where the ledger is kept, and found again")
    asked = parser.parse_args()
    with ledger(asked.rows, folder=asked.folder) as client:
        for board in BOARDS:
            if board.uid.removeprefix("tokentrail-") == asked.of:
                print(f"{board.title}, {asked.rows:,} rows")
                found = [(milliseconds(client, sql, asked.rounds), title) for title, sql in statements(board_json(board))]
                for taken, title in found:
                    print(f"{taken:8,.0f} ms  {title}")
                print(f"{max(found)[0]:8,.0f} ms  at most (goal: 1,000 ms over 10,000,000 rows on two cores)")


if __name__ == "__main__":
    main()
