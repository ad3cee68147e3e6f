"""The embedded server in this process: the engine, ClickHouse's HTTP interface on one port, OTLP/HTTP on another.

    with Server(folder, http_port=0, otlp_port=0) as server:
        clickhouse_connect.get_client(dsn=server.addresses.dsn)

A process has one engine on one folder (a limit of chDB); `tokentrail.embedded.process` starts further engines as child processes.
The listeners answer 503 from the first moment, while the engine opens and the tables are created, and again while the engine stops: a sender
waits instead of giving up.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Final
from urllib.parse import quote

from tokentrail.clickhouse.client import ClickHouseError, EngineClient
from tokentrail.clickhouse.migrate import migrate as run_migrations
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.embedded.access import Access, Gate
from tokentrail.embedded.engine import Engine
from tokentrail.embedded.errors import NOT_ENOUGH_SPACE, CannotStart
from tokentrail.embedded.exchange import Handler
from tokentrail.embedded.front import ClickHouseFront
from tokentrail.embedded.listener import Listener, bind, is_loopback
from tokentrail.embedded.otlp import OtlpReceiver
from tokentrail.embedded.writes import watching

__all__ = ["DATABASE", "HTTP_PORT", "OTLP_PORT", "Addresses", "Server"]

DATABASE: Final = "tokentrail"
HTTP_PORT: Final = 8123
OTLP_PORT: Final = 4318
GRACE_SECONDS: Final = 5.0
CLIENT_SECONDS: Final = 3.0  # beyond the grace, for clients that send or read slowly: the engine is idle by then

Prepare = Callable[[Engine], None]


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of a running server: ClickHouse's HTTP interface, the DSN with the database, OTLP's base URL, the folder, the process."""

    http: str
    dsn: str
    otlp: str
    data: str
    pid: int

    def as_dict(self) -> dict[str, str | int]:
        """Returns the addresses as in the ready file."""
        return asdict(self)


class Server:
    """The embedded server as a context manager.

    `prepare` is called with the open engine before the first request is served; by default `prepare` brings the tables up to date.
    `access` has the password: without one, only a loopback address is served.
    The constructor raises CannotStart, with one sentence, if the host is beyond loopback and there is no password, or if the folder's path cannot
    be resolved; `start()` raises CannotStart if the folder or a port is in use or cannot be used.
    """

    def __init__(
        self,
        data: str | Path,
        *,
        http_port: int = HTTP_PORT,
        otlp_port: int = OTLP_PORT,
        host: str = "127.0.0.1",
        prepare: Prepare | None = None,
        grace: float = GRACE_SECONDS,
        access: Access = Access(),  # noqa: B008 - a value that does not change
    ) -> None:
        beyond = not is_loopback(host)
        if beyond and not access.password:
            raise CannotStart(
                f"{host} is no loopback address: whoever reaches it could read and write the ledger. Set a password by TOKENTRAIL_SERVE_PASSWORD "
                "or --password-file, or serve this machine only, with --host 127.0.0.1"
            )
        self.engine = Engine(_absolute(Path(data)))
        self.access = replace(access, beyond=beyond)
        self._host = host
        self._ports = (http_port, otlp_port)
        self._prepare = prepare or migrate
        self._grace = grace
        self._listener: Listener | None = None
        self._watch = ExitStack()
        self._addresses: Addresses | None = None

    @property
    def addresses(self) -> Addresses:
        """The addresses of the started server. Raises RuntimeError before `start()`."""
        if self._addresses is None:
            raise RuntimeError("the server is not started")
        return self._addresses

    @property
    def own_dsn(self) -> str:
        """The DSN by which this process itself asks, with the password; never to be shown. Raises RuntimeError before `start()`."""
        dsn = self.addresses.dsn.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
        if not self.access.password:
            return dsn
        return dsn.replace("//", f"//{quote(self.access.user, safe='')}:{quote(self.access.password, safe='')}@", 1)

    def start(self) -> None:
        """Locks the folder, binds the ports, opens the engine, creates the tables, and begins to serve."""
        self.engine.take_folder()
        try:
            self._listen()
            self.engine.open()
            self._prepare(self.engine)
            self._watch.enter_context(watching(self.engine))
            self.engine.ready()
        except BaseException:
            self.stop()
            raise

    def _listen(self) -> None:
        http = bind(self._host, self._ports[0], "--http-port")
        try:
            otlp = bind(self._host, self._ports[1], "--otlp-port")
        except BaseException:
            http.close()
            raise
        gate = Gate(self.access)
        handlers: dict[socket.socket, Handler] = {http: ClickHouseFront(self.engine, DATABASE, gate), otlp: OtlpReceiver(self.engine, DATABASE, gate)}
        self._listener = Listener(handlers, round(self._grace + CLIENT_SECONDS))
        self._listener.start()
        base, receiver = _url(http), _url(otlp)
        self._addresses = Addresses(http=base, dsn=f"{base}/{DATABASE}", otlp=receiver, data=str(self.engine.data), pid=os.getpid())

    def stop(self) -> None:
        """Refuses new requests, lets running requests end within the grace, stops the engine, and releases ports and folder."""
        self.engine.stopping()
        if self._listener is not None:
            self._listener.close()
            self.engine.finish(self._grace)
            self._listener.stop()
        self._watch.close()
        self.engine.close()
        if self._listener is not None:
            self._listener.wait_for_requests()
            self._listener = None

    def __enter__(self) -> Server:  # noqa: PYI034 - Self is in the standard library from Python 3.11
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def _absolute(folder: Path) -> Path:
    """Returns the folder's absolute path. Raises CannotStart if the path cannot be resolved."""
    try:
        return folder.expanduser().absolute()
    except FileNotFoundError:
        raise CannotStart(f"the working directory is not there any more, and --data {folder} lies in it: change to another one") from None
    except RuntimeError:
        raise CannotStart(f"the home folder in {folder} is not known: write the whole path with --data") from None


def migrate(engine: Engine) -> None:
    """Brings the tables up to date with the migrations of `tokentrail.clickhouse`. Raises CannotStart if a migration fails."""
    try:
        client = EngineClient(engine.data)
        try:
            run_migrations(client, Target(DATABASE))
        finally:
            client.close()
    except ClickHouseError as error:
        if error.code == NOT_ENOUGH_SPACE or os.strerror(errno.ENOSPC) in str(error):
            raise CannotStart(f"the disk of the data folder {engine.data} is full: make room there, or choose another one with --data") from error
        raise CannotStart(f"the tables in {engine.data} cannot be brought up to date: {error}") from error


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
