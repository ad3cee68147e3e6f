"""Refreshes the sums by day, and removes what has expired, while the embedded server runs."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from tokentrail.clickhouse.client import connect
from tokentrail.clickhouse.errors import ClickHouseError
from tokentrail.ledger.erasure import erase_again
from tokentrail.ledger.retention import enforce
from tokentrail.ledger.rollup import refresh

__all__ = ["refreshing"]

_END_S = 10.0
_REMOVE_EVERY_S = 86_400.0
"""A day: retention counts whole days."""


@contextlib.contextmanager
def refreshing(dsn: str, every_s: float) -> Iterator[None]:
    """Refreshes in a thread, every so many seconds until the block ends; never for 0.

    A refresh that fails is tried again at the next turn: without sums, questions read the ledger. A refresh that the end interrupts is lost, and its
    days are built after the next start.
    """
    ended = threading.Event()
    thread = threading.Thread(target=_refresh, args=(dsn, every_s, ended), name="tokentrail-rollup", daemon=True)
    if every_s > 0:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if every_s > 0:
            thread.join(_END_S)


def _refresh(dsn: str, every_s: float, ended: threading.Event) -> None:
    remove_at = 0.0
    while not ended.wait(every_s):
        with contextlib.suppress(ClickHouseError):
            client = connect(dsn)
            try:
                refresh(client, progress=lambda _done, _all: _stop_if(ended))
                if time.monotonic() >= remove_at:
                    enforce(client, began=lambda _table: _stop_if(ended))
                    erase_again(client, began=lambda _table: _stop_if(ended))
                    remove_at = time.monotonic() + _REMOVE_EVERY_S
            except _Ended:
                return
            finally:
                client.close()


class _Ended(Exception):  # noqa: N818 - an end is no error
    """The server ends: the days that are not built yet stay so."""


def _stop_if(ended: threading.Event) -> None:
    if ended.is_set():
        raise _Ended
