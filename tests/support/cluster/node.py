"""One ClickHouse of a cluster, for tests: the embedded engine in a process of its own that listens on the native protocol, so that the Distributed
tables of another one reach it. Sharding, splitting, sending and reading are the engine's own on both sides; there is no replication and no DDL queue.

    python -m tests.support.cluster.node FOLDER CONFIG NATIVE_PORT DOOR

DOOR is a socket file, the tests' own way to ask this node: `(database, settings, statement, format, parameters)`, answered by bytes or an error's text.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import tempfile
import threading
from multiprocessing.connection import Connection, Listener
from typing import Any

import chdb

from tests.support.cluster import wire
from tests.support.cluster.mergeable import Mergeable, quoted

# settings of a query that decide what a shard does with it
FORWARDED = ("do_not_merge_across_partitions_select_final", "final", "distributed_foreground_insert", "max_partitions_per_insert_block")

_INSERT = re.compile(r"INSERT INTO (\S+) \((.*?)\) VALUES", re.DOTALL)
_CODE = re.compile(r"Code: (\d+)")


class Node:
    """The engine, and what is known of it once."""

    def __init__(self, folder: str, config: str) -> None:
        self.folder = folder
        self._address = f"{folder}?config-file={config}"
        self._kept = self.connect()  # an engine lives as long as one of its connections
        functions = self._kept.query("SELECT name FROM system.functions WHERE is_aggregate ORDER BY name", "TSVRaw")
        self.mergeable = Mergeable(str(functions).split())

    def connect(self) -> Any:
        return chdb.connect(self._address)


class Conversation:
    """One connection of another node."""

    def __init__(self, node: Node, connection: socket.socket) -> None:
        self._node = node
        self._connection = connection
        self._reader = wire.Reader(connection)
        self._engine = node.connect()
        self._sets: set[str] = set()

    def hold(self) -> None:
        """Answer until the other side is gone."""
        try:
            if self._reader.number() != wire.HELLO:
                return
            self._greet()
            while True:
                self._answer(self._reader.number())
        except (EOFError, OSError):
            return
        finally:
            self._connection.close()
            self._engine.close()

    def _send(self, *pieces: bytes) -> None:
        self._connection.sendall(b"".join(pieces))

    def _greet(self) -> None:
        read = self._reader
        read.text()
        for _ in range(3):
            read.number()
        database, _user, _password = read.text(), read.text(), read.text()
        version = (26, 9, wire.REVISION)
        self._send(wire.number(wire.HELLO), wire.text("chDB node"), *map(wire.number, version), wire.text("UTC"), wire.text("node"), wire.number(1))
        if database:
            self._engine.query(f"USE {quoted(database)}")

    def _answer(self, packet: int) -> None:
        read = self._reader
        if packet == wire.PING:
            self._send(wire.number(wire.PONG))
        elif packet == wire.TABLES_STATUS:
            tables = [(read.text(), read.text()) for _ in range(read.number())]
            answered = b"".join(wire.text(database) + wire.text(table) + b"\x00" for database, table in tables)  # none is replicated
            self._send(wire.number(wire.TABLES_STATUS_ANSWER), wire.number(len(tables)), answered)
        elif packet == wire.QUERY:
            self._run(wire.read_query(read))
        elif packet != wire.CANCEL:
            raise EOFError  # nothing that is spoken here

    def _run(self, query: wire.Query) -> None:
        try:
            self._take_tables()
            for name in FORWARDED:
                self._engine.query(f"SET {name} = {quoted_value(query.settings[name])}" if name in query.settings else f"SET {name} = DEFAULT")
            word = query.sql.split(None, 1)[0].upper()
            if insert := _INSERT.match(query.sql):
                self._insert(insert[1], insert[2])
            elif word in ("SELECT", "WITH"):
                self._select(query)
            elif word in ("DESC", "DESCRIBE"):
                self._send(wire.data(self._engine.query(query.sql, "Native").bytes()))
            else:  # INSERT … SELECT comes whole
                self._engine.query(query.sql)
            self._send(wire.number(wire.END_OF_STREAM))
        except (RuntimeError, ValueError) as error:
            code = _CODE.search(str(error))
            self._send(wire.exception(int(code[1]) if code else 1000, str(error)[:1500]))
        finally:
            while self._sets:
                self._engine.query(f"DROP TEMPORARY TABLE {quoted(self._sets.pop())}")

    def _take_tables(self) -> None:
        """Sets and scalars that come with a query: a set becomes a temporary table, for as long as the query runs."""
        while True:
            packet, name = self._reader.number(), self._reader.text()
            columns, rows, block = self._reader.block()
            if packet == wire.SCALAR:
                continue
            if not name:
                return
            if name not in self._sets and columns:
                typed = ", ".join(f"{quoted(column)} {kind}" for column, kind in columns)
                self._engine.query(f"CREATE TEMPORARY TABLE {quoted(name)} ({typed}) ENGINE = Memory")
                self._sets.add(name)
            if rows:
                self._store(f"{quoted(name)} SELECT *", block)

    def _store(self, target: str, blocks: bytes) -> None:
        with tempfile.NamedTemporaryFile(dir=self._node.folder, suffix=".native") as file:
            file.write(blocks)
            file.flush()
            self._engine.query(f"INSERT INTO {target} FROM file('{file.name}', Native)")

    def _insert(self, table: str, columns: str) -> None:
        described = self._describe(f"SELECT {columns} FROM {table}")
        self._send(wire.data(wire.header(described)))
        self._store(f"{table} ({columns}) SELECT {columns}", self._reader.blocks(len(described)))

    def _select(self, query: wire.Query) -> None:
        sql = query.sql
        if query.stage == wire.WITH_MERGEABLE_STATE:
            sql = self._node.mergeable.rewrite(sql, self._explain)
        self._send(wire.data(wire.header(self._describe(sql))))
        for block in self._engine.send_query(sql, "Native"):
            self._send(wire.data(block.bytes()))

    def _describe(self, sql: str) -> wire.Columns:
        rows = str(self._engine.query(f"DESCRIBE TABLE ({sql})", "TSVRaw")).splitlines()
        return [(name, kind) for name, kind, *_ in (row.split("\t") for row in rows if row)]

    def _explain(self, sql: str) -> str:
        for name in ("optimize_functions_to_subcolumns", "optimize_trivial_count_query"):
            self._engine.query(f"SET {name} = 0")
        return str(self._engine.query(f"EXPLAIN header = 1, actions = 1, pretty = 0, compact = 0 {sql}", "TSVRaw"))


def quoted_value(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def at_the_door(node: Node, asking: Connection) -> None:
    """Answer one question of a test."""
    with asking:
        database, settings, sql, fmt, parameters = asking.recv()
        engine = node.connect()
        try:
            if database:
                engine.query(f"USE {quoted(database)}")
            for name, value in settings.items():
                engine.query(f"SET {name} = {quoted_value(value)}")
            asking.send(engine.query(sql, fmt, params=parameters).bytes() or b"")
        except Exception as error:
            asking.send(str(error))
        finally:
            engine.close()


def main(folder: str, config: str, port: str, door: str) -> None:
    node = Node(folder, config)
    native = socket.create_server(("127.0.0.1", int(port)))

    def listen() -> None:
        while True:
            connection, _ = native.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=Conversation(node, connection).hold, daemon=True).start()

    threading.Thread(target=listen, daemon=True).start()
    with Listener(door, backlog=16) as listener:
        print("ready", flush=True)  # noqa: T201 - what its parent waits for
        while True:
            threading.Thread(target=at_the_door, args=(node, listener.accept()), daemon=True).start()


if __name__ == "__main__":
    os.environ["TZ"] = "UTC"
    main(*sys.argv[1:])
