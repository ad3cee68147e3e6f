"""docs/bills.md lists what the registry has, and its mapping files are read as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tokentrail.bills.mapping import read_mapping
from tokentrail.bills.registry import READERS, read_file, reader_named

PAGE = (Path(__file__).resolve().parents[2] / "docs/bills.md").read_text("utf-8")
TABLES = {match[1]: match[0] for match in re.finditer(r"^\| `([a-z-]+)` \|.*\|$", PAGE, re.MULTILINE)}
FORMS = {"json": "JSON", "jsonl": "JSONL", "csv": "CSV", "parquet": "Parquet"}


def test_the_table_is_the_registry():
    assert list(TABLES) == [reader.name for reader in READERS]
    for reader in READERS:
        row = TABLES[reader.name]
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[3] == ", ".join(FORMS[form] for form in reader.files)
        assert cells[4] == (" or ".join(f"`{name}`" for name in reader.live.variables) if reader.live else "")
        if reader.name != "csv":
            assert cells[1] == ", ".join(reader.states)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_every_reader_says_what_it_is(reader, tmp_path):
    assert reader_named(reader.name) is reader
    assert reader.title
    assert set(reader.states) <= {"tokens", "requests", "cost", "items"}
    assert set(reader.by) <= {"provider", "model", "project", "api_key", "batch", "service_tier", "item"}
    if reader.live:
        assert reader.live.url.startswith("https://")
        assert "key" in reader.live.key


def test_mappings_on_the_page_are_read(tmp_path):
    several = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert len(several) == 4
    for number, written in enumerate(several):
        path = tmp_path / f"{number}.toml"
        path.write_text(written)
        read_mapping(path)
    table = tmp_path / "bill.csv"
    table.write_text("Datum;Modell;Frisch;Aus Cache;Ausgabe (Tsd.);Betrag (Cent)\n27.11.2025;GPT 4o;1.000;24;0,5;12,5\nSumme;;;;;\n", "cp1252")
    (line,) = read_file("csv", table, mapping=read_mapping(tmp_path / "2.toml"))
    assert (line.counts["input_tokens"], line.counts["output_tokens"], str(line.cost)) == (1024, 500, "0.125")
