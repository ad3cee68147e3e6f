"""What `tokentrail check` costs: the CPU seconds of each condition's question over thirty days of a ledger, with prices and two budgets.

    python benchmarks/checks.py --rows 3000000

Questions that share a part are asked as a check asks them: the first one pays for it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from month import END, cpu, ledger

from tokentrail.alerts.conditions import CONDITIONS, find
from tokentrail.alerts.once import Once
from tokentrail.budgets.files import parse as budgets
from tokentrail.budgets.store import put

BUDGETS = '[[budget]]\nname = "money"\nmoney = 1000\nper = "month"\n[[budget]]\nname = "tokens"\ntokens = 10_000_000_000\nper = "month"\n'
HEARD = """
INSERT INTO deliveries (writer_id, seqs, calls, first_heard, last_heard, service_name)
SELECT writer_id, groupBitmapState(seq), groupBitmapState(call), min(arrived_at), max(arrived_at), 'service' FROM usage_ledger GROUP BY writer_id
"""


def main() -> None:
    """Fill a ledger, ask each question twice, and print what the second answer costs."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=10_000_000)
    options.add_argument("--folder", type=Path, help="where the ledger is kept, and found again")
    asked = options.parse_args()
    rows = asked.rows
    with ledger(rows, folder=asked.folder) as client:
        put(client, budgets(BUDGETS))
        client.command(HEARD)
        whole, once = 0.0, Once(client)
        print(f"{rows:,} rows")
        for condition in CONDITIONS:
            find(client, condition, at=END)
            before = cpu()
            found = find(client, condition, at=END, once=once)
            took = cpu() - before
            whole += took
            print(f"{condition.name:20} {took:7.3f} CPU s  {len(found):4} subjects")
        print(f"{'all':20} {whole:7.3f} CPU s")


if __name__ == "__main__":
    main()
