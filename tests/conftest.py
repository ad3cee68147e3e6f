"""What all tests share: never the user's own journal, parts that are started once for a whole run, and a header that says what was tested."""

from __future__ import annotations

import os
import signal
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support import selection
from tests.support.collector import collector_binary, world
from tests.support.fresh_machine import machine
from tests.support.local_model import local_model
from tests.support.names_of_tests import pytest_make_parametrize_id
from tests.support.ollama import ollama_server
from tests.support.quick_sdks import quick_collections, quick_sdks
from tests.support.services import services
from tests.support.wheel import installed_wheel
from tokentrail.local import ports
from tokentrail.process.current import current

__all__ = [
    "collector_binary",
    "installed_wheel",
    "local_model",
    "machine",
    "ollama_server",
    "pytest_make_parametrize_id",
    "quick_collections",
    "quick_sdks",
    "services",
    "world",
]

# what a shell's background jobs and `nohup` ignore, every program that a test starts and signals would ignore too
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# a busy machine is no fault
settings.register_profile("tokentrail", deadline=None)
settings.load_profile("tokentrail")

SHOWN = ("openai", "groq", "ollama", "opentelemetry-sdk", "chdb-core", "clickhouse-connect", "wrapt", "msgspec")


FOLDERS = pytest.StashKey[tempfile.TemporaryDirectory[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Give the tests folders of their own before the first module of tests is imported; programs that a test starts inherit them."""
    folders = config.stash[FOLDERS] = tempfile.TemporaryDirectory(prefix="tokentrail-tests-")
    for variable, name in {"TOKENTRAIL_JOURNAL_DIR": "journal", "XDG_STATE_HOME": "state", "XDG_DATA_HOME": "data"}.items():
        os.environ[variable] = str(Path(folders.name, name))
    os.environ["TOKENTRAIL_EXIT_TIMEOUT"] = "0.5"
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        ports.take_share(int(worker.removeprefix("gw")), int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close the journal before its folder is removed: at the process's end it would be written again."""
    if (runtime := current.existing_runtime()) is not None:
        runtime.close()
    config.stash[FOLDERS].cleanup()


@pytest.fixture(scope="session", autouse=True)
def own_journal() -> None:
    """Refuse to begin with the user's own journal."""
    assert current.settings.journal_dir == os.environ["TOKENTRAIL_JOURNAL_DIR"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    selection.mark_slow(items)
    if hasattr(config, "workerinput"):
        selection.longest_first(items)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if selection.only_quick(config) and collection_path.name in selection.ROOMS else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if selection.only_quick(config):
        terminalreporter.write_line(selection.left_out())


def pytest_report_header() -> str:
    found = []
    for name in SHOWN:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} absent")
    return ", ".join(found)
