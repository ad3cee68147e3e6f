"""`tokentrail prices`: price lists in ClickHouse."""

from __future__ import annotations

from pathlib import Path

import click

from tokentrail.cli.address import dsn_option, opened
from tokentrail.cli.errors import Misuse
from tokentrail.cli.output import echo_batches, format_option, print_table
from tokentrail.cli.paths import NamedPath
from tokentrail.cli.stdout import say
from tokentrail.cli.suggest import Group
from tokentrail.cli.working import working
from tokentrail.prices.files import read
from tokentrail.prices.price import PriceError, PriceList
from tokentrail.prices.store import load as load_list
from tokentrail.prices.store import loaded
from tokentrail.wording import counted

__all__ = ["command"]


@click.group(name="prices", cls=Group)
def command() -> None:
    """What tokens cost: a public list, and prices of one's own, which come first.

    Each load is a new version; the latest of each source counts, for past calls too. `tokentrail report --cost`, `tokentrail query cost` and the
    view `usage_cost` show the money; `tokentrail query prices` shows which price each model has, and which have none.

    \b
    Example:  tokentrail prices update             the public list of the installed genai-prices
              tokentrail prices load ours.toml     negotiated prices, machines of one's own
    """


@command.command(name="list")
@dsn_option
@format_option
def list_command(*, dsn: str, output_format: str) -> None:
    """List the price lists that are loaded."""
    with opened(dsn) as client:
        lists = loaded(client)
    columns = ["source", "loaded_at", "prices", "providers", "models", "versions"]
    rows = [[each[name] for name in columns] for each in lists]
    if output_format != "table":
        echo_batches(columns, [rows], output_format)
    elif rows:
        print_table([name.replace("_at", "") for name in columns], rows, counts=["prices"])
    else:
        say("no list is loaded: tokentrail prices update loads a public one")


@command.command()
@click.argument("file", type=NamedPath())
@click.option("--gaps", is_flag=True, help="Allow times without a price between two prices of a model.")
@click.option("--check", is_flag=True, help="Only check the file.")
@dsn_option
def load(*, file: Path, gaps: bool, check: bool, dsn: str) -> None:
    """Load prices and rates of exchange of your own from FILE (TOML), in place of those that were loaded before.

    \b
    currency = "USD"
    [[price]]
    provider = "openai"        # as in the ledger; "*" for any
    model = "gpt-4o*"          # * stands for any characters; case is of no matter, of A to Z
    from = 2026-01-01          # and to; left out: always
    input = "2.50"             # per million tokens: input, output, cache_read, cache_write, cache_write_1h, reasoning,
    output = 10                # audio_input, audio_output, image_input, image_output; or call, or hour (of the calls' durations)
    batch = { input = 1.25, output = 5 }
    steps = [{ above = 200000, input = 5, output = 15 }]
    [[rate]]                   # of exchange, until the next one of the currency: report --cost --currency EUR; a file may have rates alone
    currency = "EUR"
    from = 2026-11-01
    usd = "1.08"
    """
    try:
        prices = read(file, gaps=gaps)
        if not check:
            _load(prices, dsn)
            return
    except PriceError as error:
        raise Misuse(f"{error}.") from None
    say(f"{file} is well: {_counted(len(prices.prices), len(prices.exchange))}")


@command.command()
@dsn_option
def update(*, dsn: str) -> None:
    """Load the public list of the installed package genai-prices. A newer list comes with a newer version of the package."""
    from tokentrail.prices.public import public_list  # noqa: PLC0415 - 2,300 models

    prices = public_list()
    for sentence in prices.left_out:
        say(f"left out: {sentence}", err=True)
    try:
        _load(prices, dsn)
    except PriceError as error:
        raise Misuse(f"{error}.") from None


def _load(prices: PriceList, dsn: str) -> None:
    with opened(dsn) as client, working(f"loading {counted(len(prices.prices), 'price')}"):
        done = load_list(client, prices)
    say(f"{done.source}: {_counted(done.prices, done.rates)} loaded")


def _counted(prices: int, rates: int) -> str:
    return " and ".join([counted(prices, "price")] * bool(prices) + [counted(rates, "exchange rate")] * bool(rates))
