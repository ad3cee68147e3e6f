"""A service that spends: `python -c "from tests.support.journal_load import spend; spend(threads=3)"` prints `writer number` after each append."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from tokentrail.recording.runtime import current
from tokentrail.usage import Usage


def one(tenant: str = "acme") -> tuple[str, int]:
    """Append one usage; the writer and the number that it got."""
    usage = Usage(key=f"query:{tenant}:{os.urandom(16).hex()}:1790000000000000001", ts=1_790_000_000_000_000_000, tenant_id=tenant, input_tokens=3)
    number = current.runtime.journal.append(usage)
    return current.runtime.journal.writer_id(), number


def tell(writer_id: str, number: int) -> None:
    """One write a line, after the append has returned."""
    os.write(1, f"{writer_id} {number}\n".encode())


def spend(threads: int = 1, calls: int = 0, after: str = "") -> None:
    """So many calls in each thread, 0 for ever; once the file `after` is there, so that several programs begin at once."""
    current.runtime.journal.writer_id()
    os.write(1, b"ready\n")
    while after and not Path(after).exists():
        time.sleep(0.001)

    def run() -> None:
        done = 0
        while not calls or done < calls:
            tell(*one())
            done += 1

    workers = [threading.Thread(target=run) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
