"""Brokers and workers of task queues: a real redis-server, and the workers' own command lines."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from tests.support import prometheus
from tests.support.calls import journal_of
from tests.support.recipes import FOLDER
from tests.support.require import require
from tests.support.scripted import ScriptedServer, completion
from tests.support.waiting import wait_until
from tokentrail.local.cache import Progress, Unavailable
from tokentrail.local.child import Child
from tokentrail.local.ports import free_port
from tokentrail.usage import Usage

REFUSED = (429, {"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}})


class Provider(ScriptedServer):
    """Answers each question, and refuses the first that holds a word. The first `together` questions are answered when all of them are asked."""

    def __init__(self, refuses: str = "", together: int = 1) -> None:
        super().__init__(completion())
        self._refuses = refuses
        self._together = threading.Barrier(together)
        self.side_by_side = False

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        if not self.side_by_side:
            with contextlib.suppress(threading.BrokenBarrierError):
                self._together.wait(20)
                self.side_by_side = True
        super().answer(request, body)

    def _answer(self, request: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        refused = bool(self._refuses) and self._refuses in text_of(body)
        self._refuses = "" if refused else self._refuses
        self.answers = [REFUSED if refused else completion()]
        super()._answer(request, body)

    def asked_with(self, word: str) -> int:
        """How many questions held a word."""
        return sum(word in text_of(body) for body in self.asked)


def text_of(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"])


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """A redis-server of this machine that keeps nothing, as an address. The test is skipped, or fails where it is required, if there is none."""
    program = prometheus.obtain("redis-server", Progress(print))
    if isinstance(program, Unavailable):
        require("redis", str(program))
    port = free_port()
    folder.mkdir()
    command = [str(program), "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(folder)]

    def ready() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    with Child("redis-server", command, ready=ready).start():
        yield f"redis://127.0.0.1:{port}/0"


class Service:
    """The processes of a service with a queue: each finds the recipes, the broker, the provider and one journal by its environment."""

    def __init__(self, folder: Path, provider: ScriptedServer, broker: str, **environment: str) -> None:
        self._folder, self._provider = folder, provider
        self.journal = folder / "journal"
        programs = Path(__file__).resolve().parents[1] / "propagation" / "programs"
        self._environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "PYTHONPATH": f"{FOLDER}:{programs}",
            "OPENAI_BASE_URL": f"{provider.url}/v1",
            "OPENAI_API_KEY": "none",
            "TOKENTRAIL_JOURNAL_DIR": str(self.journal),
            "TOKENTRAIL_SHIP": "false",
            **environment,
            **dict.fromkeys(("CELERY_BROKER_URL", "RQ_REDIS_URL", "DRAMATIQ_REDIS_URL"), broker),
        }

    def worker(self, module: str, *arguments: str) -> Child:
        """A worker, `python -m module …`; its output is told where a test fails."""
        return Child(module, [sys.executable, "-m", module, *arguments], environment=self._environment, folder=self._folder)

    def run(self, program: str, *arguments: str) -> str:
        """Runs a recipe or a program of the tests, and returns its output."""
        with self.worker(program, *arguments).start() as ran:
            assert ran.wait(60) == 0, ran.last_words()
            return "\n".join(ran.lines)

    def usages(self, count: int, worker: Child) -> list[Usage]:
        """The usages of all processes when the worker has ended, which is asked to end as soon as there are so many: as many as the provider was asked."""
        try:
            wait_until(lambda: len(self._found()) >= count, f"{count} usages", deadline_s=60)
        except AssertionError as error:
            raise AssertionError(f"{error}; asked: {len(self._provider.asked)}; the worker says: {worker.last_words()}") from None
        worker.terminate()
        usages = self._found()
        assert len(usages) == len(self._provider.asked)
        return usages

    def _found(self) -> list[Usage]:
        return [usage for _writer, _number, usage in journal_of(self.journal)] if self.journal.exists() else []


def rows(usages: Sequence[Usage]) -> dict[tuple[str, str, str], int]:
    """How many usages each tenant, operation and operation id has."""
    return dict(Counter((usage.tenant_id, usage.operation, usage.operation_id) for usage in usages))
