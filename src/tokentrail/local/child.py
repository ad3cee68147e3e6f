"""A server that runs beside us: a process with a log file, that is up when its health address says so."""

from __future__ import annotations

import contextlib
import http
import http.client
import random
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from tokentrail.local.building import last_words
from tokentrail.local.guard import end_group, start_guarded

LOWEST_PORT, HIGHEST_PORT = 20_000, 32_000
"""Below the range from which Linux takes the ports of outgoing connections: one that was free a moment ago stays free."""
_handed_out: set[int] = set()


class StartFailed(RuntimeError):  # noqa: N818 - reads as the sentence that it is
    """The server did not come up; the message says what it said last."""


class Child:
    """One server process: start, kill, start again on the same ports and folders. Used by one thread. Ends with the program that started it."""

    def __init__(self, name: str, command: Sequence[str], *, environment: Mapping[str, str], log: Path, health_url: str) -> None:
        self.name = name
        self.log = log
        self.health_url = health_url
        self._command = list(command)
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        if self._process is None:
            raise StartFailed(f"{self.name} was not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process exists."""
        return self._process is not None and self._process.poll() is None

    def start(self, *, timeout_s: float = 30.0) -> None:
        """Start the process and return once it is healthy; raises StartFailed, with nothing left running, if it is not in time."""
        if self.running:
            return
        with self.log.open("ab") as output:
            self._process = start_guarded(self._command, output=output, environment=self._environment)
        deadline = time.monotonic() + timeout_s
        while not answers(self.health_url):
            code = self._process.poll()
            if code is not None:
                end_group(self._process)
                raise StartFailed(f"{self.name} ended {_way(code)}; its last words: {last_words(self.log)}")
            if time.monotonic() > deadline:
                self.kill()
                raise StartFailed(f"{self.name} was not healthy after {timeout_s:.0f} s; its last words: {last_words(self.log)}")
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL: what the process had in memory is gone."""
        self._end(signal.SIGKILL, 10.0)

    def terminate(self, *, grace_s: float = 20.0) -> None:
        """SIGTERM, and SIGKILL for one that does not go within the grace."""
        self._end(signal.SIGTERM, grace_s)

    def restart(self) -> None:
        """Start again after `kill` or `terminate`; a running server is terminated first."""
        self.terminate()
        self.start()

    def _end(self, how: signal.Signals, grace_s: float) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=grace_s)
        end_group(process)


def free_port() -> int:
    """Return a TCP port on 127.0.0.1 that nobody listens on, and never the same one twice: the first server may not have opened it yet."""
    choose = random.SystemRandom()
    for _ in range(200):
        port = choose.randrange(LOWEST_PORT, HIGHEST_PORT)
        if port in _handed_out:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            _handed_out.add(port)
            return port
    raise StartFailed(f"no free port between {LOWEST_PORT} and {HIGHEST_PORT} on 127.0.0.1")


def _way(code: int) -> str:
    """How a process ended: a signal such as SIGILL says more than its number (the program was built for another processor)."""
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"


def answers(url: str) -> bool:
    """Ask without urllib, which would send a loopback request to the proxy of the environment."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=2.0)
    try:
        connection.request("GET", address.path or "/")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
