"""One way to speak to ClickHouse: a server over HTTP (clickhouse-connect) or the engine in this process (chDB), behind the same protocol.

Both answer in `JSONCompact`, so a value is the same Python value whichever answers: numbers, text, `None`, lists; times are text in UTC.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from tokentrail.clickhouse.dsn import DEFAULT_DSN, LOCK_FILE, Dsn, DsnError, parse_dsn
from tokentrail.clickhouse.errors import READONLY, ClickHouseError, failed, unreachable
from tokentrail.clickhouse.literals import Parameter, identifier, lines, parameter, readonly
from tokentrail.clickhouse.rows import Result, decode
from tokentrail.clickhouse.streams import Stream, in_sentences, of_response, request

__all__ = ["DEFAULT_DSN", "OLDEST_VERSION", "ClickHouseError", "Client", "Result", "connect"]

OLDEST_VERSION: Final = (24, 8)
"""The oldest ClickHouse supported: a long-term release whose analyzer (the default since 24.3) prunes columns and pushes filters on `ts` through the
two branches of the view `usage`, and takes lambdas as aliases in materialized views."""

_Answer = TypeVar("_Answer")


class Client(Protocol):
    """What this package asks of ClickHouse. All methods raise `ClickHouseError`."""

    @property
    def database(self) -> str:
        """The database that statements without one mean."""

    @property
    def address(self) -> str:
        """Where this speaks to, without a password: for messages."""

    def query(self, sql: str, parameters: Mapping[str, Parameter] | None = None, *, read_only: bool = False) -> Result:
        """Run one statement and return its rows. `parameters` fill `{name:Type}`; `read_only` makes the engine refuse whatever would write."""

    def stream(self, sql: str, written: str, *, read_only: bool = False, settings: Mapping[str, str] | None = None) -> AbstractContextManager[Stream]:
        """Run one statement and give its answer while it is made, in the format that the statement names, else in `written`.

        `settings` hold where the user may set any. Leaving the context before the end stops the query.
        """

    def command(self, sql: str, parameters: Mapping[str, Parameter] | None = None) -> None:
        """Run one statement that returns no rows."""

    def insert_json(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert rows in one block; columns that a row does not name get their defaults."""

    def use(self, database: str) -> None:
        """Make `database` the one that statements without one mean."""

    def close(self) -> None:
        """Give back the connection or the engine."""


