"""What the proof that nothing is missing costs an INSERT: CPU with it, beside the same INSERT without.

    python benchmarks/proof.py [--records 10000] [--rounds 15]

The proof is the view `usage_to_deliveries`: the number of each record that arrived, and a check of what the record counts. The records are as a
real service writes them, shipped once to `tokentrail serve`; then the same rows are inserted into the landing table again and again, in turn with
the whole proof, without its checks, and without all of it. Merges are held meanwhile. Goal: the proof costs at most a twentieth of an INSERT.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from disk import fill
from month import cpu
from pipeline import ship

from tokentrail.clickhouse import sqlfiles
from tokentrail.clickhouse.client import Client, connect
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.embedded.process import ServerProcess

VIEW = "usage_to_deliveries"
CHECKS = re.compile(r"groupBitmapStateIf\(\s*seq \* 4096.*?\) AS checks,", re.DOTALL)
DAYS = 3


def proofs() -> Mapping[str, str]:
    """Statements that make the view, by what is left of the proof."""
    whole = sqlfiles.render(sqlfiles.read("definitions", VIEW), Target("tokentrail"))
    unchecked, found = CHECKS.subn("", whole)
    if found != 1:
        raise SystemExit(f"{VIEW} no longer has the checks as this benchmark knows them")
    return {"without any proof": "", "without checks of what is counted": unchecked, "as it is": whole}


def measured(client: Client, rounds: int) -> dict[str, list[float]]:
    """CPU seconds of each INSERT; the rounds take turns, so that what else the machine does meets all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in proofs()}
    client.command("SYSTEM STOP MERGES")
    for number in range(rounds + 1):
        for name, statement in proofs().items():
            client.command(f"DROP VIEW IF EXISTS {VIEW} SYNC")
            if statement:
                client.command(statement.rstrip().rstrip(";"))
            before = cpu()
            client.command("INSERT INTO usage_landing SELECT * FROM same_records")
            if number:  # the first one warms up
                seconds[name].append(cpu() - before)
    return seconds


def main() -> None:
    """Ship once, insert often, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=15)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        fill(folder / "journal", asked.records, DAYS)
        with ServerProcess.started(folder / "clickhouse") as server:
            ship(folder / "journal", server.addresses.otlp)
        client = connect(f"chdb://{folder / 'clickhouse'}")
        try:
            client.command("CREATE TABLE same_records ENGINE = Memory AS SELECT * FROM usage_landing")
            ((records,),) = client.query("SELECT count() FROM same_records").rows
            seconds = measured(client, asked.rounds)
        finally:
            client.close()
    base = seconds["without any proof"]
    print(f"an INSERT of {records:,} records, median of {asked.rounds}")
    for name, each in seconds.items():
        ratio = median(one / other for one, other in zip(each, base, strict=True))
        print(f"{name:35} {median(each) * 1e6 / int(records):7.1f} µs CPU a record {ratio:7.3f} times")


if __name__ == "__main__":
    main()
