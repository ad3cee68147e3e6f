"""What the journal costs: an append beside a bare write of the same bytes, and how fast the shipper makes requests of what lies there.

python benchmarks/journal_append.py [--appends 50000] [--events 50000] [--json]

Both appends are timed one by one, in turns, in one run: the machine's moods hit both. `append` includes the encoding of the usage.
So are the modes of `journal_fsync`, with a tenth of the appends: a sync takes a hundred times as long as an append. `never` and the group commit once
more without `always`, whose waiting leaves the caches cold for all three: that ratio is what the goal is about.
The shipper sends to a sink in this process that answers at once: its figure is what one core reads, builds and compresses, without a network.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from event import USAGE
from msgspec.structs import replace

from tokentrail.journal import otlp
from tokentrail.journal.exporter import Outcome, Result
from tokentrail.journal.folder import Cursor
from tokentrail.journal.frames import frame
from tokentrail.journal.reader import read
from tokentrail.journal.records import encode_usage
from tokentrail.journal.shipper import Shipper
from tokentrail.journal.writer import Writer
from tokentrail.usage import Usage

if TYPE_CHECKING:
    from tokentrail.environment import Fsync


def another(number: int) -> Usage:
    """A usage that differs as calls do, so that compression finds what it finds in earnest."""
    ts = 1_790_000_000_000_000_001 + number * 1_234_567
    return replace(
        USAGE,
        key=f"chat:tenant-{number % 50}:{os.urandom(16).hex()}:{ts}",
        key_time=ts,
        ts=ts,
        tenant_id=f"tenant-{number % 50}",
        operation_id=os.urandom(8).hex(),
        response_id=f"chatcmpl-{os.urandom(15).hex()}",
        trace_id=os.urandom(16).hex(),
        span_id=os.urandom(8).hex(),
        duration_ns=800_000_000 + number * 7919,
        input_tokens=100 + number * 13 % 4000,
        output_tokens=10 + number * 7 % 900,
    )


def writer(root: Path, fsync: Fsync = "never") -> Writer:
    """A writer as a service has it."""
    options: dict[str, Any] = {} if fsync == "never" else {"fsync": fsync}
    return Writer(root, {"service.name": "benchmark"}, segment_bytes=8 << 20, max_bytes=1 << 40, **options)


def time_appends(root: Path, appends: int) -> tuple[int, list[int], list[int]]:
    """Bytes of a frame, and the nanoseconds of each bare write and of each append."""
    service = writer(root)
    data = frame(1, encode_usage(USAGE))
    bare_file = os.open(root.parent / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
    clock = time.perf_counter_ns
    bare: list[int] = []
    full: list[int] = []
    for _ in range(appends):
        began = clock()
        os.write(bare_file, data)
        between = clock()
        service.append(encode_usage(USAGE))
        full.append(clock() - between)
        bare.append(between - began)
    os.close(bare_file)
    service.close()
    return len(data), bare, full


def print_appends(size: int, bare: list[int], full: list[int]) -> None:
    """Print the append's time beside the bare write's."""
    for name, times in (("bare os.write", bare), ("append", full)):
        cuts = statistics.quantiles(times, n=100)
        print(f"{name:14} p50 {cuts[49] / 1000:6.2f} us   p99 {cuts[98] / 1000:7.2f} us   ({size} bytes)")
    print(f"append / bare write: {statistics.median(full) / statistics.median(bare):.2f} (p50); goal: append at most 5 us p50")


def time_modes(root: Path, modes: Sequence[Fsync], appends: int) -> None:
    """Print the append's time by setting `journal_fsync`, in turns and in every order."""
    writers = {mode: writer(root / str(mode), mode) for mode in modes}
    times: dict[Fsync, list[int]] = {mode: [] for mode in modes}
    clock = time.perf_counter_ns
    for _, order in zip(range(appends), itertools.cycle(itertools.permutations(modes)), strict=False):
        for mode in order:
            service = writers[mode]
            began = clock()
            service.append(encode_usage(USAGE))
            times[mode].append(clock() - began)
    for service in writers.values():
        service.close()
    never = statistics.median(times["never"])
    for mode in modes:
        cuts = statistics.quantiles(times[mode], n=100)
        name = mode if isinstance(mode, str) else f"{mode} ms"
        ratio = f"{cuts[49] / never:6.2f} x never (p50)"
        print(f"fsync {name:8} p50 {cuts[49] / 1000:6.2f} us   p99 {cuts[98] / 1000:7.2f} us   {ratio}; of {' and '.join(map(str, modes))}")


class Sink:
    """Takes everything at once; compresses as the exporter does."""

    max_request_bytes = 6_000_000

    def __init__(self, *, compress: bool) -> None:
        self.bytes = 0
        self._compress = compress

    def send(self, body: bytes) -> Outcome:
        """Take one request."""
        self.bytes += len(gzip.compress(body, 1)) if self._compress else len(body)
        return Outcome(Result.ACCEPTED)


def time_shipping(root: Path, events: int) -> None:
    """Print how many events a second of CPU reads, builds and ships."""
    service = writer(root)
    for number in range(events):
        service.append(encode_usage(another(number)))
    service.release()
    began = time.process_time()
    found = [one for one in read(service.folder, Cursor(), live=False) if one.number]
    reading = time.process_time() - began
    began = time.process_time()
    for one in found:
        otlp.log_record(one.record, one.payload, one.number, service.writer_id)
    building = time.process_time() - began
    print(f"read           {len(found) / reading:10,.0f} events/s   {reading / len(found) * 1e6:5.1f} us an event")
    print(f"build OTLP     {len(found) / building:10,.0f} events/s   {building / len(found) * 1e6:5.1f} us an event")
    for compress in (False, True):
        (service.folder / "cursor").unlink(missing_ok=True)
        sink = Sink(compress=compress)
        began = time.process_time()
        # as a living writer's folder: the last file stays, so both runs read the same bytes from it
        progress = Shipper(root, sink).ship_folder(service.folder, live=True)
        took = time.process_time() - began
        name = "ship, gzip" if compress else "ship, plain"
        each = sink.bytes / progress.shipped
        print(f"{name:14} {progress.shipped / took:10,.0f} events/s   {took / progress.shipped * 1e6:5.1f} us an event   {each:5.0f} bytes an event")


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--appends", type=int, default=50_000)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--json", action="store_true", help="the append and the bare write alone, microseconds (p50)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tokentrail-benchmark-") as folder:
        size, bare, full = time_appends(Path(folder) / "appends", given.appends)
        if given.json:
            print(json.dumps({"bare write, us": statistics.median(bare) / 1000, "append, us": statistics.median(full) / 1000, "bytes": size}))
            return
        print_appends(size, bare, full)
        time_modes(Path(folder) / "modes", ("never", 100, "always"), max(given.appends // 10, 100))
        time_modes(Path(folder) / "group", ("never", 100), given.appends)
        time_shipping(Path(folder) / "ship", given.events)


if __name__ == "__main__":
    main()
