"""The rows of a PostgreSQL table, streamed through a cursor of the server, in one read-only snapshot. Every value comes as a text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tokentrail.toml_files import FileError

__all__ = ["Table", "opened"]

FETCHED: Final = 5_000
CONNECT_S: Final = 15
_COLUMNS: Final = (
    "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
    " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
)
_PRIMARY_KEY: Final = (
    "SELECT a.attname FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, at)"
    " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE i.indrelid = %s::regclass AND i.indisprimary ORDER BY k.at"
)


@dataclass(frozen=True, slots=True)
class Table:
    """A table or a view: its name in full, its columns with their types, and its primary key."""

    connection: psycopg.Connection[Any]
    database: str
    schema: str
    name: str
    types: Mapping[str, str]
    primary_key: Sequence[str]

    @property
    def shown(self) -> str:
        """The name, with its schema."""
        return f"{self.schema}.{self.name}"

    def rows(
        self, columns: Sequence[str], times: str, zone: str, since: str | None = None, until: str | None = None
    ) -> Iterator[dict[str, str | None]]:
        """Yields the rows, as texts. `times` is the column of `since` and `until`, UTC times of which `until` is excluded; `zone` is its zone."""
        chosen = sql.SQL(", ").join(self._text(column) for column in columns)
        wanted = [(sql.SQL(">="), since), (sql.SQL("<"), until)]
        bounds = [sql.SQL("{} {} {}::timestamptz").format(self._moment(times, zone), sign, sql.Literal(f"{at}+00")) for sign, at in wanted if at]
        where = sql.SQL(" WHERE ") + sql.SQL(" AND ").join(bounds) if bounds else sql.SQL("")
        query = sql.SQL("SELECT {} FROM {}").format(chosen, sql.Identifier(self.schema, self.name)) + where
        with self.connection.cursor("tokentrail_import") as cursor:
            cursor.itersize = FETCHED
            for row in cursor.execute(query):
                yield dict(zip(columns, row, strict=True))

    def _text(self, column: str) -> sql.Composable:
        """Returns a column as a text. A time is a number of seconds, since 'infinity' and years before Christ are no times of Python."""
        name = sql.Identifier(column)
        if self.types[column].startswith("timestamp") and "with time zone" in self.types[column]:
            return sql.SQL("extract(epoch FROM {})::text").format(name)
        return sql.SQL("{}::text").format(name)

    def _moment(self, column: str, zone: str) -> sql.Composable:
        name, kind = sql.Identifier(column), self.types[column]
        if not kind.startswith(("timestamp", "date")):
            raise FileError(f"{self.shown}: {column} is {kind}, and --from and --to need a column of times")
        return name if "with time zone" in kind else sql.SQL("({} AT TIME ZONE {})").format(name, sql.Literal(zone))


@contextmanager
def opened(dsn: str, table: str) -> Iterator[Table]:
    """Opens a table in a read-only snapshot. Raises `FileError`, one sentence without the address's password, for what cannot be reached or read."""
    try:
        host = conninfo_to_dict(dsn)
    except psycopg.Error:
        raise FileError("--dsn is no address of PostgreSQL: write postgresql://user:password@host:5432/database, or host=… dbname=…") from None
    shown = f"{host.get('host') or 'localhost'}/{host.get('dbname') or ''}".rstrip("/")
    try:
        with psycopg.connect(dsn, connect_timeout=CONNECT_S, application_name="tokentrail import") as connection:
            connection.read_only = True
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            yield _found(connection, table)
    except psycopg.OperationalError as error:
        raise FileError(f"PostgreSQL at {shown} cannot be used: {_first_line(error)}") from None
    except psycopg.Error as error:
        raise FileError(f"PostgreSQL at {shown} refuses: {_first_line(error)}") from None


def _first_line(error: psycopg.Error) -> str:
    return str(error.diag.message_primary or error).strip().splitlines()[0]


def _found(connection: psycopg.Connection[Any], table: str) -> Table:
    row = connection.execute(
        "SELECT n.nspname, c.relname, c.oid::text, current_database() FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.oid = coalesce(to_regclass(%s), to_regclass(%s))",
        [table, sql.Identifier(*table.split(".")).as_string(connection)],
    ).fetchone()
    if row is None:
        raise FileError(f"there is no table {table} in the database {connection.info.dbname}")
    types = dict(connection.execute(_COLUMNS, [row[2]]).fetchall())
    keyed = connection.execute(_PRIMARY_KEY, [row[2]]).fetchall()
    return Table(connection, row[3], row[0], row[1], types, [name for (name,) in keyed])
