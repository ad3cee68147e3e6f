"""Inserts a file of Parquet, as it lies on this machine's disk: streamed to a server, read in place by the engine in this process."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tokentrail.clickhouse.client import Client, EngineClient, HttpClient
from tokentrail.clickhouse.errors import failed
from tokentrail.clickhouse.literals import identifier, text_literal

__all__ = ["insert_parquet"]


def insert_parquet(client: Client, table: str, columns: Iterable[str], path: Path) -> None:
    """Inserts a file's columns into a table. Raises `ClickHouseError`; then some of the rows may be stored."""
    names = list(columns)
    if isinstance(client, EngineClient):
        listed = ", ".join(map(identifier, names))
        client.command(
            f"INSERT INTO {identifier(table)} ({listed}) FROM INFILE {text_literal(str(path.absolute()))} COMPRESSION 'none' FORMAT Parquet"
        )
        return
    if not isinstance(client, HttpClient):
        raise TypeError("a client of a server or of the engine")
    try:
        with path.open("rb") as file:
            client.driver.raw_insert(table, column_names=names, insert_block=file, fmt="Parquet")
    except Exception as error:
        raise failed(error, client.address) from None
