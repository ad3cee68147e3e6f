"""What the pages take: `report --html` over all rows, and a renewal of `/dashboard`, over the calls of `month.py`.

    python benchmarks/pages.py --rows 10000000

Seconds by the clock, and processor seconds of this process, in which the engine runs. `--without-prices` asks nothing about money.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from month import END, FIRST, cpu, ledger

from tokentrail.clickhouse.client import Client
from tokentrail.pages.documents import Filters, dashboard, fragment
from tokentrail.pages.facts import Wanted, collect
from tokentrail.pages.report import write_report
from tokentrail.pages.selection import Selection, of_texts

MONTH = Selection(f"{FIRST:%F %T}.000000", f"{END:%F %T}.000000")


def timed(work: Callable[[], object], rounds: int) -> str:
    """The medians of some runs: seconds by the clock and of processors."""
    took = []
    for _ in range(rounds):
        before, began = cpu(), time.monotonic()
        work()
        took.append((time.monotonic() - began, cpu() - before))
    return f"{statistics.median(clock for clock, _ in took):6.2f} s by the clock {statistics.median(used for _, used in took):6.2f} CPU s"


def renewing(client: Client, query: dict[str, str], wanted: Wanted) -> Callable[[], str]:
    """A renewal of the dashboard, from the questions to the HTML."""

    def renew() -> str:
        facts = collect(client, of_texts(query, END), END, wanted)
        return dashboard(facts, Filters(query, {})) if wanted is Wanted.DASHBOARD else fragment(facts, Filters(query, {}))

    return renew


def main() -> None:
    """Fill, time, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without-prices", action="store_true")
    parser.add_argument("--folder", type=Path, help="where the ledger is kept, and found again")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made, ledger(asked.rows, prices=not asked.without_prices, folder=asked.folder) as client:
        page = Path(made) / "report.html"
        print(f"rows {asked.rows:,}, {'without' if asked.without_prices else 'with'} prices")
        write_report(client, page, MONTH)  # once without the clock
        print(
            f"report --html, 30 days            {timed(lambda: write_report(client, page, MONTH), asked.rounds)}, {page.stat().st_size / 1000:.0f} kB"
        )
        for words in ("24h", "30d"):
            for wanted in (Wanted.NOW, Wanted.PARTS, Wanted.DASHBOARD):
                name = {Wanted.NOW: "renewal of /dashboard", Wanted.PARTS: "its parts, twice a minute", Wanted.DASHBOARD: "the whole page"}[wanted]
                print(f"{name + ', ' + words:33} {timed(renewing(client, {'from': words}, wanted), asked.rounds)}")


if __name__ == "__main__":
    main()
