"""The rows of a table of spans in ClickHouse (`otel_traces`, as the Collector's exporter makes it), streamed, without their content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.literals import identifier, text_literal
from tokentrail.importing.openllmetry import PROPERTIES, WANTED
from tokentrail.importing.selection import Selection
from tokentrail.ledger.query import read

__all__ = ["rows_of"]


def rows_of(client: Client, table: str, selection: Selection, tenants: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """Yields the rows of spans that state something of a call. Raises `ClickHouseError`."""
    bounds = [(">=", selection.since), ("<", selection.until)]
    slots = {
        "table": ".".join(map(identifier, table.split("."))),
        "wanted": ", ".join(map(text_literal, sorted(WANTED | set(tenants)))),
        "properties": text_literal(PROPERTIES),
        "bounds": "".join(f" AND spans.Timestamp {sign} toDateTime64({text_literal(at)}, 9, 'UTC')" for sign, at in bounds if at),
    }
    with client.stream(read("stated_spans").filled(slots), "JSONEachRow", read_only=True) as answer:
        yield from map(msgspec.json.Decoder(dict[str, Any]).decode, _lines(answer.pieces))


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    held = b""
    for piece in pieces:
        *lines, held = (held + piece).split(b"\n")
        yield from filter(None, lines)
    if held:
        yield held
