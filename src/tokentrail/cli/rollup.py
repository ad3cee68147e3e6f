"""`tokentrail rollup`: keeps sums by day, so that questions about many days read little."""

from __future__ import annotations

import sys

import click

from tokentrail.cli.address import dsn_option, opened
from tokentrail.cli.errors import Misuse
from tokentrail.cli.stdout import say
from tokentrail.clickhouse.client import ClickHouseError, connect
from tokentrail.ledger.rollup import Refreshed, refresh
from tokentrail.process.signals import Stop
from tokentrail.wording import counted

__all__ = ["command"]


@click.command(name="rollup")
@dsn_option
@click.option("--rebuild", is_flag=True, help="Build the sums of all days anew, also of those that are up to date.")
@click.option("--watch", is_flag=True, help="Go on, every --interval seconds, until Ctrl-C or SIGTERM; a server that is away is waited for.")
@click.option("--interval", type=click.FloatRange(1), default=600.0, show_default=True, help="Seconds between two refreshes of --watch.")
def command(*, dsn: str, rebuild: bool, watch: bool, interval: float) -> None:
    """Bring the sums by day up to date.

    Reports, questions and dashboards that only add up read these sums where they say what the ledger says, and the ledger for all else: for the
    present day, for days with late arrivals, for hours and other time zones. So the numbers are the same with and without them, and this command only
    makes answers quicker. `tokentrail serve` runs it by itself; beside a ClickHouse server, run it by cron or with --watch.

    A day is open, and not built, until nothing has arrived for it for an hour. Rows that were deleted or restored by hand are not noticed:
    `tokentrail verify` names such days, and --rebuild mends them.

    \b
    Example:
        tokentrail rollup --watch
    """
    if watch:
        with Stop() as stop, stop.on_signals():
            _watch(dsn, stop, interval, every=rebuild)
        return
    with opened(dsn) as client:
        refreshed = refresh(client, every=rebuild, progress=_progress)
    say(_sentence(refreshed))
    if refreshed.late:
        late = counted(len(refreshed.late), "day")
        raise Misuse(f"building took over half an hour: the sums of {late} do not count. Try again when the server is less busy.")


def _watch(dsn: str, stop: Stop, interval: float, *, every: bool) -> None:
    while not stop.asked:
        try:
            client = connect(dsn)
            try:
                refreshed = refresh(client, every=every)
            finally:
                client.close()
        except ClickHouseError as error:
            say(f"waiting: {error}", err=True)
        else:
            every = False
            if refreshed.built or refreshed.late:
                say(_sentence(refreshed))
        stop.wait(interval)


def _sentence(refreshed: Refreshed) -> str:
    built = counted(len(refreshed.built), "day")
    days = f": {refreshed.built[0]}" + (f" to {refreshed.built[-1]}" if len(refreshed.built) > 1 else "") if refreshed.built else ""
    still = f"; {counted(len(refreshed.open), 'day is', 'days are')} open: something has arrived within the hour" if refreshed.open else ""
    return (f"built the sums of {built}{days}" if refreshed.built else "nothing to build") + still


def _progress(done: int, all_days: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{done} of {counted(all_days, 'day')}", nl=done == all_days, err=True)
    elif done == all_days or done % 70 == 0:
        say(f"{done} of {counted(all_days, 'day')}", err=True)
