"""What `tokentrail check` costs: the seconds of each condition's question over thirty days of a ledger.

python benchmarks/checks.py --rows 10000000
"""

from __future__ import annotations

import argparse
import time

from month import END, ledger

from tokentrail.alerts.conditions import CONDITIONS, find


def main() -> None:
    """Fill a ledger, ask each question twice, and print the second answer's time."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=10_000_000)
    rows = options.parse_args().rows
    with ledger(rows) as client:
        whole = 0.0
        print(f"{rows:,} rows")
        for condition in CONDITIONS:
            find(client, condition, at=END)
            began = time.perf_counter()
            found = find(client, condition, at=END)
            took = time.perf_counter() - began
            whole += took
            print(f"{condition.name:20} {took:7.3f} s  {len(found):4} subjects")
        print(f"{'all':20} {whole:7.3f} s")


if __name__ == "__main__":
    main()
