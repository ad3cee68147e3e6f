"""The address of ClickHouse: the option `--dsn`, the same for every command, and a client for this address."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from tokentrail.cli.errors import Misuse
from tokentrail.clickhouse.client import DEFAULT_DSN, ClickHouseError, Client, connect

__all__ = ["dsn_option", "opened"]

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])


def dsn_option(function: _Decorated) -> _Decorated:
    """Adds `--dsn` to a command."""
    return click.option(
        "--dsn",
        envvar="TOKENTRAIL_CLICKHOUSE_DSN",
        default=DEFAULT_DSN,
        show_default=True,
        show_envvar=True,
        help="ClickHouse: http(s)://user:password@host:port/database, or chdb:///folder for a folder that no `tokentrail serve` holds. "
        "An address with a password belongs in the variable: other users of the machine see arguments.",
    )(function)


@contextmanager
def opened(dsn: str, *, create: bool = False) -> Iterator[Client]:
    """Opens a DSN for a command. Errors of ClickHouse are raised as `Misuse`, one sentence and exit code 2."""
    try:
        client = connect(dsn, create=create)
        try:
            yield client
        finally:
            client.close()
    except ClickHouseError as error:
        raise Misuse(str(error)) from None
