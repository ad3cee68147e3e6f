"""The whole ledger goes into a folder of Parquet files and comes back as it was, as often as one likes, and a damaged or foreign file is named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.support.ledger_rows import START_NS, Land, Row, claimed, closing, refused, usage
from tokentrail.archive import importing
from tokentrail.archive.exporting import export_ledger
from tokentrail.archive.importing import check, import_ledger
from tokentrail.archive.layout import LEFT_OUT, TABLES
from tokentrail.archive.manifest import ArchiveError
from tokentrail.cli.group import cli
from tokentrail.clickhouse.client import Client, connect
from tokentrail.clickhouse.migrate import migrate
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.ledger.erasure import erase
from tokentrail.ledger.places import KEPT_SUMS, tables
from tokentrail.ledger.rollup import refresh
from tokentrail.ledger.verify import verify

pytest.importorskip("pyarrow", reason="pyarrow (tokentrail[parquet]) is not installed")

HIGHEST = 2**63
STATED = {
    "deliveries": "SELECT writer_id, {bitmaps}, arraySort(groupUniqArrayArray(statements)) AS s, min(first_heard), max(host_name) "
    "FROM deliveries GROUP BY writer_id ORDER BY writer_id".format(
        bitmaps=", ".join(
            f"arraySort(bitmapToArray(groupBitmapMergeState({name})))" for name in ("seqs", "calls", "seq_checks", "checks", "quarantined", "untaken")
        )
    ),
    "removed_calls": "SELECT writer_id, arraySort(bitmapToArray(groupBitmapMergeState(calls))) FROM removed_calls GROUP BY writer_id ORDER BY writer_id",
    "usage_jobs": "SELECT job, argMinMerge(creation), max(stated), arraySort(groupUniqArrayArray(results)) FROM usage_jobs GROUP BY job ORDER BY job",
    "removals": "SELECT * FROM removals ORDER BY ALL",
    "findings": "SELECT * FROM findings ORDER BY ALL",
    "usage_days": "SELECT * FROM usage_kept ORDER BY ALL",
}


def records() -> list[Row]:
    """Some of everything that a ledger holds, of three months."""
    rows = [usage(seq=seq, tenant=f"t{seq % 3}", ts=START_NS - seq * 10**15, output_tokens=None if seq % 2 else 3) for seq in range(1, 9)]
    rows += [
        claimed("k", by="w2", seq=1, source="estimated"),
        claimed("k", by="w2", seq=2, input_tokens=70),
        claimed("k", by="w3", seq=1, input_tokens=71),
    ]
    created: dict[str, Any] = {"calls": 0, "input_tokens": None, "output_tokens": None}
    rows += [claimed("openai/batch_1##created", by="w4", seq=1, tenant="maker", more=created), claimed("openai/batch_1#7", by="w4", seq=2, tenant="")]
    rows += [usage(by="w5", seq=1, input_tokens="many"), usage(by="w6", seq=1, call=1), usage(by="w6", seq=3_000_000, ts=START_NS)]
    rows.append(usage(by="w7", seq=HIGHEST, ts=START_NS))
    return [*rows, closing(8), refused("5-6", by="w3"), closing(0, by="w8")]


def state_of(client: Client) -> dict[str, Any]:
    """All that the tables of an archive hold, and what is said of them."""
    plain = {part.table: f"SELECT * FROM {part.table} FINAL ORDER BY ALL" for part in TABLES}
    said = {table: client.query(sql).rows for table, sql in (plain | STATED).items()}
    return said | {"usage": client.query("SELECT * FROM usage ORDER BY ALL").rows, "verify": verify(client).as_dict()}


@pytest.fixture
def other(database: Client, dsn: str) -> Iterator[Client]:
    """A second database, migrated and empty."""
    name = f"{database.database}_other"
    client = connect(f"{dsn.rpartition('=')[0]}={name}", create=True)
    migrate(client, Target(name))
    yield client
    client.command(f"DROP DATABASE {name} SYNC")
    client.close()


@pytest.fixture
def archive(land: Land, database: Client, tmp_path: Path) -> Path:
    land(*records())
    erase(database, "t0", "why")
    sums = {"day": "2025-01-01", "tenant_id": "t1", "calls": 2, "input_tokens": 7, "input_cost": "0.000000000000000001"}
    database.insert_json("usage_days", [sums | {"build": KEPT_SUMS + 5}, sums | {"build": KEPT_SUMS + 5, "model": "m"}, sums | {"build": 5}])
    database.insert_json("quarantine_times", [{"identity": "w 1 k", "time": "2026-11-01 00:00:00", "precedence": 2}])
    decided: dict[str, Any] = {"id": "f1", "version": 2, "row_id": "r", "state": "explained", "why": "a credit", "held": {"tenant_id": "t1"}}
    database.insert_json("findings", [decided | {"measures": ["cost USD"], "stated": ["1.5"], "counted": [None]}])
    export_ledger(database, tmp_path / "archive")
    return tmp_path / "archive"


def test_every_table_comes_back_as_it_was_and_twice_is_as_once(database: Client, other: Client, archive: Path) -> None:
    expected = state_of(database)
    assert {table for table, rows in expected.items() if not rows} == {"bridge_spans"}
    for _ in range(2):
        import_ledger(other, archive)
        assert state_of(other) == expected
    assert other.query("SHOW TABLES LIKE 'import%'").rows == []
    other.insert_json("usage_landing", records())  # what arrives again changes nothing there either
    assert (
        other.query("SELECT * EXCEPT (arrived_at) FROM usage ORDER BY ALL").rows
        == database.query("SELECT * EXCEPT (arrived_at) FROM usage ORDER BY ALL").rows
    )


@pytest.mark.parametrize(("column", "apart"), [("seq_checks", 1024), ("checks", 4096)])
def test_a_process_of_many_records_is_one_row(database: Client, other: Client, tmp_path: Path, column: str, apart: int) -> None:
    """The checks of records lie apart: divided as their numbers are, 200,000 records of a process became 820 rows, and an export ran out of memory."""
    database.command(
        f"INSERT INTO deliveries (writer_id, seqs, {column}) "
        f"SELECT 'w', groupBitmapState(number), groupBitmapState(number * {apart} + number % {apart}) FROM numbers(1, 1010000)"
    )
    (deliveries,) = (file for file in export_ledger(database, tmp_path).manifest.files if file.table == "deliveries")
    assert deliveries.rows == 2
    import_ledger(other, tmp_path)
    assert other.query(STATED["deliveries"]).rows == database.query(STATED["deliveries"]).rows


def test_every_table_is_in_an_archive_or_left_out_for_a_reason(database: Client) -> None:
    assert sorted(table.name for table in tables(database)) == sorted([*(part.table for part in TABLES), *LEFT_OUT])
    assert all(LEFT_OUT.values())


def test_sums_that_both_sides_have_kept_count_once(database: Client, other: Client, archive: Path) -> None:
    other.insert_json("usage_days", [{"day": "2025-01-01", "tenant_id": "t1", "calls": 3, "build": KEPT_SUMS + 9}])
    import_ledger(other, archive)
    assert other.query("SELECT sum(calls) FROM usage_kept").rows == [(3,)]


def test_two_imports_at_once_take_both_archives(land: Land, database: Client, other: Client, archive: Path, tmp_path: Path) -> None:
    """The second one made and dropped the table in which the rows of the first one waited."""
    land(usage(by="late", seq=1, ts=START_NS), closing(1, by="late"))
    export_ledger(database, tmp_path / "later")
    real, nested = importing.insert_parquet, list[str]()

    def insert(client: Client, table: str, columns: Sequence[str], path: Path) -> None:
        real(client, table, columns, path)
        if "deliveries" in table and not nested:
            nested.append(table)
            import_ledger(other, archive)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importing, "insert_parquet", insert)
        import_ledger(other, tmp_path / "later")
    assert nested
    assert state_of(other) == state_of(database)
    assert other.query("SHOW TABLES LIKE 'import%'").rows == []


def test_a_ledger_that_has_part_of_the_rows_gets_the_rest(database: Client, other: Client, archive: Path) -> None:
    other.insert_json("usage_landing", [*records()[::2], usage(by="own", seq=1, tenant="own"), closing(1, by="own")])
    import_ledger(other, archive)
    asked = "SELECT sum(calls), sum(input_tokens), sum(output_tokens) FROM usage WHERE tenant_id {}"
    assert other.query(asked.format("!= 'own'")).rows[0][0] >= database.query(asked.format("!= 'x'")).rows[0][0]
    kept = "SELECT * EXCEPT (arrived_at) FROM usage WHERE tenant_id NOT IN ('own', 't0') ORDER BY ALL"
    assert other.query(kept).rows == database.query(kept).rows
    assert [each for each in verify(other).findings if "not in the ledger" in each or "gone" in each] == []


def test_tenants_that_were_erased_here_stay_erased(other: Client, archive: Path) -> None:
    erase(other, "t1", "why")
    done = import_ledger(other, archive)
    assert done.erased > 0
    assert other.query("SELECT count() FROM usage WHERE tenant_id = 't1'").rows == [(0,)]
    assert [each for each in verify(other).findings if "not in the ledger" in each] == []


def test_sums_by_day_follow_what_came(other: Client, archive: Path) -> None:
    other.insert_json("usage_landing", [row | {"arrived_at": "2026-11-20 00:00:00"} for row in records()[:2]])
    refresh(other)
    import_ledger(other, archive)
    assert other.query("SELECT count() FROM usage_daily").rows == [(0,)]
    assert verify(other).different_days == []


def test_an_export_goes_on_where_it_was_and_writes_what_has_changed(land: Land, database: Client, archive: Path) -> None:
    assert export_ledger(database, archive, began=pytest.fail).kept == len(list(archive.glob("*.parquet")))
    land(usage(by="new", seq=1, ts=START_NS), closing(1, by="new"))

    def stop(name: str) -> None:
        if name.startswith("usage_ledger"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_ledger(database, archive, began=stop)
    with pytest.raises(ArchiveError, match="was interrupted"):
        check(archive)
    written: list[str] = []
    export_ledger(database, archive, began=written.append)
    assert written == ["usage_ledger-202611.parquet"]
    assert check(archive).complete


def changed(old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / "manifest.json").read_text()
        assert old in text
        (folder / "manifest.json").write_text(text.replace(old, new))

    return change


def flip(folder: Path) -> None:
    path = folder / "deliveries.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(folder: Path) -> None:
    path = folder / "deliveries.parquet"
    path.write_bytes(path.read_bytes()[:-9])


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (flip, "deliveries.parquet is damaged: its checksum is not that of the manifest"),
        (cut, "deliveries.parquet is damaged: it has"),
        (lambda folder: (folder / "removals.parquet").unlink(), "removals.parquet is missing: the manifest lists it"),
        (lambda folder: (folder / "manifest.json").unlink(), "is no archive: it has no manifest.json"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "manifest.json is damaged"),
        (lambda folder: (folder / "manifest.json").write_text("[]"), "manifest.json is damaged"),
        (lambda folder: (folder / "manifest.json").write_text("{}"), "is no manifest of a ledger"),
        (changed('"format": 1', '"format": 2'), "has format 2, and this version reads format 1: upgrade tokentrail"),
        (changed('"name": "removals.parquet"', '"name": "../removals.parquet"'), "names a file outside of the folder"),
        (changed('"name": "removals.parquet"', '"name": "removals.parquet", "more": 1'), "manifest.json is damaged"),
        (changed('"table": "removals"', '"table": "novelties"'), "holds a table 'novelties' that is not known here"),
        (changed('"cause"', '"novelty"'), "has a column 'novelty' that the table removals does not"),
    ],
)
def test_what_is_damaged_or_foreign_is_named_and_nothing_is_stored(other: Client, archive: Path, harm: Callable[[Path], None], sentence: str) -> None:
    harm(archive)
    with pytest.raises(ArchiveError) as caught:
        import_ledger(other, archive)
    assert sentence in str(caught.value)
    assert [other.query(f"SELECT count() FROM {part.table}").rows for part in TABLES] == [[(0,)]] * len(TABLES)


def test_a_folder_with_other_files_is_left_alone(database: Client, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(ArchiveError, match="is not empty"):
        export_ledger(database, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_the_commands_say_what_they_did(land: Land, database: Client, dsn: str, tmp_path: Path) -> None:
    land(*records())
    folder = str(tmp_path / "archive")
    said = CliRunner().invoke(cli, ["export", "ledger", "--to", folder, "--dsn", dsn])
    assert said.exit_code == 0
    assert "rows of the ledger" in said.output
    assert "is whole" in CliRunner().invoke(cli, ["import", "ledger", folder, "--check", "--dsn", dsn]).output
    as_json = json.loads(CliRunner().invoke(cli, ["import", "ledger", folder, "--json", "--dsn", dsn]).output)
    assert as_json["sums"]["calls"] == database.query("SELECT sum(calls) FROM usage_ledger FINAL").rows[0][0]
    missing = CliRunner().invoke(cli, ["import", "ledger", str(tmp_path / "nothing"), "--dsn", dsn])
    assert (missing.exit_code, "is no archive" in missing.output) == (2, True)
