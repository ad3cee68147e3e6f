"""What a usage takes on disk: in the journal, in each table of ClickHouse, and in the sums by day.

    python benchmarks/disk.py [--events 200000] [--days 30]

Events as a real service writes them, with keys, trace and response ids of their own, 50 tenants, counts that differ. They go straight to the OTLP
receiver of `tokentrail serve`; then the tables are merged, as they are by themselves in time, and the sums by day are built. Metrics, spans and
application logs are not counted.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import tempfile
import time
from pathlib import Path

import msgspec
from event import USAGE
from pipeline import ship

from tokentrail.clickhouse.client import connect
from tokentrail.embedded.process import ServerProcess
from tokentrail.idempotency import digest
from tokentrail.journal.records import encode
from tokentrail.journal.writer import Writer
from tokentrail.ledger.rollup import refresh

DAY_NS = 86_400 * 10**9
TABLES = ("usage_landing", "usage_ledger", "deliveries")
ARRIVED_EARLIER = "ALTER TABLE usage_ledger UPDATE arrived_at = arrived_at - toIntervalHour(2) WHERE true SETTINGS mutations_sync = 1"


def fill(journal: Path, events: int, days: int) -> None:
    """A closed journal with so many events of so many days, the latest a day ago."""
    chance = random.Random(7)
    writer = Writer(journal, {"service.name": "bench"}, segment_bytes=8 * 2**20, max_bytes=2**40)
    began = time.time_ns() - (days + 1) * DAY_NS
    for number in range(events):
        ts = began + number * days * DAY_NS // events + chance.randrange(10**6)
        tenant = f"tenant-{chance.randrange(50)}"
        sent, answered = int(chance.lognormvariate(7, 1)), int(chance.lognormvariate(6, 1))
        usage = msgspec.structs.replace(
            USAGE,
            key=f"query:{tenant}:{digest([str(number)])}:{ts:019d}",
            key_time=ts,
            ts=ts,
            tenant_id=tenant,
            operation="query",
            operation_id=f"{chance.getrandbits(64):016x}",
            trace_id=f"{chance.getrandbits(128):032x}",
            span_id=f"{chance.getrandbits(64):016x}",
            response_id=f"chatcmpl-{chance.getrandbits(116):029x}",
            duration_ns=int(chance.lognormvariate(20, 1)),
            input_tokens=sent,
            output_tokens=answered,
            cache_read_tokens=sent // 3,
            reasoning_tokens=answered // 4,
            input_chars=sent * 4,
            output_chars=answered * 4,
        )
        writer.append(encode(usage))
    writer.close()


def main() -> None:
    """Ship, merge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--days", type=int, default=30)
    asked = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        fill(folder / "journal", asked.events, asked.days)
        journal = sum(path.stat().st_size for path in (folder / "journal").rglob("*.journal"))
        server = stack.enter_context(ServerProcess.started(folder / "clickhouse"))
        ship(folder / "journal", server.addresses.otlp)
        client = connect(server.addresses.dsn)
        stack.callback(client.close)
        if (counted := client.query("SELECT sum(calls) FROM usage").rows[0][0]) != asked.events:
            raise SystemExit(f"{asked.events} events were shipped, {counted} can be queried")
        client.command(ARRIVED_EARLIER)  # days for which something has arrived within the hour are open, and have no sums yet
        refresh(client, every=True)
        for table in (*TABLES, "usage_days"):
            client.command(f"OPTIMIZE TABLE {table} FINAL")
        held = {
            name: (int(rows), int(size))
            for name, rows, size in client.query(
                "SELECT table, sum(rows), sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase() GROUP BY table"
            ).rows
        }
    print(f"{asked.events:,} usages of {asked.days} days, 50 tenants")
    print(f"{'journal':14} {journal / asked.events:8.1f} bytes a usage, until it is acknowledged")
    for table in TABLES:
        print(f"{table:14} {held.get(table, (0, 0))[1] / asked.events:8.1f} bytes a usage")
    rows, size = held.get("usage_days", (0, 0))
    print(f"{'usage_days':14} {size / asked.days:8.0f} bytes a day, of {rows / asked.days:.0f} rows")


if __name__ == "__main__":
    main()
