"""A table in Markdown ends at a blank line: rows after it are shown as text. Every run of rows has a head, a line of dashes, and as many cells in each row."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.wheel import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "collector-config").rglob("*.md")])


def faults(text: str) -> list[str]:
    found = []
    for run in runs_of_rows(text):
        if len(run) < 2 or not re.fullmatch(r"\|(\s*:?-+:?\s*\|)+", run[1][1]):
            found.append(f"line {run[0][0]}: rows without a head: {run[0][1][:60]}")
        cells = {len(re.findall(r"(?<!\\)\|", line)) for _, line in run}
        if len(cells) != 1:
            found.append(f"line {run[0][0]}: rows of {sorted(cells)} cells")
    return found


def runs_of_rows(text: str) -> list[list[tuple[int, str]]]:
    runs: list[list[tuple[int, str]]] = []
    fenced = within = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        row = line.startswith("|") and not fenced
        if row and not within:
            runs.append([])
        if row:
            runs[-1].append((number, line.rstrip()))
        within = row
    return runs


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_tables_are_whole(document: Path) -> None:
    assert faults(document.read_text("utf-8")) == []


def test_a_blank_line_within_a_table_is_found() -> None:
    assert faults("| a | b |\n|---|---|\n| 1 | 2 |\n\n| 3 | 4 |\n") == ["line 5: rows without a head: | 3 | 4 |"]
    assert faults("| a | b |\n|---|---|\n| 1 | 2 | 3 |\n") == ["line 1: rows of [3, 4] cells"]
    assert faults("```\n| no table |\n```\n") == []
