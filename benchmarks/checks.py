"""What `tokentrail check` costs: the CPU seconds of each condition's question over thirty days of a ledger, with prices and two budgets.

    python benchmarks/checks.py --rows 3000000

Questions that share a part are asked as a check asks them: the first one pays for it.
"""

from __future__ import annotations

import argparse
import tempfile
from datetime import datetime, timedelta, timezone

from report_query import START, cpu, fill

from tokentrail.alerts.conditions import CONDITIONS, find
from tokentrail.alerts.once import Once
from tokentrail.budgets.files import parse as budgets
from tokentrail.budgets.store import put
from tokentrail.clickhouse.client import connect
from tokentrail.clickhouse.migrate import migrate
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.ledger.rollup import refresh
from tokentrail.prices.files import parse as prices
from tokentrail.prices.store import load

BUDGETS = '[[budget]]\nname = "money"\nmoney = 1000\nper = "month"\n[[budget]]\nname = "tokens"\ntokens = 10_000_000_000\nper = "month"\n'
PRICE = '[[price]]\nprovider = "provider-{}"\nmodel = "*"\ninput = 1\noutput = 2\n'
HEARD = """
INSERT INTO deliveries (writer_id, seqs, calls, first_heard, last_heard, service_name)
SELECT writer_id, groupBitmapState(seq), groupBitmapState(call), min(arrived_at), max(arrived_at), 'service' FROM usage_ledger GROUP BY writer_id
"""


def main() -> None:
    """Fill a ledger, ask each question twice, and print what the second answer costs."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=10_000_000)
    rows = options.parse_args().rows
    at = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=START // 1000) + timedelta(days=30)
    with tempfile.TemporaryDirectory() as folder:
        client = connect(f"chdb://{folder}/engine", create=True)
        migrate(client, Target("tokentrail"))
        client.use("tokentrail")
        fill(client, rows)
        load(client, prices("".join(PRICE.format(number) for number in range(8))))
        put(client, budgets(BUDGETS))
        client.command(HEARD)
        refresh(client)
        whole, once = 0.0, Once(client)
        print(f"{rows:,} rows")
        for condition in CONDITIONS:
            find(client, condition, at=at)
            before = cpu()
            found = find(client, condition, at=at, once=once)
            took = cpu() - before
            whole += took
            print(f"{condition.name:20} {took:7.3f} CPU s  {len(found):4} subjects")
        print(f"{'all':20} {whole:7.3f} CPU s")
        client.close()


if __name__ == "__main__":
    main()
