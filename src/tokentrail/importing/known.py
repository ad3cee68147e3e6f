"""Which records the ledger has already: asked by their keys, some hundred at a time."""

from __future__ import annotations

from collections.abc import Sequence

from tokentrail.clickhouse.client import Client
from tokentrail.ledger.query import answer
from tokentrail.usage import Usage

__all__ = ["known"]


def known(client: Client, usages: Sequence[Usage]) -> dict[str, tuple[int | None, int | None]]:
    """Returns input and output tokens by the keys that the ledger has."""
    times = sorted({str(usage.key_time if usage.key_kind != "opaque" else 0) for usage in usages})
    found = answer(client, "known_keys", {"keys": [usage.key for usage in usages], "times": times})
    return {row["key"]: (row["input_tokens"], row["output_tokens"]) for row in found.dicts()}
