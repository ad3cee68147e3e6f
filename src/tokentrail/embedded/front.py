"""ClickHouse's HTTP interface, as far as clickhouse-connect, clickhouse-go (the driver in the Collector), Grafana's plugin and curl use it.

Supported: /ping; statements in the URL, the body or a form; every format; settings, `database` and `param_*` in the URL, `param_*` in a form too;
chunked and encoded bodies; ClickHouse's compressed frames both ways; gzip answers; streamed answers; exceptions with their code, before and after the
head; GET is read-only, as on the server. A password is asked for where
one is set (`access.py`), else every user is accepted. Not supported: TLS, `session_id`, external tables, progress headers.

Deliberate differences from the server:
- an INSERT without a single byte of data is refused (else a sender that lost the body in a retry gets a success);
- an INSERT runs after all its data have arrived, in a file: a client cut off in the middle stores nothing, and a wrong table is reported after the
  body;
- a transient error is 503, not 500 or 404, so that no sender gives up;
- `revision()` in clickhouse-go's hello is 0: the driver then reads Native as of revision 0, which is what chDB writes;
- web pages in a browser on this machine get no access: foreign `Origin` and `Host` are refused, and images, frames and links, which have no `Origin`.
"""

from __future__ import annotations

import json
import re
import secrets
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from itertools import chain
from typing import Final

from tokentrail.embedded.access import Gate, TooOften
from tokentrail.embedded.dashboard import PATH, Dashboard
from tokentrail.embedded.engine import Engine, Session
from tokentrail.embedded.errors import ClientGone, EngineError
from tokentrail.embedded.exchange import Exchange
from tokentrail.embedded.forms import fields_of, is_form
from tokentrail.embedded.frames import decode, gzip_stream, in_frames, out_of_frames
from tokentrail.embedded.inserts import Stored, insert
from tokentrail.embedded.pieces import in_pieces, may_come_in_pieces
from tokentrail.embedded.statement import insert_head, read_only_level, select, undecided
from tokentrail.embedded.writes import changes_definitions

__all__ = ["ClickHouseFront"]

# Parameters of the interface itself; everything else in the URL is a setting. Source: ClickHouse's HTTPHandler.cpp.
OWN_PARAMETERS: Final = {
    *("query", "database", "user", "password", "default_format", "compress", "decompress", "query_id", "quota_key", "role", "buffer_size"),
    *("session_id", "session_timeout", "session_check", "close_session", "wait_end_of_query", "client_protocol_version", "stacktrace", "framing"),
    *("send_progress_in_http_headers", "http_headers_progress_interval_ms", "add_http_cors_header"),
}
CONTENT_TYPES: Final = {
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    **dict.fromkeys(["JSONCompactEachRow", "JSONCompactEachRowWithNamesAndTypes"], "application/x-ndjson; charset=UTF-8"),
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "XML": "application/xml; charset=UTF-8",
    **dict.fromkeys(
        ["Native", "RowBinary", "RowBinaryWithNames", "RowBinaryWithNamesAndTypes", "Parquet", "ORC", "Avro"], "application/octet-stream"
    ),
    **dict.fromkeys(["Arrow", "ArrowStream"], "application/octet-stream"),
}
MOST_STATEMENT: Final = 64 << 20
"""Bytes of a statement that is no INSERT of rows: it is held in memory, as a form is."""
UNDECIDED: Final = 1 << 20
"""Bytes after which a text that may still become an INSERT is taken for another statement: each piece is looked at from the beginning."""
HELLO: Final = re.compile(r"SELECT\s+displayName\(\),\s*version\(\),\s*revision\(\),\s*timezone\(\)\Z", re.IGNORECASE)
BAD_ARGUMENTS: Final = 36
TOO_LARGE: Final = 62  # SYNTAX_ERROR, as a server says of a text beyond max_query_size


