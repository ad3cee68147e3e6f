"""What every experiment stands on: a provider, applications, ClickHouse, the Collector, and the comparison with the ledger."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.support.collector import start_agent, start_gateway
from tests.support.store import Store
from tests.support.waiting import wait_until
from tokentrail.journal.folder import writer_folders
from tokentrail.local import collector
from tokentrail.local.cache import Progress as Notices
from tokentrail.local.cache import Unavailable
from tokentrail.local.child import Child
from tokentrail.local.collector import Collector
from torture import shim
from torture.application import Application, Nursery
from torture.outcome import Outcome, Row, Tokens
from torture.shim import Control

__all__ = ["SETTLED_S", "Stage", "numbers_in", "parsed", "size_of"]

ROOT = Path(__file__).resolve().parents[1]
DRAIN_S = 150.0
SETTLED_S = 60.0


class Stage:
    """The parts of one experiment, in a folder of its own; `close` ends and removes all of them.

    `rounds` is how many rounds were asked for, 0 for the experiment's own number; `first` the number of the first one; `events` how many events wait
    in the experiment `backlog`, 0 for its own number.
    """

    def __init__(self, name: str, folder: Path, *, seed: int, say: Callable[[str], None], rounds: int = 0, first: int = 1, events: int = 0) -> None:
        self.name, self.folder, self.seed, self.events = name, folder, seed, events
        self.say = say
        self._rounds, self._first = rounds, first
        self._open = ExitStack()
        self._answers = folder / "answers"
        self.data = folder / "data"
        self._shipped = itertools.count(1)
        self.outcome = Outcome(name)

    def close(self) -> None:
        """Ends all processes, the last one first, and unmounts what was mounted."""
        self._open.close()

    def numbers(self, usual: int) -> range:
        """Returns the numbers of the rounds."""
        return range(self._first, self._first + (self._rounds or usual))

    def rng(self, number: int) -> random.Random:
        """Returns the chance of one round, which is the same whatever other rounds run."""
        return random.Random(f"{self.seed}:{self.name}:{number}")

    def keep(self, child: Child) -> Child:
        """Ends the child with the stage."""
        self._open.callback(child.kill)
        return child

    def at_end(self, action: Callable[[], object]) -> None:
        """Runs the action when the stage is closed."""
        self._open.callback(action)

    @cached_property
    def provider_process(self) -> Child:
        """The running provider."""
        child = Child("the provider", [sys.executable, "-m", "torture.provider", str(self._answers)], folder=ROOT, log=self.folder / "provider.log")
        return self.keep(child).start()

    @cached_property
    def provider(self) -> str:
        """The provider's address."""
        child = self.provider_process
        return str(wait_until(lambda: child.lines[:1], "the provider", deadline_s=60)[0])

    @cached_property
    def store(self) -> Store:
        """ClickHouse, begun at the first use."""
        store = Store(self.data, log=self.folder / "store.log")
        store.start()
        self.at_end(store.kill)
        return store

    @cached_property
    def endpoint(self) -> str:
        """The address of `tokentrail serve` for logs: ClickHouse without a Collector."""
        return f"{self.store.otlp}/v1/logs"

    @cached_property
    def collector_program(self) -> Path:
        """The official Collector; raises `RuntimeError` where it cannot be had."""
        built = collector.obtain(Notices(self.say))
        if isinstance(built, Unavailable):
            raise RuntimeError(str(built))
        return built.program

    @cached_property
    def gateway(self) -> Collector:
        """The Collector as gateway into `store`."""
        return self.start_gateway()

    def start_gateway(self, *, overrides: tuple[str, ...] = ()) -> Collector:
        """Starts a Collector as gateway into `store`; `overrides` are merged over its file."""
        running = start_gateway(self.collector_program, self.store.url, self.folder / "gateway", overrides=overrides)
        self.keep(running)
        return running

    def start_agent(self, gateway: Collector) -> Collector:
        """Starts a Collector as agent before a gateway."""
        running = start_agent(self.collector_program, gateway.otlp_grpc, self.folder / "agent")
        self.keep(running)
        return running

    @cached_property
    def shim(self) -> Path:
        """The compiled shim; raises `RuntimeError` where there is no C compiler."""
        library = shim.compiled(self.folder)
        if library is None:
            raise RuntimeError("no C compiler")
        return library

    @cached_property
    def nursery(self) -> Nursery:
        """The warm parent of applications, with the shim preloaded where there is a compiler."""
        environment = os.environ | {"LD_PRELOAD": str(self.shim)} if shutil.which("cc") else dict(os.environ)
        nursery = Nursery(environment | self.environment(self.folder / "nobody", ""), self.folder)
        self.at_end(nursery.end)
        return nursery

    def environment(self, journal: Path, endpoint: str, **settings: Any) -> dict[str, str]:
        """Returns the variables of an application; `ship_interval=0.05` becomes TOKENTRAIL_SHIP_INTERVAL."""
        stated = {"journal_dir": journal, "endpoint": endpoint or "http://127.0.0.1:9/v1/logs", "ship_interval": 0.05, "adopt_interval": 0.3}
        stated |= {"service_name": self.name, "provider_hosts": f"{self.provider.removeprefix('http://')}=openai"} | settings
        given = {f"TOKENTRAIL_{name.upper()}": str(value) for name, value in stated.items()}
        return given | {"OPENAI_BASE_URL": f"{self.provider}/v1", "OPENAI_API_KEY": "none", "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}

    def program(self, command: Sequence[str], environment: dict[str, str], *, name: str = "the application", **options: Any) -> Child:
        """Starts a program, whose standard error is apart."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("TOKENTRAIL_", "OTEL_", "OPENAI_"))}
        child = Child(name, command, environment=kept | environment, errors_apart=True, **({"folder": ROOT} | options))
        self.keep(child)
        child.start()
        return child

    def python(self, code: str, environment: dict[str, str], **options: Any) -> Child:
        """Starts a few lines of Python."""
        return self.program([sys.executable, "-c", code], environment, **options)

    def answered(self, prefix: str = "") -> dict[str, Tokens]:
        """Returns what the provider has answered to operations that begin with `prefix`."""
        return parsed(self._answers.read_text().splitlines() if self._answers.exists() else [], prefix)

    def rows(self, prefix: str = "") -> dict[str, Row]:
        """Returns what the ledger has of answered operations that begin with `prefix`: calls, input and output tokens."""
        sql = (
            "SELECT operation_id, sum(calls), sum(input_tokens), sum(output_tokens) FROM usage"
            f" WHERE startsWith(operation_id, '{prefix}') AND error_type = '' GROUP BY operation_id"
        )
        return {operation: (int(calls), int(tokens_in), int(tokens_out)) for operation, calls, tokens_in, tokens_out in self.store.query(sql)}

    def ship(self, journal: Path, endpoint: str, *, control: Control | None = None, more: Sequence[str] = (), **settings: Any) -> Application:
        """Starts `tokentrail journal ship` once; with `control` under the shim."""
        arguments = {"arguments": ["journal", "ship", "--dir", str(journal), *more]}
        name = f"ship-{next(self._shipped)}"
        return self.application(name, journal, endpoint, "torture.calls:command", arguments=arguments, control=control, **settings)

    def sidecar(self, journal: Path, endpoint: str) -> Child:
        """Starts `tokentrail journal ship --watch`."""
        command = [sys.executable, "-m", "tokentrail", "journal", "ship", "--watch", "--interval", "0.1", "--dir", str(journal)]
        return self.program(command, self.environment(journal, endpoint), name="a sidecar")

    def drain(self, journal: Path, endpoint: str, *, deadline_s: float = DRAIN_S, **settings: Any) -> str:
        """Ships what waits in the journal with the command, as often as needed. Returns the last words of a command that did not succeed."""
        deadline = time.monotonic() + deadline_s
        while writer_folders(journal) or any(journal.glob("aside/*")):
            shipped = self.ship(journal, endpoint, **settings)
            shipped.wait(deadline_s)
            lines = shipped.lines
            if lines[-1:] == ["exit 0"]:
                return ""
            if lines[-1:] == ["exit 2"] or time.monotonic() > deadline:
                return " ".join(lines[-3:])
            time.sleep(0.2)
        return ""

    def settled(self, said: dict[str, Tokens], prefix: str, *, deadline_s: float = SETTLED_S) -> dict[str, Row]:
        """Returns the ledger's rows once all that was said is there, or after the deadline."""
        deadline = time.monotonic() + deadline_s
        while True:
            rows = self.rows(prefix)
            if said.keys() <= rows.keys() or time.monotonic() > deadline:
                return rows
            time.sleep(0.3)

    def verify(self) -> dict[str, Any]:
        """Returns what `tokentrail verify --all --json` says, with its exit code as `code`."""
        command = [sys.executable, "-m", "tokentrail", "verify", "--dsn", f"{self.store.url}/tokentrail", "--all", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
        if not done.stdout.startswith("{"):
            raise RuntimeError(f"verify: {done.stderr.strip()[-300:]}")
        return {**json.loads(done.stdout), "code": done.returncode}

    def refused(self, service: str = "") -> int:
        """Returns how many numbers `verify` names as refused or damaged, of one service or of all."""
        writers = [writer for writer in self.verify()["writers"] if not service or writer["service_name"] == service]
        return sum(len(numbers_in(writer["refused"]) | numbers_in(writer["damaged"])) for writer in writers)

    def numbers_named(self, service: str) -> set[int]:
        """Returns the numbers of one service that `verify` names as refused or damaged; without a header no service is known."""
        writers = [writer for writer in self.verify()["writers"] if writer["service_name"] in (service, "")]
        return {number for writer in writers for named in (writer["refused"], writer["damaged"]) for number in numbers_in(named)}

    def prove(self, *, expected: Callable[[str], bool] = lambda _finding: False) -> None:
        """Notes all findings of `verify` but the expected ones."""
        found = [finding for finding in self.verify()["findings"] if not expected(finding)]
        for finding in found[:5]:
            self.outcome.fail(f"verify: {finding}")

    def application(self, name: str, journal: Path, endpoint: str, call: str = "torture.calls:load", **options: Any) -> Application:
        """Forks an application from the nursery: `arguments` of the function, `control` of the shim, anything else a setting."""
        arguments, control = options.pop("arguments", {}), options.pop("control", None)
        return self.nursery.fork(name, self.environment(journal, endpoint, **options), call, arguments, control=control, journal=journal)


def numbers_in(ranges: str) -> set[int]:
    """Returns the numbers that a text such as `3,7-18` names."""
    pairs = [part.partition("-") for part in ranges.replace(" ", "").split(",") if part]
    return {number for first, _, last in pairs for number in range(int(first), int(last or first) + 1)}


def size_of(folder: Path) -> int:
    """Returns the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def parsed(lines: Sequence[str], prefix: str = "") -> dict[str, Tokens]:
    """Returns tokens by operation, of lines `operation input output`; other lines are left out."""
    found = {}
    for line in lines:
        words = line.split()
        if len(words) == 3 and words[0].startswith(prefix) and words[1].isdigit() and words[2].isdigit():
            found[words[0]] = (int(words[1]), int(words[2]))
    return found
