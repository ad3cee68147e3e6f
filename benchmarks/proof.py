"""What the proof that nothing is missing costs an INSERT: CPU with it, beside the same INSERT without.

    python benchmarks/proof.py [--records 24000] [--rounds 31]

The proof is the view `usage_to_deliveries`: the number of each record that arrived, and a check of what the record counts. The records are as a
real service writes them, in the full requests of a shipper that has a backlog, 8,000 records each. The requests are stored again and again, in turn
with the whole proof, without its checks, and without all of it: by one statement of the engine for all of them, and by `tokentrail serve`, from each
request to its answer. Merges are held meanwhile. Goal: the proof costs at most a twentieth.

Planning a view and writing its part costs an INSERT the same however few its records are: the last lines show a request with a single usage.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

from disk import fill
from month import cpu

from tokentrail.clickhouse import sqlfiles
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.embedded.engine import Engine
from tokentrail.embedded.otlp import INSERT_SETTINGS
from tokentrail.embedded.otlp_engine import framed, insert_requests
from tokentrail.embedded.otlp_logs import EVENT_TABLE
from tokentrail.embedded.server import DATABASE, Server
from tokentrail.journal.adoption import Adopter
from tokentrail.journal.bulk import RECORDS, REQUEST_BYTES
from tokentrail.journal.exporter import Exporter, Outcome, Result
from tokentrail.journal.shipper import Shipper
from tokentrail.settings import Settings
from tokentrail.wording import counted

VIEW = "usage_to_deliveries"
CHECKS = re.compile(r"groupBitmapStateIf\(\s*seq \* 1024.*?\) AS seq_checks,", re.DOTALL)
DAYS = 3


class Kept:
    """Keeps the requests of a shipper instead of sending them."""

    max_request_bytes = REQUEST_BYTES

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    def send(self, body: bytes) -> Outcome:
        """Keeps one request."""
        self.requests.append(body)
        return Outcome(Result.ACCEPTED)


def requests_of(journal: Path) -> Sequence[bytes]:
    """The requests in which `tokentrail journal ship` sends a journal."""
    kept = Kept()
    Adopter(Shipper(journal, kept, max_records=RECORDS)).adopt_dead()
    return kept.requests


def proofs() -> Mapping[str, str]:
    """Statements that make the view, by what is left of the proof."""
    whole = sqlfiles.statements(sqlfiles.render(sqlfiles.read("definitions", VIEW), Target(DATABASE)))[0]
    unchecked, found = CHECKS.subn("", whole)
    if found != 1:
        raise SystemExit(f"{VIEW} no longer has the checks as this benchmark knows them")
    return {"without any proof": "", "without checks of what is counted": unchecked, "as it is": whole}


def run(engine: Engine, statement: str) -> None:
    """Runs a statement without an answer."""
    with engine.session(DATABASE) as session:
        session.query(statement.rstrip().rstrip(";"), "Null")


def stored(exporter: Exporter, requests: Sequence[bytes]) -> None:
    """Sends requests one after the other. Raises SystemExit if one is not accepted."""
    for request in requests:
        outcome = exporter.send(request)
        if outcome.result is not Result.ACCEPTED:
            raise SystemExit(f"a request was not stored: {outcome.reason}")


def measured(engine: Engine, store: Callable[[], None], rounds: int) -> dict[str, list[float]]:
    """CPU seconds of each `store()`; the rounds take turns, so that what else the machine does meets all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in proofs()}
    for number in range(rounds + 1):
        for name, statement in proofs().items():
            run(engine, f"DROP VIEW IF EXISTS {VIEW} SYNC")
            if statement:
                run(engine, statement)
            before = cpu()
            store()
            if number:  # the first one warms up
                seconds[name].append(cpu() - before)
    return seconds


def main() -> None:
    """Ship once, insert often, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=24_000)
    parser.add_argument("--rounds", type=int, default=31)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        fill(folder / "journal", asked.records, DAYS)
        *full, last = requests_of(folder / "journal")
        requests = full or [last]  # the last one has what is left: mostly the closing record alone
        frames = [framed(request) for request in requests]
        fill(folder / "small", 1, 1)
        single = requests_of(folder / "small")[:1]
        with Server(folder / "clickhouse", http_port=0, otlp_port=0) as server:
            run(server.engine, "SYSTEM STOP MERGES")
            exporter = Exporter(Settings().with_(endpoint=f"{server.addresses.otlp}/v1/logs", compression="none"))
            ways = {
                "one statement of the engine": lambda: insert_requests(server.engine, DATABASE, INSERT_SETTINGS, EVENT_TABLE, frames),
                f"serve, {counted(len(requests), 'request')}": lambda: stored(exporter, requests),
            }
            for way, store in ways.items():
                show(f"{asked.records:,} records by {way}, median of {asked.rounds}", measured(server.engine, store, asked.rounds), asked.records)
            show(f"one usage by serve, median of {asked.rounds}", measured(server.engine, lambda: stored(exporter, single), asked.rounds), 1)
            exporter.close()


def show(title: str, seconds: Mapping[str, Sequence[float]], records: int) -> None:
    """Prints the CPU of a record, and the ratio to the same without any proof."""
    print(title)
    base = seconds["without any proof"]
    for name, each in seconds.items():
        ratio = median(one / other for one, other in zip(each, base, strict=True))
        print(f"    {name:35} {median(each) * 1e6 / records:9.1f} µs CPU a record {ratio:7.3f} times", flush=True)


if __name__ == "__main__":
    main()
