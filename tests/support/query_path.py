"""The backend of Grafana's ClickHouse data source without a Grafana server (`tests/grafana/query_path`): built once, and asked line by line."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.go_program import built
from tokentrail.local.cache import Progress, Unavailable

SOURCES = Path(__file__).parents[1] / "grafana" / "query_path"


def obtain(progress: Progress) -> Path | Unavailable:
    """The program from the cache; the first call builds it: some minutes, with the Go module proxy."""
    return built(SOURCES, "Grafana's query path", progress, takes="3 minutes on 2 cores")


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
        said = self.said(sql, output=output, start=start, end=end, interval_ms=interval_ms, zone=zone)
        if said["error"]:
            raise QueryFailedError(f"{said['source']}: {said['error']}\n{sql}")
        return [_fields(frame) for frame in said["frames"] or []]

    def said(self, sql: str, *, output: int, start: int, end: int, interval_ms: int = 60_000, zone: str = "UTC") -> dict[str, Any]:
        """The same as the browser gets it: `frames` in Grafana's JSON, `error` in words."""
        asked = {"rawSql": sql, "format": output, "from": start, "to": end, "intervalMs": interval_ms, "maxDataPoints": 1000, "timeZone": zone}
        return self._ask(asked)

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
