"""What `tokentrail check` costs: the seconds of each condition's question over thirty days of a ledger.

python benchmarks/checks.py --rows 10000000
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import datetime, timedelta, timezone

from report_query import START, fill

from tokentrail.alerts.conditions import CONDITIONS, find
from tokentrail.clickhouse.client import connect
from tokentrail.clickhouse.migrate import migrate
from tokentrail.clickhouse.sqlfiles import Target


def main() -> None:
    """Fill a ledger, ask each question twice, and print the second answer's time."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=10_000_000)
    rows = options.parse_args().rows
    at = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=START // 1000) + timedelta(days=30)
    with tempfile.TemporaryDirectory() as folder:
        client = connect(f"chdb://{folder}/engine", create=True)
        migrate(client, Target("tokentrail"))
        client.use("tokentrail")
        fill(client, rows)
        whole = 0.0
        print(f"{rows:,} rows")
        for condition in CONDITIONS:
            find(client, condition, at=at)
            began = time.perf_counter()
            found = find(client, condition, at=at)
            took = time.perf_counter() - began
            whole += took
            print(f"{condition.name:20} {took:7.3f} s  {len(found):4} subjects")
        print(f"{'all':20} {whole:7.3f} s")
        client.close()


if __name__ == "__main__":
    main()
