"""ClickHouse's native protocol as of revision 54429, the server's side: old enough to be short, new enough that settings travel as texts.

Every newer ClickHouse still speaks it to a server that announces this revision.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

REVISION = 54429
BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"  # no overflow row, no bucket
END = b"\x02\x00" + BLOCK_INFO + b"\x00\x00"  # a packet of data without a name, columns and rows: nothing more comes

# what a client sends
HELLO, QUERY, DATA, CANCEL, PING, TABLES_STATUS, SCALAR = 0, 1, 2, 3, 4, 5, 7
# what a server answers
ANSWER_DATA, EXCEPTION, PONG, END_OF_STREAM, TABLES_STATUS_ANSWER = 1, 2, 4, 5, 9

WITH_MERGEABLE_STATE = 1

_BYTES = {"UInt8": 1, "Int8": 1, "Bool": 1, "UInt16": 2, "Int16": 2, "Date": 2, "UInt32": 4, "Int32": 4, "DateTime": 4}
_BYTES |= {"UInt64": 8, "Int64": 8, "DateTime64": 8, "UInt128": 16, "Int128": 16}

Columns = list[tuple[str, str]]


def number(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return number(len(raw)) + raw


def header(columns: Columns) -> bytes:
    """A block without rows: what the columns will be."""
    return number(len(columns)) + number(0) + b"".join(text(name) + text(kind) for name, kind in columns)


def data(block: bytes) -> bytes:
    return number(ANSWER_DATA) + text("") + BLOCK_INFO + block


def exception(code: int, sentence: str) -> bytes:
    return number(EXCEPTION) + struct.pack("<i", code) + text("DB::Exception") + text(sentence) + text("") + b"\x00"


class Reader:
    """What a client sends, piece by piece. Raises `EOFError` when it is gone."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._held = b""

    def _more(self) -> None:
        received = self._connection.recv(1 << 16)
        if not received:
            raise EOFError
        self._held += received

    def take(self, length: int) -> bytes:
        while len(self._held) < length:
            self._more()
        taken, self._held = self._held[:length], self._held[length:]
        return taken

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def text(self) -> str:
        return self.take(self.number()).decode()

    def blocks(self, columns: int) -> bytes:
        """All blocks of an INSERT, one after the other. They have no length; no text holds the byte 0xff, so `BLOCK_INFO` marks where each begins."""
        while not self._held.endswith(END):
            self._more()
        whole, self._held = self._held[: -len(END)], b""
        begin = number(DATA) + text("") + BLOCK_INFO + number(columns)
        return b"".join(number(columns) + rows for rows in whole.split(begin)[1:])

    def block(self) -> tuple[Columns, int, bytes]:
        """One block of a set or a scalar: its columns, the number of its rows, and itself."""
        if self.take(len(BLOCK_INFO)) != BLOCK_INFO:
            raise ValueError("a block begins in another way than known here")
        width, rows = self.number(), self.number()
        columns, raw = [], number(width) + number(rows)
        for _ in range(width):
            name, kind = self.text(), self.text()
            columns.append((name, kind))
            raw += text(name) + text(kind) + (self._column(kind, rows) if rows else b"")
        return columns, rows, raw

    def _column(self, kind: str, rows: int) -> bytes:
        """The bytes of one column, of the few types that sets and scalars are made of."""
        plain, _, inner = kind.removesuffix(")").partition("(")
        if size := _BYTES.get(plain):
            return self.take(size * rows)
        if kind == "String":
            return b"".join(text(self.take(self.number())) for _ in range(rows))
        if plain == "Nullable":
            return self.take(rows) + self._column(inner, rows)
        if plain == "Tuple":
            return b"".join(self._column(part, rows) for part in parts(inner))
        raise ValueError(f"type {kind} is not spoken here")


@dataclass(frozen=True, slots=True)
class Query:
    """What a client asks."""

    settings: dict[str, str]
    stage: int
    sql: str


def read_query(reader: Reader) -> Query:
    """The packet of a query, after its number."""
    reader.text()  # its id
    if reader.take(1)[0]:  # the kind of query: 0 has no client information
        for _ in range(3):
            reader.text()  # initial user, query id and address
        interface = reader.take(1)[0]
        if interface == 1:  # TCP: user, host, client's name, and version and revision
            for _ in range(3):
                reader.text()
            for _ in range(3):
                reader.number()
        elif interface == 2:  # HTTP: method and agent
            reader.take(1)
            reader.text()
        reader.text()  # quota key
        if interface == 1:
            reader.number()  # patch version
    settings = {}
    while name := reader.text():
        reader.number()  # flags
        settings[name] = reader.text()
    stage, compressed, sql = reader.number(), reader.number(), reader.text()
    if compressed:
        raise ValueError("compression is not spoken here")
    return Query(settings, stage, sql)


def parts(listed: str) -> list[str]:
    """The parts of a list, cut at the commas that stand in no brackets and quotes."""
    found, depth, quote = [""], 0, ""
    for sign in listed:
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'`\"":
            quote = sign
        elif sign in "([":
            depth += 1
        elif sign in ")]":
            depth -= 1
        elif sign == "," and not depth:
            found.append("")
            continue
        found[-1] += sign
    return [part.strip() for part in found]
