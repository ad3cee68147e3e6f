"""A journal under test: writers and shippers in this process, and whole programs that a test may kill."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.otlp_receiver import Otlp
from tokentrail.journal.adoption import Adopter
from tokentrail.journal.exporter import exporter_for
from tokentrail.journal.progress import Progress
from tokentrail.journal.records import encode
from tokentrail.journal.shipper import Shipper
from tokentrail.journal.writer import Writer
from tokentrail.local.child import Child
from tokentrail.retrying.policy import RetryPolicy
from tokentrail.settings import Settings
from tokentrail.usage import Usage

ROOT = Path(__file__).resolve().parents[2]
AT_ONCE = RetryPolicy(first=0.001, longest=0.001)


def usage(number: int = 1, **fields: Any) -> Usage:
    """A usage that says its number in its tokens."""
    stated = {"key": f"query:acme:{number:032x}:1790000000000000001", "ts": 1_790_000_000_000_000_000, "input_tokens": number, "tenant_id": "acme"}
    return Usage(**(stated | {"input_source": "reported", "output_source": "reported", "output_tokens": 1} | fields))


def writer(root: Path, **settings: Any) -> Writer:
    """A writer as a service has it, with the small files and bounds that the test asks for."""
    return Writer(root, {"service.name": "under-test"}, **({"segment_bytes": 1 << 20, "max_bytes": 1 << 30} | settings))


def append(to: Writer, count: int, **fields: Any) -> list[int]:
    return [to.append(encode(usage(to.last_seq + 1, **fields))) for _ in range(count)]


def abandon(left: Writer) -> None:
    """As if its process had been killed: nothing more is written, and the kernel gives its lock back."""
    left.release()


def shipper(root: Path, otlp: Otlp, **options: Any) -> Shipper:
    """A shipper that does not wait between its tries."""
    own = {name: options.pop(name) for name in ("timeout", "compression") if name in options}
    settings = Settings(endpoint=otlp.url, protocol=otlp.protocol, **({"timeout": 5.0} | own))
    return Shipper(root, exporter_for(settings), **({"policy": AT_ONCE} | options))


def adopt(root: Path, otlp: Otlp, **options: Any) -> Progress:
    """What `tokentrail journal ship` does."""
    return Adopter(shipper(root, otlp, **options), name="test").adopt_dead(patient=False)


def environment(root: Path, endpoint: str = "", **settings: Any) -> dict[str, str]:
    """Variables of a program under test: `ship_interval=0.05` becomes TOKENTRAIL_SHIP_INTERVAL."""
    stated = {"journal_dir": root, "endpoint": endpoint or "http://127.0.0.1:9/v1/logs", "ship_interval": 0.05, "adopt_interval": 0.1} | settings
    given = {f"TOKENTRAIL_{name.upper()}": str(value) for name, value in stated.items()}
    return (
        {name: value for name, value in os.environ.items() if not name.startswith(("TOKENTRAIL_", "OTEL_"))}
        | given
        | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}
    )


class Program(Child):
    """A Python program in a process of its own, started at once."""

    def __init__(self, code: str, variables: dict[str, str], **options: Any) -> None:
        super().__init__("the program", [sys.executable, "-c", code], environment=variables, errors_apart=True, **options)
        self.start()

    def end(self, timeout: float = 30.0) -> int:
        """Wait for its end: the exit code. What it left open in a child of its own is not waited for."""
        return self.wait(timeout)


@contextmanager
def programs() -> Iterator[Callable[..., Program]]:
    """Starts programs, and ends those that still run."""
    started: list[Program] = []

    def start(code: str, variables: dict[str, str], **options: Any) -> Program:
        started.append(Program(code, variables, **options))
        return started[-1]

    try:
        yield start
    finally:
        for program in started:
            program.kill()


def parse_numbers(lines: list[str]) -> dict[str, set[int]]:
    """Numbers by writer, of lines `writer number`."""
    found: dict[str, set[int]] = {}
    for line in tuple(lines):
        writer_id, _, number = line.partition(" ")
        if number.isdigit():
            found.setdefault(writer_id, set()).add(int(number))
    return found
