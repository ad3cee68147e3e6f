"""Events a second from the journal into the embedded ClickHouse, until they can be queried, and the CPU of each process for one event.

    python benchmarks/pipeline.py [--events 100000] [--direct] [--shippers 1] [--json]

Three ways, one after the other: through the official Collector, lossless as configured for production (fsync in the Collector's queue, ClickHouse
acknowledges each insert), by its ordinary port and by the ledger's own; and straight to the OTLP receiver of `tokentrail serve`. `--direct` takes the
last way only; `--shippers` ships so many journals side by side, and their events are shared out among them. All processes share this machine's
cores; CPU is read from /proc (Linux).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
from event import USAGE

from tokentrail.clickhouse.client import connect
from tokentrail.deploy.collector import config_folder
from tokentrail.embedded.process import ServerProcess
from tokentrail.idempotency import digest
from tokentrail.journal.adoption import Adopter
from tokentrail.journal.exporter import Exporter
from tokentrail.journal.records import encode
from tokentrail.journal.shipper import Shipper
from tokentrail.journal.writer import Writer
from tokentrail.local import collector
from tokentrail.local.cache import Progress, Unavailable
from tokentrail.settings import Settings

try:
    from tokentrail.journal.bulk import bulk_shipper
except ImportError:  # a revision without it, beside this one
    bulk_shipper = None

MEGA = 1_000_000
ORDINARY, OWN, DIRECT = "through the Collector", "through the Collector's port for the ledger", "direct"


def machine() -> str:
    """Cores, CPU model, load average."""
    with contextlib.suppress(OSError):
        model = next(line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
        return f"{os.cpu_count()} cores, {model}, load average {os.getloadavg()[0]:.1f}"
    return f"{os.cpu_count()} cores, {platform.processor()}, load average {os.getloadavg()[0]:.1f}"


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its threads; not a number where there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def fill(journal: Path, events: int, tenant_prefix: str = "tenant") -> None:
    """A closed journal with so many events of 50 tenants."""
    writer = Writer(journal, {"service.name": "bench"}, segment_bytes=8 * 2**20, max_bytes=2**40)
    began = time.time_ns()
    for number in range(events):
        ts = began + number * 1000
        tenant = f"{tenant_prefix}-{number % 50}"
        key = f"query:{tenant}:{digest([str(number)])}:{ts:019d}"
        own = {"key": key, "key_time": ts, "ts": ts, "tenant_id": tenant, "operation": "query", "trace_id": f"{number + 1:032x}"}
        usage = msgspec.structs.replace(USAGE, **own)
        writer.append(encode(usage))
    writer.close()


@contextlib.contextmanager
def gateway(folder: Path, clickhouse: str) -> Iterator[collector.Collector]:
    """A running Collector in front of ClickHouse."""
    built = collector.obtain(Progress(print))
    if isinstance(built, Unavailable):
        raise SystemExit(f"no Collector: {built.reason}")
    running = collector.run(built.program, "gateway", folder=folder, settings={"CLICKHOUSE": clickhouse})
    try:
        yield running
    finally:
        running.terminate()


def ship(journal: Path, url: str) -> int:
    """Ships a closed journal as `tokentrail journal ship` does. The number of events."""
    settings = Settings().with_(endpoint=f"{url}/v1/logs")
    if bulk_shipper is None:
        return Adopter(Shipper(journal, Exporter(settings))).adopt_dead().shipped
    with bulk_shipper(journal, settings) as shipper:
        return Adopter(shipper).adopt_dead().shipped


def run(events: int, shippers: int, way: str) -> dict[str, float]:
    """One way from its beginning to its end: events, events a second, and the CPU of each process, in microseconds an event."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(ServerProcess.started(folder / "clickhouse"))
        journals = [folder / f"journal-{number}" for number in range(shippers)]
        for number, journal in enumerate(journals):
            fill(journal, events // shippers, f"tenant-{number}")
        processes = {"shipper": os.getpid(), "serve": server.pid}
        url = server.addresses.otlp
        if way != DIRECT:
            running = stack.enter_context(gateway(folder / "gateway", server.addresses.http))
            processes["Collector"] = running.pid
            url = running.ledger_http_url if way == OWN else running.otlp_http_url
        client = connect(server.addresses.dsn)
        stack.callback(client.close)
        began, before = time.monotonic(), {name: cpu_seconds(pid) for name, pid in processes.items()}
        with ThreadPoolExecutor(shippers) as threads:
            shipped = sum(threads.map(lambda journal: ship(journal, url), journals))
        accepted = time.monotonic() - began
        # rows of the ledger's table are cheap to count; the exact query follows once
        while client.query("SELECT count() FROM usage_ledger").rows[0][0] < shipped:
            if time.monotonic() - began > 600:  # noqa: PLR2004
                raise SystemExit("not all events have arrived after ten minutes")
            time.sleep(0.25)
        arrived = time.monotonic() - began
        spent = {f"CPU of {name}": (cpu_seconds(pid) - before[name]) / shipped * MEGA for name, pid in processes.items()}
        if (counted := client.query("SELECT sum(calls) FROM usage").rows[0][0]) != shipped:
            raise SystemExit(f"{shipped} events were shipped, {counted} can be queried")
        rates = {"acknowledged/s": shipped / accepted, "queryable/s": shipped / arrived}
        return {"events": shipped, **rates, **spent, "CPU": sum(spent.values())}


def ways(*, direct: bool) -> list[str]:
    """The ways that this package has."""
    if direct:
        return [DIRECT]
    return [ORDINARY, OWN, DIRECT] if "otlp/ledger" in (config_folder() / "gateway.yaml").read_text("utf-8") else [ORDINARY, DIRECT]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--direct", action="store_true")
    parser.add_argument("--shippers", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.json:
        print(json.dumps({way: run(options.events, options.shippers, way) for way in ways(direct=options.direct)}, indent=2))
        return
    print(machine())
    for way in ways(direct=options.direct):
        found = run(options.events, options.shippers, way)
        print(f"{way}: " + ", ".join(f"{name} {value:,.0f}" for name, value in found.items()) + " (CPU in µs an event)", flush=True)


if __name__ == "__main__":
    main()
