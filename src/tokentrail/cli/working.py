"""Progress of long work, on standard error: one live line at a terminal, which disappears; elsewhere a plain line now and then."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import click

from tokentrail.cli.tables import shown

__all__ = ["working"]

FIRST_S: Final = 0.7
"""Work that is done within this time shows no progress at a terminal."""
TICK_S: Final = 0.2
FIRST_LINE_S: Final = 10.0
"""Elsewhere the first line comes after so long, the next ones after twice as long each."""


@contextmanager
def working(label: str, detail: Callable[[], str] = lambda: "") -> Iterator[None]:
    """Shows that the block works, and for how long; `detail` returns what is done so far, such as a number with its noun."""
    if sys.stderr is None:
        yield
        return
    ended = threading.Event()
    show = _at_terminal if sys.stderr.isatty() else _in_lines
    thread = threading.Thread(target=show, args=(label, detail, ended), name="tokentrail-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _at_terminal(label: str, detail: Callable[[], str], ended: threading.Event) -> None:
    if ended.wait(FIRST_S):
        return
    from rich.console import Console  # noqa: PLC0415 - for long work only
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - same

    console = Console(file=sys.stderr, highlight=False, markup=False, emoji=False)
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        task = progress.add_task(label)
        while not ended.wait(TICK_S):
            progress.update(task, description=_line(label, detail))


def _in_lines(label: str, detail: Callable[[], str], ended: threading.Event) -> None:
    began, pause = time.monotonic(), FIRST_LINE_S
    while not ended.wait(pause):
        pause *= 2
        click.echo(f"{_line(label, detail)} ({time.monotonic() - began:.0f} s)", err=True)


def _line(label: str, detail: Callable[[], str]) -> str:
    done = detail()
    return shown(f"{label}: {done}" if done else label)
