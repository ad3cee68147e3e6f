"""chDB's engine: one per process, one folder per engine, one session per request.

Behaviour of chDB 4.4.0 (ClickHouse 26.9), observed, that this module relies on:

- Sessions on one path run in parallel, each with its own `SET` and `USE`; statements on one session wait for each other.
- After a failed statement a session may prepend that statement's output to its next answer. So a session serves one request and is closed.
- Acknowledged rows survive SIGKILL. Acknowledged rows survive a power loss only in tables with `fsync_after_insert = 1, fsync_part_directory = 1`
  (MergeTree settings, off by default in ClickHouse too; an insert of 1,000 rows then takes five times as long).
- `send_insert` reports success for rows that were refused, and is not used (see `tokentrail.embedded.inserts`).
- A write that the disk refuses is no error, and only counted (see `tokentrail.embedded.writes`).
- chDB does not handle SIGTERM and SIGINT; chDB handles the signals of crashes, and SIGTSTP.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from tokentrail.embedded.errors import CannotStart, EngineError, Unavailable
from tokentrail.embedded.library import opener
from tokentrail.embedded.lock import FolderLock
from tokentrail.embedded.spool import Spool
from tokentrail.embedded.writes import Writes

__all__ = ["Engine", "Session"]

logger = logging.getLogger("tokentrail.embedded")

CANCEL_SECONDS: Final = 2.0
ALONE_SECONDS: Final = 10.0
SETTING_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
State = Literal["starting", "ready", "stopping", "stopped"]


class Session(Protocol):
    """The methods of `chdb.session.Session` that are used here; chDB has no type annotations."""

    def query(self, sql: str, fmt: str = ..., *, params: Mapping[str, str] | None = ...) -> Any:
        """Runs a statement and returns the whole answer."""

    def send_query(self, sql: str, fmt: str = ..., params: Mapping[str, str] | None = ...) -> Any:
        """Runs a SELECT and returns the answer in pieces."""

    def close(self) -> None:
        """Ends the session and its running statement."""


class Engine:
    """The engine over the folder `data`, from `open()` to `close()`. Safe to use from many threads."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.spool = Spool(data / "spool")
        self.state: State = "starting"
        self._lock = FolderLock(data)
        self._keep: Session | None = None  # the engine runs as long as one session is open
        self._open_sessions = 0
        self._is_alone = False
        self._asking = threading.Lock()
        self.writes = Writes(self)
        self._changed = threading.Condition()
        self._defaults: dict[str, str] = {}

    def take_folder(self) -> None:
        """Locks the folder before the engine starts. Raises CannotStart, with one sentence, for a folder that is in use or cannot be written."""
        self._lock.acquire()

    def open(self) -> None:
        """Starts the engine for internal sessions. Raises CannotStart if chDB is not installed or refuses the folder."""
        self.spool.prepare()
        self._keep = self._start()
        self.writes.failed()

    def ready(self) -> None:
        """Begins to serve requests."""
        self.state = "ready"

    def stopping(self) -> None:
        """Begins to refuse new requests; running ones continue."""
        if self.state != "stopped":
            self.state = "stopping"

    def _start(self) -> Session:
        session_type = _load()
        try:
            session = session_type(self.data)
            zone = str(session.query("SELECT timezone()", "TabSeparated").data()).strip()
        except Exception as error:
            if "already initialized with path" in str(error):
                raise CannotStart("this process already has an engine on another folder: start this one as a process of its own") from error
            raise CannotStart(f"the engine cannot open the folder {self.data}: {_first_line(error)}") from error
        if not zone.endswith("UTC"):  # the application imported chDB before this module did
            self._defaults["session_timezone"] = "UTC"
        return session

    @contextmanager
    def session(self, database: str = "", settings: Mapping[str, str] | None = None, *, internal: bool = False) -> Iterator[Session]:
        """Opens a session for one request, in `database` and with `settings`.

        Raises Unavailable unless the engine is ready (`internal`: or starting); errors of the engine are raised as EngineError.
        """
        self._enter(internal=internal)
        session = None
        try:
            session = _load()(self.data)
            if database and database != "default":
                session.query(f"USE `{database.replace(chr(92), chr(92) * 2).replace('`', chr(92) + '`')}`")
            # `readonly` comes last, since it forbids further SETs
            for name, value in sorted({**self._defaults, **(settings or {})}.items(), key=lambda setting: setting[0] == "readonly"):
                session.query(f"SET {_name(name)} = {quoted(value)}")
            yield session
        except EngineError:
            raise
        except (RuntimeError, ValueError) as error:  # ChdbError is a RuntimeError
            raise EngineError.of(error) from error
        finally:
            if session is not None:
                session.close()
            with self._changed:
                self._open_sessions -= 1
                self._changed.notify_all()

    def require_ready(self) -> None:
        """Raises Unavailable unless the engine is ready: for callers with work to do before they open a session."""
        if self.state != "ready":
            raise Unavailable(f"the embedded ClickHouse is {self.state}: try again")

    def _enter(self, *, internal: bool) -> None:
        with self._changed:
            if not (internal and self.state == "starting" and self._keep is not None):
                self.require_ready()
            if self._is_alone:
                raise Unavailable("the embedded ClickHouse loads a table anew: try again")
            self._open_sessions += 1

    def ask(self, sql: str) -> list[list[Any]]:
        """Runs a statement of the server's own, on a session without settings, and returns the rows. Raises EngineError."""
        with self._asking:
            if self._keep is None:
                raise Unavailable(f"the embedded ClickHouse is {self.state}: try again")
            try:
                answer = self._keep.query(sql, "JSONCompactEachRow").bytes() or b""
            except (RuntimeError, ValueError) as error:
                self._keep, failed = _load()(self.data), self._keep  # a failed statement may leave its output to the next answer
                failed.close()
                raise EngineError.of(error) from error
        return [json.loads(line) for line in answer.splitlines() if line]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Lets no request begin during a block, and waits for those that run; after ten seconds they are cancelled, with a transient error."""
        with self._changed:
            self._is_alone = True
            self._changed.wait_for(lambda: self._open_sessions == 0, ALONE_SECONDS)
        try:
            self._cancel_all()
            yield
        finally:
            with self._changed:
                self._is_alone = False

    def finish(self, grace: float) -> None:
        """Refuses new requests, waits `grace` seconds for running ones, then cancels the rest with a transient error."""
        self.stopping()
        with self._changed:
            self._changed.wait_for(lambda: self._open_sessions == 0, grace)
        self._cancel_all()

    def close(self) -> None:
        """Stops the engine and releases the folder."""
        if self.state == "stopped":
            return
        self.finish(grace=0)
        with self._asking:
            if self._keep is not None:
                self._keep.close()
                self._keep = None
        self.state = "stopped"
        self._lock.release()

    def _cancel_all(self) -> None:
        deadline = time.monotonic() + CANCEL_SECONDS
        with self._changed:
            while self._open_sessions and self._keep is not None and time.monotonic() < deadline:
                try:
                    self.ask("KILL QUERY WHERE query NOT LIKE 'KILL QUERY%' ASYNC")
                except EngineError:
                    logger.exception("running queries could not be cancelled")
                    return
                self._changed.wait(0.2)


def _load() -> Callable[[Path], Session]:
    try:
        return opener()
    except ImportError as error:
        raise CannotStart('chDB is not installed: pip install "tokentrail[embedded]"') from error
    except Exception as error:
        raise CannotStart(f"chDB cannot be loaded: {_first_line(error)}") from error


def _name(name: str) -> str:
    if SETTING_NAME.match(name) is None:
        raise EngineError(115, f"Unknown setting '{name}'. (UNKNOWN_SETTING)")
    return name


def quoted(value: str) -> str:
    """Returns `value` as a string literal of ClickHouse's SQL."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
