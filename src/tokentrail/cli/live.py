"""What commands that go on share: a connection that survives its server, a quiet end at signals, options for the pace."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from tokentrail.cli.errors import Misuse
from tokentrail.clickhouse.client import ClickHouseError, Client, connect

__all__ = ["LONGEST_WAIT", "Connection", "interval_option"]

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])
_Answer = TypeVar("_Answer")

LONGEST_WAIT: Final = 5.0
"""Seconds between two tries to reach a server that does not answer."""
_SHARE: Final = 4
"""How many times as long as an answer took the next question waits at least: of the server's time a fifth is taken."""


def interval_option(default: float) -> Callable[[_Decorated], _Decorated]:
    """Adds `--interval` to a command."""
    return click.option(
        "--interval",
        type=click.FloatRange(0.1, 3600),
        default=default,
        show_default=True,
        metavar="SECONDS",
        help="Between two looks; longer where the answer takes longer.",
    )


class Connection:
    """A connection to ClickHouse that is made anew when the server has been away.

    `in_process`: the engine runs in this process, and must not be closed at work. `problem` is the sentence of the last try; empty while the server
    answers. `since` is the moment of `time.monotonic` at which it went away.
    """

    def __init__(self, dsn: str) -> None:
        """Connects. Raises `Misuse` if the server does not answer: then the address may be wrong."""
        self._dsn = dsn
        try:
            self._linked: Client | None = connect(dsn)
        except ClickHouseError as error:
            raise Misuse(str(error)) from None
        self.address = self._linked.address
        self.in_process = dsn.startswith("chdb:")
        self.problem = ""
        self.since = 0.0
        self.took = 0.0

    def ask(self, work: Callable[[Client], _Answer]) -> _Answer | None:
        """Returns what `work` returns; None while the server does not answer. Raises `Misuse` if the server refuses what `work` asks."""
        began = time.monotonic()
        try:
            if self._linked is None:
                self._linked = connect(self._dsn)
            answer = work(self._linked)
        except ClickHouseError as error:
            if error.code is not None and not self.problem:
                raise Misuse(str(error)) from None
            if not self.problem:
                self.since = began
            self.problem = str(error)
            self.close()
            return None
        self.problem, self.took = "", time.monotonic() - began
        return answer

    def pause(self, interval: float) -> float:
        """Returns how many seconds to wait for the next question."""
        return min(max(interval, 1.0), LONGEST_WAIT) if self.problem else max(interval, _SHARE * self.took)

    def close(self) -> None:
        """Closes the connection; the next question opens another one."""
        client, self._linked = self._linked, None
        if client is not None:
            client.close()
