"""Writes deploy/grafana and the list of dashboards in docs/grafana.md: `python scripts/grafana_page.py` (a test fails when one of them is stale)."""

from __future__ import annotations

import shutil
from pathlib import Path

from tokentrail.grafana.files import write
from tokentrail.grafana.page import BEGIN, dashboards_page

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "deploy" / "grafana"
PAGE = ROOT / "docs" / "grafana.md"


def page() -> str:
    """What is written by hand, with the list of dashboards behind it."""
    return PAGE.read_text("utf-8").partition(BEGIN)[0] + dashboards_page()


if __name__ == "__main__":
    shutil.rmtree(FOLDER, ignore_errors=True)
    print(f"deploy/grafana: {len(write(FOLDER))} files")
    PAGE.write_text(page(), "utf-8")
