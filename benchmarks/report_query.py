"""What exactness costs: the 30-day report over the view `usage`, beside the same report over the same rows without deduplication (a wrong answer).

    python benchmarks/report_query.py --rows 10000000

Both are timed in turns within one run, in CPU seconds of this process: compare the ratio, not the seconds. 1 % of the rows arrive twice.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable

from month import END, FIRST, cpu, ledger

from tokentrail.clickhouse import sqlfiles
from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.ledger.query import read
from tokentrail.ledger.report import MEASURES

BY = "provider, model, tenant_id, day"


def without_deduplication(client: Client) -> None:
    """The same rows in a plain MergeTree, and a view on them that is `usage` but for FINAL."""
    client.command("CREATE TABLE plain_ledger AS usage_ledger ENGINE = MergeTree PARTITION BY toYYYYMM(key_ts) ORDER BY (key_ts, key_hash)")
    client.command("INSERT INTO plain_ledger SELECT * FROM usage_ledger")
    text = sqlfiles.render(sqlfiles.read("definitions", "usage"), Target("tokentrail"))
    (view,) = sqlfiles.statements(text.replace("VIEW usage\n", "VIEW plain_usage\n").replace("usage_ledger FINAL", "plain_ledger"))
    client.command(view)


def reporting(client: Client, view: str) -> Callable[[], float]:
    """The report's own query over a view; the function returns the CPU seconds that one run takes."""
    text = read("report").filled({"dimensions": f"{BY}, ", "grouping": f"GROUP BY {BY}", "order": "", "relation": view, "money": ""})
    sums = ", ".join(f"sum({name})" for name in MEASURES)
    given = read("report").given({"from": f"{FIRST:%F %T}", "to": f"{END:%F %T}"})

    def run() -> float:
        before = cpu()
        client.query(f"SELECT count(), {sums} FROM ({text})", given)
        return cpu() - before

    return run


def main() -> None:
    """Fill, time in turns, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()
    with ledger(asked.rows, prices=False) as client:
        without_deduplication(client)
        exact, wrong = reporting(client, "usage"), reporting(client, "plain_usage")
        exact(), wrong()  # once without the clock: files are read and dictionaries are warm
        pairs = [(exact(), wrong()) for _ in range(asked.rounds)]
        ((size, rows),) = client.query(
            "SELECT sum(bytes_on_disk), sum(rows) FROM system.parts WHERE active AND database = currentDatabase() AND table = 'usage_ledger'"
        ).rows
    print(f"rows {rows:,}, {size / rows:.1f} bytes a row (without trace, span and response ids)")
    print(f"exact   {statistics.median(pair[0] for pair in pairs):.2f} CPU s")
    print(f"without {statistics.median(pair[1] for pair in pairs):.2f} CPU s")
    print(f"ratio   {statistics.median(pair[0] / pair[1] for pair in pairs):.2f} (goal: at most 1.10)")


if __name__ == "__main__":
    main()
