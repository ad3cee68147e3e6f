"""What a month's report costs with the sums by day, beside the same report from the ledger: the numbers are compared too.

    python benchmarks/rollup.py --rows 10000000

Over the calls of `month.py`, in CPU seconds of this process, in which the engine runs, in turns within one run: the days
that are over, and up to now. The present day is not summed: a report reads it from the ledger.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from datetime import timedelta
from itertools import product
from pathlib import Path

from month import END, FIRST, cpu, ledger

from tokentrail.ledger.query import read
from tokentrail.ledger.report import ask

UP_TO_NOW = {"from": f"{FIRST:%F %T}", "to": f"{END:%F %T}"}
OVER = UP_TO_NOW | {"to": f"{END - timedelta(days=1):%F %T}"}
SAME_ZONE_WITHOUT_SUMS = "Etc/UTC"
Rows = list[list[object]]
REPORTS = (
    ("tokens by provider", ["provider"], False),
    ("tokens by tenant and model", ["tenant_id", "model"], False),
    ("tokens by tenant, model and day", ["tenant_id", "model", "day"], False),
    ("costs by provider", ["provider"], True),
    ("costs by tenant and model", ["tenant_id", "model"], True),
)


def costs(work: Callable[[], object]) -> float:
    """CPU seconds of one run."""
    before = cpu()
    work()
    return cpu() - before


def main() -> None:
    """Fill, compare, time in turns, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the ledger is kept, and found again")
    asked = parser.parse_args()
    with ledger(asked.rows, folder=asked.folder) as client:
        print(f"{asked.rows:,} rows                                        sums    ledger")
        for (title, by, with_costs), (range_of, bounds) in product(REPORTS, (("days that are over", OVER), ("up to now", UP_TO_NOW))):

            def from_sums(by: list[str] = by, with_costs: bool = with_costs, bounds: dict[str, str] = bounds) -> Rows:
                return ask(client, by, bounds, cost=with_costs).rows

            def from_ledger(by: list[str] = by, with_costs: bool = with_costs, bounds: dict[str, str] = bounds) -> Rows:
                return ask(client, by, {**bounds, "timezone": SAME_ZONE_WITHOUT_SUMS}, cost=with_costs).rows

            if from_sums() != from_ledger():
                raise SystemExit(f"{title}: the sums say something else than the ledger")
            pairs = [(costs(from_sums), costs(from_ledger)) for _ in range(asked.rounds)]
            one, other = (statistics.median(pair[place] for pair in pairs) for place in (0, 1))
            ratio = statistics.median(pair[1] / pair[0] for pair in pairs)
            print(f"{title + ', ' + range_of:52} {one:5.2f} s {other:7.2f} s {ratio:6.1f} times cheaper")
        question = read("tokens")
        plan = min(costs(lambda: client.query("EXPLAIN " + question.filled(), question.given(UP_TO_NOW))) for _ in range(asked.rounds))
        print(f"to plan a question that reads both, which no sum shortens: {plan:.2f} s")


if __name__ == "__main__":
    main()
