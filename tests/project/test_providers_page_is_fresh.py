"""docs/providers.md says what holds: its part of the shipped recordings is what their bodies give, and its hosts are the table's.

That each of these is exact through its SDK too is what `tests/providers/test_recorded_usages_are_the_ledgers.py` holds.
"""

from __future__ import annotations

from tests.support.scripts import load_script
from tests.support.wheel import ROOT
from tokentrail.testing import read_recordings
from tokentrail.testing.exactness import rows_of

PAGE = (ROOT / "docs" / "providers.md").read_text("utf-8")


def test_the_shipped_recordings() -> None:
    script = load_script("providers_page")
    shown = [line for line in script.shipped_in(PAGE).splitlines() if line.startswith("| ")][1:-1]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in shown]
    rows = rows_of(read_recordings())
    assert [[*cell[:4], cell[5]] for cell in cells] == [
        [row.provider, row.endpoint, str(row.exchanges), str(row.with_usage), str(row.by_body)] for row in rows
    ]
    # an SDK may be installed apart, and polls what a body alone cannot tell
    assert all("differs" not in cell[6] for cell in cells)
    assert all(
        int(cell[4]) >= row.exchanges - sum(row.not_read.values()) for cell, row in zip(cells, rows, strict=True) if "does not ask" not in cell[6]
    )


def test_the_hosts() -> None:
    assert load_script("providers_page").hosts() in PAGE
