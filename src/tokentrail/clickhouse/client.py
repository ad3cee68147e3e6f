"""Clients of ClickHouse with one protocol: a server over HTTP (clickhouse-connect) or the engine in this process (chDB).

Both answer in `JSONCompact`, so a value is the same Python value from both: numbers, text, `None`, lists; times are text in UTC.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from tokentrail.clickhouse.driver import opened
from tokentrail.clickhouse.dsn import DEFAULT_DSN, LOCK_FILE, Dsn, DsnError, parse_dsn
from tokentrail.clickhouse.errors import NOT_ENOUGH_SPACE, READONLY, ClickHouseError, failed
from tokentrail.clickhouse.literals import Parameter, identifier, lines, parameter, readonly, text_literal
from tokentrail.clickhouse.rows import Result, decode
from tokentrail.clickhouse.streams import Stream, of_response, request, with_sentences
from tokentrail.private_files import make_folder, open_file

__all__ = ["DEFAULT_DSN", "OLDEST_VERSION", "ClickHouseError", "Client", "Result", "connect"]

OLDEST_VERSION: Final = (24, 8)
"""The oldest ClickHouse supported: a long-term release whose analyzer (the default since 24.3) prunes columns and pushes filters on `ts` through the
two branches of the view `usage`, and takes lambdas as aliases in materialized views."""

LONGEST_WAIT: Final = 600.0
"""Seconds that a server may take for the first byte of an answer."""

_Answer = TypeVar("_Answer")


class Client(Protocol):
    """The methods of a ClickHouse client. All methods raise `ClickHouseError`."""

    @property
    def database(self) -> str:
        """The database of statements that name none."""

    @property
    def address(self) -> str:
        """The address of the server or engine, without a password: for messages."""

    def query(self, sql: str, parameters: Mapping[str, Parameter] | None = None, *, read_only: bool = False) -> Result:
        """Runs one statement and returns its rows. `parameters` fill `{name:Type}`; `read_only` makes the engine refuse statements that write."""

    def stream(self, sql: str, written: str, *, read_only: bool = False, settings: Mapping[str, str] | None = None) -> AbstractContextManager[Stream]:
        """Runs one statement and streams its answer, in the format of the statement's FORMAT clause, else in `written`.

        `settings` apply if the user has the right to change settings. Leaving the context before the end stops the query.
        """

    def command(self, sql: str, parameters: Mapping[str, Parameter] | None = None) -> None:
        """Runs one statement that returns no rows."""

    def insert_json(self, table: str, rows: Iterable[Mapping[str, Any]], settings: Mapping[str, str] | None = None) -> None:
        """Inserts rows in one block, under settings of the engine; columns that a row does not contain get their defaults."""

    def use(self, database: str) -> None:
        """Makes `database` the database of statements that name none."""

    def close(self) -> None:
        """Closes the connection or the engine."""


class HttpClient:
    """A ClickHouse server, over HTTP."""

    def __init__(self, dsn: Dsn, *, patience: float) -> None:
        self.database = ""
        self.address = dsn.shown
        self._settable: dict[str, bool] = {}
        self.driver = opened(dsn, patience)

    def query(self, sql: str, parameters: Mapping[str, Parameter] | None = None, *, read_only: bool = False) -> Result:
        def ask(settings: dict[str, str]) -> bytes:
            return self.driver.raw_query(sql, parameters=dict(parameters or {}), settings=settings, fmt="JSONCompact")

        return decode(self._request(ask, {"readonly": readonly(sql)} if read_only else {}))

    @contextmanager
    def stream(self, sql: str, written: str, *, read_only: bool = False, settings: Mapping[str, str] | None = None) -> Iterator[Stream]:
        wanted = ({"readonly": readonly(sql)} if read_only else {}) | dict(settings or {})
        with closing(self._request(partial(request, self.driver, sql, written), wanted)) as response:
            yield of_response(response, written)

    def _request(self, ask: Callable[[dict[str, str]], _Answer], wanted: Mapping[str, str]) -> _Answer:
        try:
            return ask({name: value for name, value in wanted.items() if self._can_set(name)})
        except Exception as error:
            raise failed(error, self.address) from None

    def _can_set(self, name: str) -> bool:
        """Whether statements may be sent with this setting. A user whose profile is read-only may not set `readonly`, and need not.

        The check is a statement without effect: a refusal of the user's own statement may come from `SETTINGS readonly = 0` in that statement.
        """
        if self._settable.get("readonly"):  # a user who may set `readonly` may set all settings
            return True
        if name not in self._settable:
            try:
                self.driver.raw_query("SELECT 1", settings={name: "1" if name != "readonly" else "2"}, fmt="Null")
                self._settable[name] = True
            except Exception as error:
                # clickhouse-connect raises by the server's list of settings, without a request
                if failed(error, self.address).code != READONLY and f"Setting {name} is readonly" not in str(error):
                    raise
                self._settable[name] = False
        return self._settable[name]

    def command(self, sql: str, parameters: Mapping[str, Parameter] | None = None) -> None:
        try:
            self.driver.command(sql, parameters=dict(parameters or {}))
        except Exception as error:
            raise failed(error, self.address) from None

    def insert_json(self, table: str, rows: Iterable[Mapping[str, Any]], settings: Mapping[str, str] | None = None) -> None:
        try:
            self.driver.raw_insert(table, insert_block=lines(rows), fmt="JSONEachRow", settings=dict(settings or {}))
        except Exception as error:
            raise failed(error, self.address) from None

    def use(self, database: str) -> None:
        self.database = database
        self.driver.database = database

    def close(self) -> None:
        self.driver.close()
        self.driver.http.clear()  # type: ignore[attr-defined]  # the pool is this client's own


class EngineClient:
    """The embedded engine on a folder, in this process: one folder per process, and one process per folder."""

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        from tokentrail.embedded.library import opener  # noqa: PLC0415 - needs the extra `embedded`

        try:
            self._open_session: Callable[[Path], Any] = opener()
        except ImportError:
            raise ClickHouseError("the embedded ClickHouse needs chdb: pip install 'tokentrail[embedded]'") from None
        except Exception as error:
            raise ClickHouseError(f"chDB cannot be loaded: {error}") from None
        self.database = ""
        self.address = f"chdb://{folder}"
        self._folder = folder
        if not create and not folder.is_dir():
            raise ClickHouseError(f"there is no folder {folder}: `tokentrail migrate --dsn {self.address}` makes one")
        try:
            make_folder(folder, parents=True)
        except OSError as error:
            raise ClickHouseError(f"cannot use the folder {folder}: {error.strerror}") from None
        _refuse_if_served(folder)
        self._session = self._open()
        self._failed_writes = self._count_failed_writes()

    def _open(self) -> Any:
        try:
            return self._open_session(self._folder)
        except Exception as error:
            if "already initialized with path" in str(error):
                raise ClickHouseError(f"cannot open {self._folder}: this process already has an embedded engine on another folder") from None
            held = "another process holds it (is `tokentrail serve` running on it? then use its http:// address), or it cannot be written"
            raise ClickHouseError(f"cannot open {self._folder}: {held}") from None

    def query(self, sql: str, parameters: Mapping[str, Parameter] | None = None, *, read_only: bool = False) -> Result:
        if not read_only:
            return self._run(self._session, sql, parameters)
        session = self._open()  # a separate session: a read-only session stays read-only
        try:
            self._use(session)
            session.query(f"SET readonly = {readonly(sql)}")
            return self._run(session, sql, parameters)
        finally:
            session.close()

    @contextmanager
    def stream(self, sql: str, written: str, *, read_only: bool = False, settings: Mapping[str, str] | None = None) -> Iterator[Stream]:
        from tokentrail.embedded.pieces import EngineError, answer  # noqa: PLC0415 - needs the extra `embedded`
        from tokentrail.embedded.statement import read_only_level  # noqa: PLC0415 - same

        with closing(self._open()) as session:
            try:
                self._use(session)
                for name, value in (settings or {}).items():
                    session.query(f"SET {name} = {value}")
                if read_only:
                    session.query(f"SET readonly = {read_only_level(sql.encode())}")
                spelt, pieces = answer(session, sql.encode(), written)
            except (RuntimeError, EngineError) as error:
                raise failed(error, self.address) from None
            with closing(pieces):
                yield Stream(spelt, with_sentences(pieces))

    def _use(self, session: Any) -> None:
        if self.database:
            session.query(f"USE {identifier(self.database)}")

    def _run(self, session: Any, sql: str, parameters: Mapping[str, Parameter] | None) -> Result:
        try:
            answer = session.query(sql, "JSONCompact", params={name: parameter(value) for name, value in (parameters or {}).items()})
        except Exception as error:
            self._renew()
            raise failed(error, self.address) from None
        return decode(answer.bytes() or b"")

    def _renew(self) -> None:
        """Replaces the session after a failed statement, whose output chDB may prepend to the session's next answer."""
        failed, self._session = self._session, self._open()
        failed.close()
        self._use(self._session)

    def _count_failed_writes(self) -> int:
        from tokentrail.embedded.writes import FAILED_WRITES  # noqa: PLC0415 - needs the extra `embedded`

        return int(self._run(self._session, FAILED_WRITES, None).rows[0][0])

    @contextmanager
    def checked(self) -> Iterator[None]:
        """Raises `ClickHouseError` after a block if the disk has not taken all that was written, which chDB does not say."""
        yield
        before, self._failed_writes = self._failed_writes, self._count_failed_writes()
        if self._failed_writes > before:
            raise ClickHouseError(f"the disk of {self._folder} is full, or it fails: make room there, and repeat what was asked", NOT_ENOUGH_SPACE)

    def command(self, sql: str, parameters: Mapping[str, Parameter] | None = None) -> None:
        from tokentrail.embedded.writes import EngineError, changes_definitions  # noqa: PLC0415 - needs the extra `embedded`

        try:
            changes_definitions(sql, self._folder)
        except EngineError as error:
            raise failed(error, self.address) from None
        with self.checked():
            self._run(self._session, sql, parameters)

    def insert_json(self, table: str, rows: Iterable[Mapping[str, Any]], settings: Mapping[str, str] | None = None) -> None:
        block = lines(rows)
        if not block:
            return
        under = ", ".join(f"{name} = {text_literal(value)}" for name, value in (settings or {}).items())
        clause = f" SETTINGS {under}" if under else ""
        # one statement with the data: chDB 4.4's `send_insert` reports success after a constraint, a view or the disk has refused the rows
        with self.checked():
            self._store(f"INSERT INTO {identifier(table)}{clause} FORMAT JSONEachRow\n{block.decode()}")

    def _store(self, statement: str) -> None:
        try:
            self._session.query(statement, "Null")
        except Exception as error:
            self._renew()
            raise failed(error, self.address) from None

    def use(self, database: str) -> None:
        self.command(f"USE {identifier(database)}")
        self.database = database

    def close(self) -> None:
        self._session.close()