@dataclass(frozen=True, slots=True)
class RequestOptions:
    """The options of a request beside the statement: parameters of the URL, and headers."""

    database: str
    format: str
    settings: Mapping[str, str]
    parameters: Mapping[str, str]
    query_id: str
    frames_in: bool
    frames_out: bool
    gzip: bool

    @classmethod
    def of(cls, query: Mapping[str, str], exchange: Exchange) -> RequestOptions:
        """Parses the options of a request: `query` is its URL's, and its form's. A GET is read-only."""
        headers = exchange.headers
        settings = {name: value for name, value in query.items() if name not in OWN_PARAMETERS and not name.startswith("param_")}
        if exchange.method == "GET" and settings.get("readonly") not in {"1", "2"}:
            settings["readonly"] = "2"
        return cls(
            database=query.get("database") or headers.get("x-clickhouse-database", ""),
            format=query.get("default_format") or headers.get("x-clickhouse-format", ""),
            settings=settings,
            parameters={name[len("param_") :]: value for name, value in query.items() if name.startswith("param_")},
            query_id=query["query_id"] if _can_be_an_id(query) else str(uuid.uuid4()),
            frames_in=query.get("decompress") == "1",
            frames_out=query.get("compress") == "1",
            gzip=query.get("enable_http_compression", "1") not in {"0", "false"} and "gzip" in headers.get("accept-encoding", ""),
        )

    def settings_of(self, statement: bytes) -> Mapping[str, str]:
        """Returns the settings for a statement: a read-only request creates nothing, no file on the server and no temporary table either."""
        read_only = self.settings.get("readonly", "0").strip("0")
        return {**self.settings, "readonly": "1"} if read_only and read_only_level(statement) == "1" else self.settings


class ClickHouseFront:
    """Serves ClickHouse's HTTP interface with `engine`, and the dashboard of `database`."""

    def __init__(self, engine: Engine, database: str, gate: Gate | None = None) -> None:
        self._engine = engine
        self._gate = gate or Gate()
        self._dashboard = Dashboard(engine, database)

    def __call__(self, exchange: Exchange) -> None:
        """Answers one request."""
        for_people = exchange.path == PATH or exchange.path.startswith(f"{PATH}/")
        if not self._gate.knows(exchange, for_people=for_people):
            exchange.drain()
            return exchange.reply(403, b"foreign web pages are not answered, nor names of this server that --allow-host lacks\n", _plain(close=True))
        if for_people:
            return self._page(exchange)
        if exchange.path in {"/ping", "/replicas_status"} or (exchange.path == "/" and not exchange.query and exchange.method in {"GET", "HEAD"}):
            return self._ping(exchange)
        if exchange.path not in {"/", "/query"} or exchange.method not in {"GET", "POST", "PUT"}:
            exchange.drain()
            return exchange.reply(404, b"There is no such page: statements go to /, see also /ping and /dashboard.\n", _plain(close=True))
        return self._statement(exchange)

    def _page(self, exchange: Exchange) -> None:
        try:
            self._gate.admit(exchange)
        except EngineError as error:
            exchange.drain()
            often = isinstance(error, TooOften)
            asks = [] if often else [("WWW-Authenticate", 'Basic realm="tokentrail", charset="UTF-8"')]
            return exchange.reply(429 if often else 401, f"{error.message}\n".encode(), [*_plain(close=True), *asks])
        return self._dashboard(exchange)

    def _ping(self, exchange: Exchange) -> None:
        if self._engine.state == "ready":
            return exchange.reply(200, b"Ok.\n", _plain())
        return exchange.reply(503, f"The embedded ClickHouse is {self._engine.state}.\n".encode(), [*_plain(close=True), ("Retry-After", "1")])

    def _statement(self, exchange: Exchange) -> None:
        options = RequestOptions.of(exchange.query, exchange)
        reply = Reply(exchange, options)
        try:
            self._gate.admit(exchange)
            if exchange.query.get("query_id") and not _can_be_an_id(exchange.query):
                raise EngineError(BAD_ARGUMENTS, "query_id holds a sign that no header can hold. (BAD_ARGUMENTS)")  # noqa: TRY301 - as any error
            given, body = exchange.query, _body(exchange, options)
            if is_form(exchange.headers.get("content-type", "")):
                given, body = {**given, **fields_of(exchange.headers["content-type"], body)}, iter(())
                options = RequestOptions.of(given, exchange)
            text, rest = _head(given.get("query", "").encode("utf-8", "surrogateescape"), body)
            head = insert_head(text, whole=True)
            if head is not None and not options.parameters:
                data = chain([text[head.data_at :]], rest)
                settings = options.settings_of(head.statement.encode())
                return reply.send_stored(insert(self._engine, options.database, settings, head.statement, head.format, data))
            text = _whole(text, rest)
            with self._engine.session(options.database, options.settings_of(text)) as session:
                _run(session, text, options, reply, self._engine)
        except ClientGone:
            raise
        except EngineError as error:
            reply.send_error(error)