class HttpClient:
    """A ClickHouse server, over HTTP."""

    def __init__(self, dsn: Dsn) -> None:
        try:
            import clickhouse_connect  # noqa: PLC0415 - an extra, and 0.3 s that the engine in process does not need
        except ImportError:
            raise ClickHouseError("ClickHouse over HTTP needs clickhouse-connect: pip install 'tokentrail[cli]'") from None
        logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())  # its errors come back as ours, once
        self.database = ""
        self.address = dsn.shown
        self._may: dict[str, bool] = {}
        try:
            self._client = clickhouse_connect.get_client(
                host=dsn.host,
                port=dsn.port,
                interface=dsn.scheme,
                username=dsn.user,
                password=dsn.password,
                verify=dsn.verify,
                ca_cert=dsn.ca_cert,
                connect_timeout=5,
                send_receive_timeout=600,
                autogenerate_session_id=False,
            )
        except Exception as error:
            raise unreachable(dsn, error) from None

    def query(self, sql: str, parameters: Mapping[str, Parameter] | None = None, *, read_only: bool = False) -> Result:
        def ask(settings: dict[str, str]) -> bytes:
            return self._client.raw_query(sql, parameters=dict(parameters or {}), settings=settings, fmt="JSONCompact")

        return decode(self._asked(ask, {"readonly": readonly(sql)} if read_only else {}))

    @contextmanager
    def stream(self, sql: str, written: str, *, read_only: bool = False, settings: Mapping[str, str] | None = None) -> Iterator[Stream]:
        wanted = ({"readonly": readonly(sql)} if read_only else {}) | dict(settings or {})
        with closing(self._asked(partial(request, self._client, sql, written), wanted)) as response:
            yield of_response(response, written)

    def _asked(self, ask: Callable[[dict[str, str]], _Answer], wanted: Mapping[str, str]) -> _Answer:
        try:
            return ask({name: value for name, value in wanted.items() if self._may_set(name)})
        except Exception as error:
            raise failed(error, self.address) from None

    def _may_set(self, name: str) -> bool:
        """Whether statements may be sent with this setting. A user whose profile is read-only may not say so again, and needs not.

        It is found out with a statement of no effect: a refusal of the user's own statement may come from a `SETTINGS readonly = 0` in it.
        """
        if self._may.get("readonly"):  # who may set that may set all
            return True
        if name not in self._may:
            try:
                self._client.raw_query("SELECT 1", settings={name: "1" if name != "readonly" else "2"}, fmt="Null")
                self._may[name] = True
            except Exception as error:
                # clickhouse-connect knows from the server's list of settings, and does not ask
                if failed(error, self.address).code != READONLY and f"Setting {name} is readonly" not in str(error):
                    raise
                self._may[name] = False
        return self._may[name]

    def command(self, sql: str, parameters: Mapping[str, Parameter] | None = None) -> None:
        try:
            self._client.command(sql, parameters=dict(parameters or {}))
        except Exception as error:
            raise failed(error, self.address) from None

    def insert_json(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        try:
            self._client.raw_insert(table, insert_block=lines(rows), fmt="JSONEachRow")
        except Exception as error:
            raise failed(error, self.address) from None

    def use(self, database: str) -> None:
        self.database = database
        self._client.database = database

    def close(self) -> None:
        self._client.close()


class EngineClient:
    """The embedded engine on a folder, in this process. One folder a process, and one process a folder."""

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        from tokentrail.embedded.library import opener  # noqa: PLC0415 - it belongs to the engine

        try:
            self._opened: Callable[[Path], Any] = opener()
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
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ClickHouseError(f"cannot use the folder {folder}: {error.strerror}") from None
        _refuse_if_served(folder)
        self._session = self._open()

    def _open(self) -> Any:
        try:
            return self._opened(self._folder)
        except Exception as error:
            if "already initialized with path" in str(error):
                raise ClickHouseError(f"cannot open {self._folder}: this process already has an embedded engine on another folder") from None
            held = "another process holds it (is `tokentrail serve` running on it? then use its http:// address), or it cannot be written"
            raise ClickHouseError(f"cannot open {self._folder}: {held}") from None

    def query(self, sql: str, parameters: Mapping[str, Parameter] | None = None, *, read_only: bool = False) -> Result:
        if not read_only:
            return self._run(self._session, sql, parameters)
        session = self._open()  # a session of its own: once read-only, a session stays it
        try:
            self._use(session)
            session.query(f"SET readonly = {readonly(sql)}")
            return self._run(session, sql, parameters)
        finally:
            session.close()

    @contextmanager
    def stream(self, sql: str, written: str, *, read_only: bool = False, settings: Mapping[str, str] | None = None) -> Iterator[Stream]:
        from tokentrail.embedded.pieces import EngineError, answer  # noqa: PLC0415 - it belongs to the engine
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
                yield Stream(spelt, in_sentences(pieces))

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
        """After a failed statement chDB may put what that one had written in front of the session's next answer: take another session."""
        failed, self._session = self._session, self._open()
        failed.close()
        self._use(self._session)

    def command(self, sql: str, parameters: Mapping[str, Parameter] | None = None) -> None:
        self._run(self._session, sql, parameters)

    def insert_json(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        block = lines(rows)
        if not block:
            return
        # as one statement with its data: chDB 4.4's `send_insert` reports success where a constraint, a view or the disk refused the rows
        try:
            self._session.query(f"INSERT INTO {identifier(table)} FORMAT JSONEachRow\n{block.decode()}", "Null")
        except Exception as error:
            self._renew()
            raise failed(error, self.address) from None

    def use(self, database: str) -> None:
        self.command(f"USE {identifier(database)}")
        self.database = database

    def close(self) -> None:
        self._session.close()


def connect(dsn: str = DEFAULT_DSN, *, create: bool = False) -> Client:
    """Open a DSN and check the version: `http(s)://user:password@host:port/database`, or `chdb:///folder?database=…`.

    `create`: the database, and the engine's folder, need not exist yet (for `migrate`); then no database is in use until `use` is called.
    Raises `ClickHouseError` with one sentence that says what is wrong and what to do.
    """
    try:
        parsed = parse_dsn(dsn)
    except DsnError as error:
        raise ClickHouseError(str(error)) from None
    client: Client = EngineClient(Path(parsed.folder), create=create) if parsed.scheme == "chdb" else HttpClient(parsed)
    try:
        _settle(client, parsed.database, may_be_missing=create)
    except ClickHouseError:
        client.close()
        raise
    return client


def _settle(client: Client, database: str, *, may_be_missing: bool) -> None:
    version = str(client.query("SELECT version()").rows[0][0])
    if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < OLDEST_VERSION:
        oldest = ".".join(str(part) for part in OLDEST_VERSION)
        raise ClickHouseError(f"ClickHouse at {client.address} is version {version}, too old: tokentrail needs {oldest} or newer")
    if client.query("SELECT 1 FROM system.databases WHERE name = {name:String}", {"name": database}).rows:
        client.use(database)
    elif not may_be_missing:
        raise ClickHouseError(f"there is no database {database} at {client.address}: run `tokentrail migrate --dsn {client.address}`")


def _refuse_if_served(folder: Path) -> None:
    """Say who holds the folder, where its holder left a lock file; chDB itself can only say that it could not start."""
    try:
        with (folder / LOCK_FILE).open() as file:
            holder = file.read(64).strip()
            if holder == str(os.getpid()):
                return
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ClickHouseError(
            f"cannot open {folder}: process {holder or 'unknown'} serves it; speak to that one over HTTP, by default at {DEFAULT_DSN}"
        ) from None
    except OSError:
        return  # nobody ever served it, or it is not ours to read: chDB decides
