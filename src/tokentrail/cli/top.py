"""`tokentrail top`: a live table of who spends tokens now."""

from __future__ import annotations

import time

import click

from tokentrail.cli.address import dsn_option
from tokentrail.cli.errors import Misuse
from tokentrail.cli.filters import Dimensions, FilteredCommand, chosen, filter_options
from tokentrail.cli.live import Connection, interval_option
from tokentrail.cli.screen import Screen
from tokentrail.cli.spending import SORTS, WINDOWS, View, look, screen_lines
from tokentrail.cli.stdout import is_terminal, write_text
from tokentrail.cli.suggest import Choice
from tokentrail.process.signals import ended_by_signals

__all__ = ["command"]


@click.command(name="top", cls=FilteredCommand)
@dsn_option
@click.option("--by", default="model", show_default=True, type=Dimensions(), metavar="DIMENSIONS", help="Separated by commas.")
@click.option("--window", default="15m", show_default=True, type=Choice(tuple(WINDOWS)), help="How far back.")
@click.option("--sort", default="tokens", show_default=True, type=Choice(SORTS), help="The largest first.")
@click.option("--cost", is_flag=True, help="What it costs too.")
@click.option("--rows", type=click.IntRange(1, 1000), metavar="ROWS", help="At most this many rows.  [default: what fits the terminal, else 20]")
@click.option("-n", "--times", type=click.IntRange(1), metavar="LOOKS", help="End after so many looks.  [default: go on until q or Ctrl-C]")
@interval_option(2.0)
@filter_options
def command(*, dsn: str, by: list[str], window: str, sort: str, cost: bool, rows: int | None, times: int | None, interval: float) -> None:
    """Show who spends tokens now, as top shows processes: the last minutes, and the change against as many before.

    At a terminal keys change the view: b and B the dimension, w and W the window, s and S the order; space pauses, q ends. Elsewhere each look is
    printed as a table below the last one. A server that goes away is awaited.

    \b
    Example:
        tokentrail top --by tenant_id,model --window 1h --sort calls
        tokentrail top -n 1 --cost --environment production
    """
    if sort == "cost" and not cost:
        raise click.UsageError("--sort cost needs --cost.")
    view = View(by, window, sort, cost, chosen())
    connection = Connection(dsn)
    with ended_by_signals():
        try:
            if is_terminal():
                Screen(connection, view, rows, interval, times).run()
            else:
                _print(connection, view, rows or 20, interval, times)
        finally:
            connection.close()


def _print(connection: Connection, view: View, rows: int, interval: float, times: int | None) -> None:
    """Prints looks one below the other."""
    looks = 0
    while True:
        seen = connection.ask(lambda client: look(client, view))
        if seen is None and not looks:
            raise Misuse(connection.problem)
        lines = (
            [f"waiting for ClickHouse: {connection.problem}"]
            if seen is None
            else screen_lines(seen, view, width=None, rows=rows, address=connection.address)
        )
        write_text("\n".join([*lines, "", ""]))
        looks += 1
        if looks == times:
            return
        time.sleep(connection.pause(interval))
