"""The package's `.sql` files as a later version would have them, and a database as an earlier version has made it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tokentrail.clickhouse import lists, sqlfiles
from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.literals import identifier
from tokentrail.counts import Count

MADE_BY_0007 = Path(__file__).parents[1] / "clickhouse" / "made_by_0007"
"""What the version wrote whose views were made by migrations, rendered for a single server."""

_COLUMN = "ADD COLUMN IF NOT EXISTS held_tokens Nullable(Int64) COMMENT 'Of the input, held'"
ADDS_ONE_MORE = f"""
ALTER TABLE usage_parsed{{{{on_cluster}}}} {_COLUMN};
ALTER TABLE usage_ledger{{{{local}}}}{{{{on_cluster}}}} {_COLUMN} CODEC(T64, ZSTD(1));
ALTER TABLE usage_days{{{{on_cluster}}}} {_COLUMN} CODEC(T64, ZSTD(1));
"""
"""The migration that comes with that count."""


def database_of(dsn: str) -> str:
    return dsn.rpartition("=")[2]


def edit(monkeypatch: pytest.MonkeyPatch, name: str, old: str, new: str) -> None:
    """Read `new` for `old` in the file `name`."""
    real = sqlfiles.read

    def read(folder: str, asked: str) -> str:
        text = real(folder, asked)
        assert asked != name or old in text
        return text.replace(old, new) if asked == name else text

    monkeypatch.setattr(sqlfiles, "read", read)


def add(monkeypatch: pytest.MonkeyPatch, folder: str, name: str, text: str) -> None:
    """Read one file more."""
    real_read, real_names = sqlfiles.read, sqlfiles.names
    monkeypatch.setattr(sqlfiles, "read", lambda given, asked: text if (given, asked) == (folder, name) else real_read(given, asked))
    monkeypatch.setattr(sqlfiles, "names", lambda given: sorted([*real_names(given), name]) if given == folder else real_names(given))


def know_one_count_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be the version that knows one count more: a line of the list, and a migration."""
    monkeypatch.setattr(
        lists, "COUNTS", (*lists.COUNTS, Count("held_tokens", "gen_ai.usage.held.input_tokens", "Of the input tokens, those held 'for an hour'"))
    )
    add(monkeypatch, "migrations", "9001_held", ADDS_ONE_MORE)


def make_former_database(client: Client, database: str, *, last: str = "0007") -> None:
    """Make a database as the earlier version did, up to the migration whose name begins with `last`."""
    client.command(f"CREATE DATABASE IF NOT EXISTS {identifier(database)} ENGINE = Atomic")
    client.use(database)
    files = sorted(path for path in MADE_BY_0007.glob("0*.sql") if path.stem[:4] <= last)
    for path in (MADE_BY_0007 / "applied.sql", *files, MADE_BY_0007 / "usage.sql"):
        text = path.read_text(encoding="utf-8")
        for statement in sqlfiles.statements(text):
            client.command(statement)
        if path.stem != "applied":
            checksum = hashlib.sha256(text.encode()).hexdigest()
            client.insert_json("migrations", [{"name": path.stem, "checksum": checksum, "cluster": "", "package": "0.1.0"}])
