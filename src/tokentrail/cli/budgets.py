"""`tokentrail budgets`: what may be spent, and what is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import click

from tokentrail.budgets import store
from tokentrail.budgets.budget import FILTERS, PERIODS, budget
from tokentrail.budgets.files import read
from tokentrail.cli.address import dsn_option, opened
from tokentrail.cli.errors import Misuse
from tokentrail.cli.output import echo_batches, format_option, print_table
from tokentrail.cli.paths import NamedPath
from tokentrail.cli.stdout import say
from tokentrail.cli.suggest import Group
from tokentrail.ledger.query import answer
from tokentrail.toml_files import FileError
from tokentrail.wording import counted

__all__ = ["command"]

_HEADINGS: Final = ("budget", "of", "per", "unit", "amount", "spent", "spent %", "forecast", "forecast %", "pace 1h", "pace 24h", "note")
_CENT: Final = Decimal("0.01")


@click.group(name="budgets", cls=Group)
def command() -> None:
    """What may be spent, in tokens or money, per tenant, operation, provider, model, service or environment.

    Each change is a new version; the latest of each budget counts. `tokentrail query budgets` has all numbers and says what each means.

    \b
    Example:  tokentrail budgets set acme --money 500 --currency EUR --per month --timezone Europe/Madrid --tenant acme
              tokentrail budgets set all --tokens 20000000 --per day
              tokentrail budgets list
    """


@command.command(name="list")
@dsn_option
@format_option
def list_command(*, dsn: str, output_format: str) -> None:
    """List the budgets and what is spent of each.

    The forecast goes on at the average pace of as long a time as a period lasts. A pace of 1 spends the amount in just a period.
    """
    with opened(dsn) as client:
        found = answer(client, "budgets")
    if output_format != "table":
        echo_batches(found.columns, [found.rows], output_format)
    elif found.rows:
        print_table(_HEADINGS, [_row(row) for row in found.dicts()], counts=("amount", "spent", "forecast"))
    else:
        say("no budget is set: tokentrail budgets set --help")


@command.command(name="set")
@click.argument("name")
@click.option("--tokens", metavar="NUMBER", help="So many input and output tokens.")
@click.option("--money", metavar="AMOUNT", help="So much money, by the prices at the time of each call (tokentrail prices).")
@click.option("--currency", help="The currency of the money.  [default: USD]")
@click.option("--per", required=True, type=click.Choice(PERIODS), help="The period; a week begins on Monday.")
@click.option("--timezone", help="The time zone in which a period begins.  [default: UTC]")
@click.option("--tenant", multiple=True, help="Only usages of this tenant; may be repeated.")
@click.option("--operation", multiple=True, help="Only this operation; may be repeated.")
@click.option("--provider", multiple=True, help="Only this provider; may be repeated.")
@click.option("--model", multiple=True, help="Only this model, by its whole name; may be repeated.")
@click.option("--service", multiple=True, help="Only this service; may be repeated.")
@click.option("--environment", multiple=True, help="Only this environment; may be repeated.")
@dsn_option
def set_command(*, dsn: str, **given: Any) -> None:
    """Set the budget NAME, in place of the one of this name.

    \b
    Example:  tokentrail budgets set acme --money 500 --currency EUR --per month --tenant acme
    """
    values = {key: list(value) if isinstance(value, tuple) else value for key, value in given.items() if value not in (None, ())}
    try:
        new = budget("the budget", values)
        with opened(dsn) as client:
            store.put(client, [new])
    except FileError as error:
        raise Misuse(f"{error}.") from None
    say(f"{new.name}: set")


@command.command()
@click.argument("file", type=NamedPath())
@click.option("--check", is_flag=True, help="Only check the file.")
@dsn_option
def load(*, file: Path, check: bool, dsn: str) -> None:
    """Set the budgets of FILE (TOML), in place of all that were set before.

    \b
    timezone = "Europe/Madrid" # left out: UTC
    [[budget]]
    name = "acme"
    per = "month"              # day, week (from Monday), month, quarter, year
    money = "500"              # or tokens = 20_000_000
    currency = "EUR"           # of money; left out: USD
    tenant = "acme"            # or a list; so are operation, provider, model, service, environment
    """
    try:
        budgets = read(file)
        if check:
            say(f"{file} is well: {counted(len(budgets), 'budget')}")
            return
        with opened(dsn) as client:
            gone = store.load(client, budgets)
    except FileError as error:
        raise Misuse(f"{error}.") from None
    say(f"{counted(len(budgets), 'budget')} set" + (f", and removed: {', '.join(gone)}" if gone else ""))


@command.command()
@click.argument("names", metavar="NAME…", nargs=-1, required=True)
@dsn_option
def remove(*, names: tuple[str, ...], dsn: str) -> None:
    """Remove budgets; their former versions stay in the table `budgets`."""
    try:
        with opened(dsn) as client:
            store.remove(client, names)
    except FileError as error:
        raise Misuse(f"{error}.") from None
    say(f"removed: {', '.join(dict.fromkeys(names))}")


def _row(found: Mapping[str, Any]) -> Sequence[Any]:
    money = bool(found["currency"])
    return [
        found["name"],
        "; ".join(f"{word} {', '.join(value or '(none)' for value in found[name])}" for name, word in FILTERS.items() if found[name]) or "all",
        found["period"] if found["timezone"] == "UTC" else f"{found['period']}, {found['timezone']}",
        found["currency"] or "tokens",
        _amount(found["amount"], money=money),
        _amount(found["spent"], money=money),
        _percent(found["share"]),
        _amount(found["forecast"], money=money),
        _percent(found["forecast_share"]),
        round(float(found["burn_1h"]), 2),
        round(float(found["burn_24h"]), 2),
        _note(found),
    ]


def _amount(amount: Decimal, *, money: bool) -> Decimal | int:
    """Returns the number without digits that nobody pays."""
    if not money:
        return int(amount)
    return amount if amount and abs(amount) < _CENT else amount.quantize(_CENT)


def _percent(share: float) -> float:
    return round(float(share) * 100, 1)


def _note(found: Mapping[str, Any]) -> str:
    """Returns what makes the number less than sure: calls in no cost, and estimates."""
    notes = []
    if found["is_lower_bound"]:
        unpriced = found["unpriced_calls"] if found["currency"] else 0
        notes.append(f"at least: {counted(unpriced, 'call')} without a price" if unpriced else "at least: not all is known")
    if found["estimated_share"]:
        notes.append(f"{_percent(found['estimated_share'])} % estimated")
    return ", ".join(notes)
