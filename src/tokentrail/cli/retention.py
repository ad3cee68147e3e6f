"""`tokentrail retention`: how long usages are kept, by tenant."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from tokentrail.cli.address import dsn_option, opened
from tokentrail.cli.errors import Misuse
from tokentrail.cli.output import echo_rows, format_option, print_table
from tokentrail.cli.suggest import Group
from tokentrail.cli.working import working
from tokentrail.ledger.erasure import erase_again
from tokentrail.ledger.retention import Expired, Rule, enforce, rules, set_rule, unset_rule
from tokentrail.wording import counted

__all__ = ["command"]

_COLUMNS = ("tenant", "days", "keep_sums", "at")
_LONGEST = 36_500
_whose = (
    click.option("--tenant", help="Only this tenant's usages."),
    click.option("--everyone", is_flag=True, help="The usages of all tenants without a rule of their own."),
)


@click.group(name="retention", cls=Group)
def command() -> None:
    """How long usages are kept, by tenant. Without a rule they are kept for good.

    A rule removes nothing by itself: `run` does, by cron; `tokentrail serve` runs it once a day. What it removes is not called lost by `verify`, and
    does not come back when an old record arrives again. The tables of arrivals, spans, logs and metrics have TTLs of their own.

    \b
    Example:  tokentrail retention set --everyone --days 400 --keep-sums
              tokentrail retention set --tenant acme --days 90
              tokentrail retention run --dry-run
    """


@command.command(name="set")
@_whose[0]
@_whose[1]
@click.option("--days", type=click.IntRange(0, _LONGEST), required=True, help="Usages are kept for so many whole days, UTC; 0: for good.")
@click.option("--keep-sums", is_flag=True, help="Keep the sums by day of what is removed (the view usage_kept).")
@dsn_option
def set_command(*, tenant: str | None, everyone: bool, days: int, keep_sums: bool, dsn: str) -> None:
    """Set how long usages are kept, in place of the former rule of the same tenant.

    \b
    Example:  tokentrail retention set --tenant acme --days 90
    """
    _refuse_unclear(tenant, everyone=everyone)
    with opened(dsn) as client:
        set_rule(client, Rule(tenant, days, keep_sums))
    click.echo(f"{_name(tenant)}: {_kept(days)}; tokentrail retention run removes what is older" if days else f"{_name(tenant)}: {_kept(days)}")


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
    click.echo(f"{_name(tenant)}: no rule any more")


@command.command(name="list")
@dsn_option
@format_option
def list_command(*, dsn: str, output_format: str) -> None:
    """List the rules."""
    with opened(dsn) as client:
        found = rules(client)
    if output_format != "table":
        echo_rows(_COLUMNS, [[rule.tenant, rule.days, rule.keep_sums, rule.at] for rule in found], output_format)
    elif found:
        print_table(("whose", "kept", "sums", "since"), [[_name(r.tenant), _kept(r.days), "kept" if r.keep_sums else "", r.at] for r in found])
    else:
        click.echo("there is no rule: usages are kept for good")


@command.command(name="run")
@click.option("--dry-run", is_flag=True, help="Only count what would be removed.")
@click.option("--json", "as_json", is_flag=True, help="Answer one JSON object.")
@dsn_option
def run_command(*, dry_run: bool, as_json: bool, dsn: str) -> None:
    """Remove what is older than the rules say, and what has arrived again of erased tenants. Safe to repeat, and to interrupt.

    \b
    Example:  tokentrail retention run --dry-run
    """
    begun: list[str] = []
    with opened(dsn) as client, working("removing", lambda: begun[-1] if begun else ""):
        done = enforce(client, dry_run=dry_run, began=begun.append)
        again = 0 if dry_run else erase_again(client, began=begun.append)
    if as_json:
        click.echo(json.dumps({"removed": [asdict(each) for each in done], "erased_again": again}, indent=2))
        return
    for each in done:
        click.echo(_sentence(each, dry_run=dry_run))
    if not done:
        click.echo("no rule removes anything")
    if again:
        click.echo(f"{counted(again, 'row')} of erased tenants had arrived again")


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
