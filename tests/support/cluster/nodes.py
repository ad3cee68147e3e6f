"""Two nodes of a cluster as processes, and the product's own `Client` over each of them."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from multiprocessing.connection import Client as Door
from pathlib import Path
from typing import Any

from tests.support.waiting import wait_until
from tokentrail.clickhouse.client import ClickHouseError
from tokentrail.clickhouse.literals import Parameter, identifier, lines, parameter
from tokentrail.clickhouse.rows import Result, decode
from tokentrail.local.child import Child
from tokentrail.local.ports import free_port

ROOT = Path(__file__).parents[3]

_ON_CLUSTER = re.compile(r" ON CLUSTER '\w+'")
_REPLICATED = re.compile(r"ENGINE = Replicated(\w*MergeTree)(?:\('/clickhouse[^)]*\))?")


class Nodes:
    """Two processes. As cluster `shards` each holds one shard; as `replicas` both hold the same one, and nothing is ever replicated (an endless lag);
    `alone` is the first of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ports = [free_port(), free_port()]
        for number in (0, 1):
            (folder / f"{number}.xml").write_text(self._config(number))
        self._nodes = [self._node(number) for number in (0, 1)]

    def _config(self, number: int) -> str:
        replicas = [f"<replica><host>127.0.0.1</host><port>{port}</port><compression>false</compression></replica>" for port in self._ports]

        def shard(*inside: str) -> str:
            return f"<shard><internal_replication>true</internal_replication>{''.join(inside)}</shard>"

        clusters = {"shards": "".join(map(shard, replicas)), "replicas": shard(*replicas), "alone": shard(replicas[0])}
        servers = "".join(f"<{name}>{shards}</{name}>" for name, shards in clusters.items())
        return f"<clickhouse><tcp_port>{self._ports[number]}</tcp_port><remote_servers>{servers}</remote_servers></clickhouse>"

    def door(self, number: int) -> str:
        return str(self.folder / f"{number}.door")

    def start(self) -> None:
        """Begin those that do not run, then wait for both."""
        for number, node in enumerate(self._nodes):
            if not node.running:
                Path(self.door(number)).unlink(missing_ok=True)
                node.start()
        for number, node in enumerate(self._nodes):
            wait_until(lambda number=number, node=node: not node.running or Path(self.door(number)).exists(), "a node", deadline_s=120)
            assert node.running, node.last_words()

    def kill(self, number: int) -> None:
        self._nodes[number].kill()

    def _node(self, number: int) -> Child:
        data, config = str(self.folder / f"{number}"), str(self.folder / f"{number}.xml")
        command = [sys.executable, "-m", "tests.support.cluster.node", data, config, str(self._ports[number]), self.door(number)]
        return Child(f"node {number}", command, folder=ROOT, log=self.folder / f"{number}.log")

    def ask(self, number: int, sql: str, *, database: str = "", settings: Mapping[str, str] | None = None, **more: Any) -> bytes:
        with Door(self.door(number)) as door:
            door.send((database, dict(settings or {}), sql, more.get("fmt", "JSONCompact"), more.get("parameters", {})))
            answer = door.recv()
        if isinstance(answer, str):
            code = re.search(r"Code: (\d+)", answer)
            raise ClickHouseError(answer, int(code[1]) if code else None)
        return answer

    def client(self, number: int = 0, database: str = "", **settings: str) -> NodeClient:
        return NodeClient(self, (number,), settings, database)

    def balanced(self, database: str = "", **settings: str) -> NodeClient:
        """A client behind a balancer: each statement goes to the other node than the one before."""
        return NodeClient(self, (0, 1), settings, database)


@contextmanager
def two_nodes() -> Iterator[Nodes]:
    """Both of them, until the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="tt-nodes-"))  # short: a socket's path has a bound
    nodes = Nodes(folder)
    try:
        nodes.start()
        yield nodes
    finally:
        for number in (0, 1):
            nodes.kill(number)
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class NodeClient:
    """The product's `Client` over one node or a balancer, with settings as a user's profile gives them. What a cluster's DDL queue does is done here: a statement
    ON CLUSTER is run on both nodes, without ON CLUSTER and replication."""

    nodes: Nodes
    asked: Sequence[int]
    settings: dict[str, str]
    database: str = ""
    address: str = "a node"

    def __post_init__(self) -> None:
        self._turn = cycle(self.asked)

    def _ask(self, sql: str, *, parameters: Mapping[str, Parameter] | None = None, number: int | None = None, **more: Any) -> bytes:
        given = {name: parameter(value) for name, value in (parameters or {}).items()}
        more.setdefault("database", self.database)
        return self.nodes.ask(next(self._turn) if number is None else number, sql, settings=self.settings, parameters=given, **more)

    def query(self, sql: str, parameters: Mapping[str, Parameter] | None = None, *, read_only: bool = False) -> Result:
        return decode(self._ask(sql, parameters=parameters))

    def command(self, sql: str, parameters: Mapping[str, Parameter] | None = None) -> None:
        if not _ON_CLUSTER.search(sql):
            self._ask(sql, parameters=parameters)
            return
        plain = _REPLICATED.sub(r"ENGINE = \1", _ON_CLUSTER.sub("", sql)).replace(" replicated_dedup", " non_replicated_dedup")
        for number in (0, 1):
            self._ask(plain, parameters=parameters, number=number, **({"database": ""} if plain.startswith("CREATE DATABASE") else {}))

    def insert_json(self, table: str, rows: Iterable[Mapping[str, Any]], settings: Mapping[str, str] | None = None) -> None:
        self._ask(f"INSERT INTO {identifier(table)} FORMAT JSONEachRow\n{lines(rows).decode()}", fmt="Null")

    def use(self, database: str) -> None:
        self.database = database

    def close(self) -> None:
        """Nothing is kept open."""
