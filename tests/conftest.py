"""What all tests share: never the user's own journal, and a header that says what was tested."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

# what a shell's background jobs and `nohup` ignore, every program that a test starts and signals would ignore too
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

SHOWN = ("openai", "groq", "ollama", "opentelemetry-sdk", "chdb-core", "clickhouse-connect", "wrapt", "msgspec")


@pytest.fixture(scope="session", autouse=True)
def own_journal() -> Iterator[None]:
    """Programs that a test starts inherit it."""
    with tempfile.TemporaryDirectory(prefix="tokentrail-tests-") as folder:
        os.environ["TOKENTRAIL_JOURNAL_DIR"] = str(Path(folder) / "journal")
        os.environ["TOKENTRAIL_EXIT_TIMEOUT"] = "0.5"
        yield


def pytest_report_header() -> str:
    found = []
    for name in SHOWN:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} absent")
    return ", ".join(found)
