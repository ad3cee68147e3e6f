"""The rows of a PostgreSQL table, streamed through a cursor of the server, in one read-only snapshot. Every value comes as a text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.string import TextLoader

from tokentrail.toml_files import FileError

__all__ = ["Table", "opened"]

FETCHED: Final = 5_000
CONNECT_S: Final = 15
_SETTINGS: Final = {
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "3",
    "timezone": "UTC",
    "idle_in_transaction_session_timeout": "0",
}
"""Settings on which the text of a value depends, and so a row's key; and the time for which the import may wait for the Collector."""
UNKNOWN: Final = "SQL_ASCII"
"""The encoding of a database whose texts are bytes: the server would compare them with any other encoding, and refuse."""
_SET: Final = (
    "SELECT set_config(name, wanted.value, true) FROM pg_settings JOIN unnest(%s::text[], %s::text[]) AS wanted(setting, value)"
    " ON lower(name) = wanted.setting"
)
_TABLE: Final = (
    "SELECT n.nspname::text, c.relname::text, c.oid::text, current_database()::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.oid = coalesce(to_regclass(%s), to_regclass(%s))"
)
_COLUMNS: Final = (
    "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute"
    " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
)
_PRIMARY_KEY: Final = (
    "SELECT a.attname::text FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, at)"
    " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE i.indrelid = %s::regclass AND i.indisprimary"
    " AND k.at <= i.indnkeyatts ORDER BY k.at"  # behind these stand the columns of INCLUDE
)


class _Text(TextLoader):
    """Reads a text of any database: one in SQL_ASCII has bytes of no known encoding, which stay different from all others."""

    def load(self, data: Any) -> str:
        """Returns the text."""
        return bytes(data).decode("utf-8", "backslashreplace")


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
        """Yields the rows, as texts. Raises `FileError` where the server ends or refuses meanwhile.

        `times` is the column of `since` and `until`, UTC times of which `until` is excluded; `zone` is its zone.
        """
        chosen = sql.SQL(", ").join(self._text(column) for column in columns)
        moment = self._moment(times, zone)
        wanted = [(sql.SQL(">="), since), (sql.SQL("<"), until)] if moment is not None else []
        bounds = [sql.SQL("{} {} {}::timestamptz").format(moment, sign, sql.Literal(f"{at}+00")) for sign, at in wanted if at]
        where = sql.SQL(" WHERE ") + sql.SQL(" AND ").join(bounds) if bounds else sql.SQL("")
        query = sql.SQL("SELECT {} FROM {}").format(chosen, sql.Identifier(self.schema, self.name)) + where
        try:
            with self.connection.cursor("tokentrail_import") as cursor:
                cursor.itersize = FETCHED
                for row in cursor.execute(query):
                    yield dict(zip(columns, row, strict=True))
        except psycopg.Error as error:
            raise FileError(f"PostgreSQL cannot go on with {self.shown}: {_first_line(error)}") from None

    def _text(self, column: str) -> sql.Composable:
        """Returns a column as a text. A time is a number of seconds, since 'infinity' and years before Christ are no times of Python."""
        kind = self.types[column]
        form = "extract(epoch FROM {})::text" if kind.startswith("interval") or _has_zone(kind) else "{}::text"
        return sql.SQL(form).format(sql.Identifier(column))

    def _moment(self, column: str, zone: str) -> sql.Composable | None:
        """Returns the time of a row; None where the column has another type, such as a number: then each row is compared after it is read."""
        name, kind = sql.Identifier(column), self.types[column]
        if _has_zone(kind):
            return name
        is_time = kind == "date" or (kind.startswith("timestamp") and not kind.endswith("[]"))
        return sql.SQL("({}::timestamp AT TIME ZONE {})").format(name, sql.Literal(zone)) if is_time else None


def _has_zone(kind: str) -> bool:
    return kind.startswith("timestamp") and kind.endswith("with time zone")


@contextmanager
def opened(dsn: str, table: str) -> Iterator[Table]:
    """Opens a table in a read-only snapshot. Raises `FileError`, one sentence without the address's password, for what cannot be reached or read."""
    try:
        host = conninfo_to_dict(dsn)
    except psycopg.Error:
        raise FileError("--dsn is no address of PostgreSQL: write postgresql://user:password@host:5432/database, or host=… dbname=…") from None
    shown = f"{host.get('host') or 'localhost'}/{host.get('dbname') or ''}".rstrip("/")
    try:
        with psycopg.connect(dsn, connect_timeout=CONNECT_S, application_name="tokentrail import", client_encoding="UTF8") as connection:
            connection.read_only = True
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.adapters.register_loader("text", _Text)
            settings = _SETTINGS | {"client_encoding": UNKNOWN} if connection.info.parameter_status("server_encoding") == UNKNOWN else _SETTINGS
            connection.execute(_SET, [list(settings), list(settings.values())])
            yield _found(connection, table)
    except psycopg.OperationalError as error:
        raise FileError(f"PostgreSQL at {shown} cannot be used: {_first_line(error)}") from None
    except psycopg.Error as error:
        raise FileError(f"PostgreSQL at {shown} refuses: {_first_line(error)}") from None


def _first_line(error: psycopg.Error) -> str:
    return str(error.diag.message_primary or error).strip().splitlines()[0]


def _found(connection: psycopg.Connection[Any], table: str) -> Table:
    folded = sql.Identifier(*table.lower().split(".")).as_string(connection)
    as_given = sql.Identifier(*table.split(".")).as_string(connection)
    row = connection.execute(_TABLE, [table if '"' in table else folded, as_given]).fetchone()
    if row is None:
        raise FileError(f"there is no table {table} in the database {connection.info.dbname}")
    types = dict(connection.execute(_COLUMNS, [row[2]]).fetchall())
    keyed = connection.execute(_PRIMARY_KEY, [row[2]]).fetchall()
    return Table(connection, row[3], row[0], row[1], types, [name for (name,) in keyed])