def _can_be_an_id(query: Mapping[str, str]) -> bool:
    """Whether a request names its statement by an id that the answer can repeat in a header: without a line end, which would begin another one."""
    return bool(query.get("query_id")) and query["query_id"].isprintable()


def _body(exchange: Exchange, options: RequestOptions) -> Iterator[bytes]:
    body = decode(exchange.chunks(), exchange.headers.get("content-encoding", ""))
    return out_of_frames(body) if options.frames_in else body


def _head(statement: bytes, body: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Reads the text until the kind of statement is certain. Returns the text, and the rest of the body."""
    text = bytearray(statement)
    if statement.strip() and insert_head(statement, whole=True) is not None:
        return bytes(text), body
    if statement.strip():
        text += b"\n"
    for piece in body:
        text += piece
        if len(text) > UNDECIDED or insert_head(bytes(text), whole=False) is not None or not undecided(bytes(text)):
            break
    return bytes(text), body


def _whole(text: bytes, rest: Iterator[bytes]) -> bytes:
    """Returns a statement with the rest of it. Raises EngineError for one that is too large to be held."""
    pieces, size = [text], len(text)
    for piece in rest:
        pieces.append(piece)
        size += len(piece)
        if size > MOST_STATEMENT:
            raise EngineError(TOO_LARGE, f"A statement of more than {MOST_STATEMENT >> 20} MiB is not read by the embedded server. (SYNTAX_ERROR)")
    return b"".join(pieces)


def _run(session: Session, text: bytes, options: RequestOptions, reply: Reply, engine: Engine) -> None:
    asked = select(text)
    written = asked.format or options.format or "TabSeparated"
    parameters = dict(options.parameters) or None
    if written == "Native" and HELLO.match(asked.statement):
        return reply.send_whole(_hello(session), written)
    if asked.streams and may_come_in_pieces(written) and "extremes" not in options.settings:
        with closing(in_pieces(session, asked.statement, written, parameters)) as pieces:
            return reply.send_stream(pieces, written)
    changes_definitions(asked.statement, engine.data)
    with nullcontext() if asked.streams else engine.writes.checked():
        result = session.query(asked.statement, written, params=parameters)
    read = {"read_rows": result.storage_rows_read(), "read_bytes": result.storage_bytes_read()}
    summary = _summary(rows=result.rows_read(), size=result.bytes_read(), seconds=result.elapsed(), **read)
    return reply.send_whole(result.bytes() or b"", written, summary=[summary])


def _hello(session: Session) -> bytes:
    """Returns one Native block in clickhouse-go's own revision (block info, one kind byte per column) that states revision 0 for all later blocks."""
    name, version, zone = json.loads(session.query("SELECT displayName(), version(), timezone()", "JSONCompactEachRow").data())
    columns = [("displayName()", "String", _text(name)), ("version()", "String", _text(version)), ("revision()", "UInt32", bytes(4))]
    columns.append(("timezone()", "String", _text(zone)))
    block_info = b"\x01\x00\x02\xff\xff\xff\xff\x00"
    return block_info + bytes([len(columns), 1]) + b"".join(_text(title) + _text(kind) + b"\0" + data for title, kind, data in columns)


def _text(value: str) -> bytes:
    raw = value.encode()[:127]  # a length below 128 is one byte, enough for these names
    return bytes([len(raw)]) + raw


def _summary(*, rows: int, size: int, seconds: float, **more: int) -> tuple[str, str]:
    """Returns the header of what a statement has done; ClickHouse's Java client takes an answer without `result_rows` for an empty one."""
    counts = {"read_rows": 0, "read_bytes": 0, "written_rows": 0, "written_bytes": 0, "total_rows_to_read": 0, **more}
    counts |= {"result_rows": rows, "result_bytes": size, "elapsed_ns": int(seconds * 1e9)}
    return "X-ClickHouse-Summary", json.dumps({name: str(value) for name, value in counts.items()})


class Reply:
    """The answer to one statement, compressed as requested."""

    def __init__(self, exchange: Exchange, options: RequestOptions) -> None:
        self._exchange = exchange
        self._options = options

    def _headers(self, written: str) -> list[tuple[str, str]]:
        headers = [
            ("X-ClickHouse-Query-Id", self._options.query_id),
            ("X-ClickHouse-Timezone", "UTC"),
            ("X-ClickHouse-Server-Display-Name", "tokentrail"),
        ]
        if written:
            headers += [("X-ClickHouse-Format", written), ("Content-Type", CONTENT_TYPES.get(written, "text/plain; charset=UTF-8"))]
        return headers

    def _encode(self, data: bytes) -> bytes:
        return in_frames(data) if self._options.frames_out else data

    def send_whole(self, data: bytes, written: str, *, summary: Sequence[tuple[str, str]] = ()) -> None:
        """Sends an answer that is complete."""
        self._reply(200, self._encode(data), [*self._headers(written), *summary])

    def _reply(self, status: int, data: bytes, headers: list[tuple[str, str]]) -> None:
        if data and self._options.gzip:
            pack, finish = gzip_stream()
            data = pack(data) + finish()
            headers = [*headers, ("Content-Encoding", "gzip")]
        self._exchange.reply(status, data, headers)

    def send_stored(self, done: Stored) -> None:
        """Sends the success of an INSERT whose rows are stored in the table and in the targets of the table's views."""
        summary = _summary(rows=done.rows, size=done.size, seconds=done.seconds, written_rows=done.rows, written_bytes=done.size)
        self._exchange.reply(200, b"", [*self._headers(""), summary])

    def send_stream(self, pieces: Iterator[bytes], written: str) -> None:
        """Sends an answer while the engine computes it. The first piece is awaited before the head, so most errors get their own HTTP status."""
        first = next(pieces, b"")
        tag = secrets.token_hex(8)
        headers = [*self._headers(written), ("X-ClickHouse-Exception-Tag", tag)]
        pack: Callable[[bytes], bytes] = bytes
        finish: Callable[[], bytes] = bytes
        if self._options.gzip:
            pack, finish = gzip_stream()
            headers.append(("Content-Encoding", "gzip"))
        self._exchange.start(200, headers)
        try:
            for piece in chain([first], pieces):
                if piece:
                    self._exchange.write(pack(self._encode(piece)))
        except RuntimeError as error:  # ChdbError
            self._exchange.write(pack(self._encode(_in_band(EngineError.of(error), tag))))
            return  # without an end: the connection is cut, as by the server
        self._exchange.write(finish())
        self._exchange.end()

    def send_error(self, error: EngineError) -> None:
        """Sends an error before the head. The connection is closed, so that the rest of the body is not read as a request."""
        self._exchange.drain()
        headers = [*self._headers(""), *_plain(close=True), ("X-ClickHouse-Exception-Code", str(error.code))]
        if error.status == 503:  # noqa: PLR2004 - Service Unavailable
            headers.append(("Retry-After", "1"))
        self._reply(error.status, self._encode(error.message.encode() + b"\n"), headers)


def _in_band(error: EngineError, tag: str) -> bytes:
    """Encodes an exception after the head, in ClickHouse's form since 25.11: tag, message, the message's length and the tag again."""
    message = error.message + "\n"
    return f"\r\n__exception__\r\n{tag}\r\n{message}{len(message.encode())} {tag}\r\n__exception__\r\n".encode()


def _plain(*, close: bool = False) -> list[tuple[str, str]]:
    return [("Content-Type", "text/plain; charset=UTF-8"), *([("Connection", "close")] if close else [])]
