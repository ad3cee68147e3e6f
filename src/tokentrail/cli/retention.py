"""`tokentrail retention`: how long usages are kept, by tenant."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from tokentrail.cli.address import dsn_option, opened
from tokentrail.cli.errors import Misuse
from tokentrail.cli.every import every_option
from tokentrail.cli.output import echo_rows, format_option, print_table
from tokentrail.cli.stdout import as_json_text, say
from tokentrail.cli.suggest import Group
from tokentrail.cli.working import working
from tokentrail.clickhouse.client import ClickHouseError
from tokentrail.ledger.erasure import erase_again
from tokentrail.ledger.expiry import EXPIRING, keep_days, kept_days
from tokentrail.ledger.retention import Expired, Rule, enforce, rules, set_rule, unset_rule
from tokentrail.process.signals import Stop
from tokentrail.wording import counted

__all__ = ["command"]

_COLUMNS = ("tenant", "table", "days", "keep_sums", "at")
_LONGEST = 36_500
_whose = (
    click.option("--tenant", help="Only this tenant's usages."),
    click.option("--everyone", is_flag=True, help="The usages of all tenants without a rule of their own."),
)


@click.group(name="retention", cls=Group)
def command() -> None:
    """How long usages are kept, by tenant, and what arrives beside them. Without a rule usages are kept for good.

    A rule is kept in the database and removes nothing by itself: `run` does, by cron or with --every; `tokentrail serve` runs it once a day. What it
    removes is not called lost by `verify`, and does not come back when an old record arrives again. Arrivals, logs, spans and metrics expire by the
    TTLs of their tables, 30 days after they arrived, or as `set --table` says.

    \b
    Example:  tokentrail retention set --everyone --days 400 --keep-sums
              tokentrail retention set --tenant acme --days 90
              tokentrail retention set --table otel_traces --days 7
              tokentrail retention run --every 1d
    """


@command.command(name="set")
@_whose[0]
@_whose[1]
@click.option("--table", type=click.Choice(list(EXPIRING)), help="What arrives, whoever's it is: rows are kept so long after their arrival.")
@click.option("--days", type=click.IntRange(0, _LONGEST), required=True, help="Kept for so many whole days, UTC; 0: for good.")
@click.option("--keep-sums", is_flag=True, help="Keep the sums by day of usages that are removed: totals stay what they were.")
@dsn_option
def set_command(*, tenant: str | None, everyone: bool, table: str | None, days: int, keep_sums: bool, dsn: str) -> None:
    """Set how long usages are kept, in place of the former rule of the same tenant; or how long arrivals, logs, spans and metrics are.

    With --keep-sums reports by whole days count what was removed too. Rows of --table are removed by ClickHouse itself, by whole days, within hours.

    \b
    Example:  tokentrail retention set --tenant acme --days 90
              tokentrail retention set --table otel_logs --days 14
    """
    if table is None:
        _refuse_unclear(tenant, everyone=everyone)
    elif tenant is not None or everyone or keep_sums:
        raise Misuse("--table is for all tenants and has no sums: leave out --tenant, --everyone and --keep-sums.")
    with opened(dsn) as client:
        if table is not None:
            changed = keep_days(client, table, days)
            say(f"{table}: {_kept(days)} after arrival{'' if changed else ', as before'}")
            return
        set_rule(client, Rule(tenant, days, keep_sums))
    say(f"{_name(tenant)}: {_kept(days)}; tokentrail retention run removes what is older" if days else f"{_name(tenant)}: {_kept(days)}")


@command.command(name="unset")
@_whose[0]
@_whose[1]
@dsn_option
def unset_command(*, tenant: str | None, everyone: bool, dsn: str) -> None:
    """Take a rule away: of a tenant, whose usages are then kept as everyone's; or of everyone."""
    _refuse_unclear(tenant, everyone=everyone)
    with opened(dsn) as client:
        if not unset_rule(client, tenant):
            raise Misuse(f"there is no rule of {_name(tenant)}: tokentrail retention list")
    say(f"{_name(tenant)}: no rule any more")


@command.command(name="list")
@dsn_option
@format_option
def list_command(*, dsn: str, output_format: str) -> None:
    """List the rules, and how long what arrives is kept."""
    with opened(dsn) as client:
        found, expiring = rules(client), kept_days(client)
    if output_format != "table":
        rows: list[list[Any]] = [[rule.tenant, None, rule.days, rule.keep_sums, rule.at] for rule in found]
        echo_rows(_COLUMNS, [*rows, *([None, table, days, None, None] for table, days in expiring.items())], output_format)
        return
    shown = [[_name(r.tenant), _kept(r.days), "kept" if r.keep_sums else "", r.at] for r in found]
    if not found:
        say("there is no rule: usages are kept for good")
    print_table(("whose", "kept", "sums", "since"), [*shown, *([table, _kept_after(days), "", ""] for table, days in expiring.items())])


@command.command(name="run")
@click.option("--dry-run", is_flag=True, help="Only count what would be removed.")
@click.option("--json", "as_json", is_flag=True, help="Answer one JSON object; with --every one a line.")
@every_option
@dsn_option
def run_command(*, dry_run: bool, as_json: bool, every: float | None, dsn: str) -> None:
    """Remove what is older than the rules say, and what has arrived again of erased tenants. Safe to repeat, and to interrupt.

    With --every it goes on until SIGTERM or Ctrl-C, and waits for a ClickHouse that is away.

    \b
    Example:  tokentrail retention run --dry-run
              tokentrail retention run --every 1d
    """
    if every is None:
        _run(dsn, dry_run=dry_run, as_json=as_json, indent=2)
        return
    with Stop() as stop, stop.on_signals():
        while not stop.asked:
            try:
                _run(dsn, dry_run=dry_run, as_json=as_json, indent=None)
            except (click.ClickException, ClickHouseError) as error:
                say(f"waiting: {error}", err=True)
            stop.wait(every)


def _run(dsn: str, *, dry_run: bool, as_json: bool, indent: int | None) -> None:
    begun: list[str] = []
    with opened(dsn) as client, working("removing", lambda: begun[-1] if begun else ""):
        done = enforce(client, dry_run=dry_run, began=begun.append)
        again = 0 if dry_run else erase_again(client, began=begun.append)
    if as_json:
        say(as_json_text({"removed": [asdict(each) for each in done], "erased_again": again}, indent=indent))
        return
    for each in done:
        say(_sentence(each, dry_run=dry_run))
    if not done:
        say("no rule removes anything")
    if again:
        say(f"{counted(again, 'row')} of erased tenants had arrived again")


def _sentence(each: Expired, *, dry_run: bool) -> str:
    verb = "would be removed" if dry_run else "removed"
    return f"{_name(each.rule.tenant)}: {counted(each.rows, 'stored row')} from before {each.until[:10]} {verb}"


def _refuse_unclear(tenant: str | None, *, everyone: bool) -> None:
    if (tenant is not None) == everyone:
        raise Misuse("give --tenant or --everyone, one of them.")


def _name(tenant: str | None) -> str:
    return "everyone else" if tenant is None else f"tenant {tenant!r}" if tenant else "usages of no tenant"


def _kept(days: int) -> str:
    return f"kept for {counted(days, 'day')}" if days else "kept for good"


def _kept_after(days: int | None) -> str:
    return "by a TTL of its own" if days is None else f"{_kept(days)} after arrival"
