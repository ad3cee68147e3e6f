"""Which records the ledger has already: asked by their keys, some thousand at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.literals import text_literal
from tokentrail.ledger.query import read
from tokentrail.usage import Usage

__all__ = ["known"]

LONGEST: Final = 200_000
"""Characters of the keys of one query: a server that lets nobody change settings takes a query of 256 KiB."""


def known(client: Client, usages: Sequence[Usage]) -> dict[str, tuple[int | None, int | None]]:
    """Returns input and output tokens by the keys that the ledger has."""
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    found: dict[str, tuple[int | None, int | None]] = {}
    for part in _parts(usages):
        times = sorted({usage.key_time if usage.key_kind != "opaque" else 0 for usage in part})
        slots = {"keys": f"[{', '.join(text_literal(usage.key) for usage in part)}]", "times": str(times)}
        settings = {"output_format_json_quote_64bit_integers": "0"}
        with client.stream(read("known_keys").filled(slots), "JSONEachRow", read_only=True, settings=settings) as answer:
            for line in b"".join(answer.pieces).splitlines():
                row = decode(line)
                found[row["key"]] = _number(row["input_tokens"]), _number(row["output_tokens"])
    return found


def _parts(usages: Sequence[Usage]) -> Iterator[list[Usage]]:
    part: list[Usage] = []
    length = 0
    for usage in usages:
        length += len(usage.key.encode()) + 4
        if part and length > LONGEST:
            yield part
            part, length = [], len(usage.key.encode()) + 4
        part.append(usage)
    if part:
        yield part


def _number(value: Any) -> int | None:
    """Returns a number, which a server may write as a text where nobody may change settings."""
    return None if value is None else int(value)