def connect(dsn: str = DEFAULT_DSN, *, create: bool = False, patience: float = LONGEST_WAIT) -> Client:
    """Opens a DSN and checks the version: `http(s)://user:password@host:port/database`, or `chdb:///folder?database=…`.

    `create`: the database, and the engine's folder, need not exist yet (for `migrate`); then no database is in use until `use` is called.
    `patience`: seconds without a byte of an answer after which a server is given up.
    Raises `ClickHouseError` with one sentence: the cause, and what to do.
    """
    try:
        parsed = parse_dsn(dsn)
    except DsnError as error:
        raise ClickHouseError(str(error)) from None
    client: Client = EngineClient(Path(parsed.folder), create=create) if parsed.scheme == "chdb" else HttpClient(parsed, patience=patience)
    try:
        _check_and_use(client, parsed.database, may_be_missing=create)
    except ClickHouseError:
        client.close()
        raise
    return client


def _check_and_use(client: Client, database: str, *, may_be_missing: bool) -> None:
    version = str(client.query("SELECT version()").rows[0][0])
    if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < OLDEST_VERSION:
        oldest = ".".join(str(part) for part in OLDEST_VERSION)
        raise ClickHouseError(f"ClickHouse at {client.address} is version {version}, too old: tokentrail needs {oldest} or newer")
    if client.query("SELECT 1 FROM system.databases WHERE name = {name:String}", {"name": database}).rows:
        client.use(database)
    elif not may_be_missing:
        raise ClickHouseError(f"there is no database {database} at {client.address}: run `tokentrail migrate --dsn {client.address}`")


def _refuse_if_served(folder: Path) -> None:
    """Raises `ClickHouseError` with the process that serves the folder, from the lock file; chDB's own error states only that it could not start."""
    try:
        with os.fdopen(open_file(folder / LOCK_FILE, os.O_RDONLY)) as file:
            holder = file.read(64).strip()
            if holder == str(os.getpid()):
                return
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ClickHouseError(
            f"cannot open {folder}: process {holder or 'unknown'} serves it; speak to that one over HTTP, by default at {DEFAULT_DSN}"
        ) from None
    except OSError:
        return  # the folder was never served, or the lock file cannot be read: chDB decides
