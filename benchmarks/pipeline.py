"""Events a second from the journal through the official Collector into the embedded ClickHouse, until they can be queried.

    python benchmarks/pipeline.py [--events 100000] [--direct]

Lossless as configured for production: fsync in the Collector's queue, ClickHouse acknowledges each insert. `--direct` leaves the Collector out and
sends to the OTLP receiver of `tokentrail serve`. All processes share this machine's cores.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from pathlib import Path

import msgspec
from event import USAGE

from tokentrail.clickhouse.client import connect
from tokentrail.demo import collector
from tokentrail.demo.cache import Progress, Unavailable
from tokentrail.embedded.process import ServerProcess
from tokentrail.idempotency import digest
from tokentrail.journal.adoption import Adopter
from tokentrail.journal.exporter import Exporter
from tokentrail.journal.records import encode
from tokentrail.journal.shipper import Shipper
from tokentrail.journal.writer import Writer
from tokentrail.settings import Settings


def fill(journal: Path, events: int) -> None:
    """A closed journal with so many events of 50 tenants."""
    writer = Writer(journal, {"service.name": "bench"}, segment_bytes=8 * 2**20, max_bytes=2**40)
    began = time.time_ns()
    for number in range(events):
        ts = began + number * 1000
        tenant = f"tenant-{number % 50}"
        key = f"query:{tenant}:{digest([str(number)])}:{ts:019d}"
        own = {"key": key, "key_time": ts, "ts": ts, "tenant_id": tenant, "operation": "query", "trace_id": f"{number + 1:032x}"}
        usage = msgspec.structs.replace(USAGE, **own)
        writer.append(encode(usage))
    writer.close()


def main() -> None:
    """Print the rate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--direct", action="store_true")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(ServerProcess.started(folder / "clickhouse"))
        fill(folder / "journal", options.events)
        url = server.addresses.otlp
        if not options.direct:
            built = collector.obtain(Progress(print))
            if isinstance(built, Unavailable):
                raise SystemExit(f"no Collector: {built.reason}")
            running = collector.run(built.program, "gateway", folder=folder / "gateway", settings={"CLICKHOUSE": server.addresses.http})
            stack.callback(running.terminate)
            url = running.otlp_http_url
        client = connect(server.addresses.dsn)
        began = time.monotonic()
        shipper = Shipper(folder / "journal", Exporter(Settings().with_(endpoint=f"{url}/v1/logs")))
        progress = Adopter(shipper).adopt_dead()
        accepted = time.monotonic() - began
        while client.query("SELECT sum(calls) FROM usage").rows[0][0] != options.events:
            if time.monotonic() - began > 600:  # noqa: PLR2004
                raise SystemExit("not all events have arrived after ten minutes")
            time.sleep(0.1)
        arrived = time.monotonic() - began
        print(f"{progress.shipped} events: acknowledged {options.events / accepted:,.0f}/s, queryable {options.events / arrived:,.0f}/s")
        client.close()


if __name__ == "__main__":
    main()
