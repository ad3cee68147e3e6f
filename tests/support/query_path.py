"""The backend of Grafana's ClickHouse data source without a Grafana server (`tests/grafana/query_path`): built once, and asked line by line."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokentrail.local.building import run_step
from tokentrail.local.cache import Progress, Unavailable, made_once, remove_tree
from tokentrail.local.go_toolchain import find_go

SOURCES = Path(__file__).parents[1] / "grafana" / "query_path"
PROGRAM = "query_path"


def obtain(progress: Progress) -> Path | Unavailable:
    """The program from the cache; the first call builds it: some minutes, with the Go module proxy."""
    machine = f"{platform.system()}-{platform.machine()}".lower().encode()
    parts = [content for path in sorted(SOURCES.iterdir()) for content in (path.name.encode(), path.read_bytes())]
    folder = made_once(
        "query-path", hashlib.sha256(b"\0".join([machine, *parts])).hexdigest()[:16], lambda staging: _build(staging, progress), progress
    )
    return Unavailable("Grafana's query path", folder.reason) if isinstance(folder, Unavailable) else folder / PROGRAM


def _build(staging: Path, progress: Progress) -> Unavailable | None:
    scratch = staging / "scratch"
    scratch.mkdir()
    go = find_go(scratch, progress)
    if isinstance(go, Unavailable):
        return go
    shutil.copytree(SOURCES, scratch / "sources")
    environment = go.environment(scratch, installs_into=scratch) | {"CGO_ENABLED": "0"}
    step = f"building Grafana's query path (Go {go.version}, {go.origin}; about 3 minutes on 2 cores)"
    command = [str(go.program), "build", "-trimpath", "-mod=readonly", "-o", str(staging / PROGRAM), "."]
    failed = run_step(step, command, log=scratch / "build.log", progress=progress, environment=environment, folder=scratch / "sources")
    remove_tree(scratch)
    return failed


@dataclass(frozen=True)
class Field:
    """A field of a frame, as the browser gets it."""

    name: str
    type: str
    labels: Mapping[str, str]
    values: list[Any]


class QueryFailedError(AssertionError):
    """What Grafana would show in the corner of a panel."""


class QueryPath:
    """A running backend with one data source."""

    def __init__(self, program: Path, options: Mapping[str, Any]) -> None:
        command = [str(program), "-options", json.dumps(options)]
        environment = os.environ | {"QUERY_PATH_PASSWORD": ""}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", env=environment)

    def health(self) -> tuple[str, str]:
        """What "Save & test" says."""
        said = self._ask({"health": True})
        return said["status"], said.get("message") or said["error"]

    def frames(self, sql: str, *, output: int, start: int, end: int, interval_ms: int = 60_000, zone: str = "UTC") -> list[list[Field]]:
        """The frames of one query; times are milliseconds since 1970."""
        asked = {"rawSql": sql, "format": output, "from": start, "to": end, "intervalMs": interval_ms, "maxDataPoints": 1000, "timeZone": zone}
        said = self._ask(asked)
        if said["error"]:
            raise QueryFailedError(f"{said['source']}: {said['error']}\n{sql}")
        return [_fields(frame) for frame in said["frames"] or []]

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the backend ended with code {self._process.wait(timeout=10)}"
        said: dict[str, Any] = json.loads(line)
        return said


def _fields(frame: dict[str, Any]) -> list[Field]:
    described = frame["schema"]["fields"]
    values = frame["data"]["values"]
    return [Field(each["name"], each["type"], each.get("labels") or {}, column) for each, column in zip(described, values, strict=True)]
