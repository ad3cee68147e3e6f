"""Writes deploy/grafana and the list of dashboards in docs/grafana.md: `python scripts/grafana_page.py` (a test fails when one of them is stale)."""

from __future__ import annotations

import shutil
from pathlib import Path

from tokentrail.grafana.files import write
from tokentrail.grafana.page import BEGIN, dashboards_page

ROOT = Path(__file__).parent.parent

if __name__ == "__main__":
    folder = ROOT / "deploy" / "grafana"
    shutil.rmtree(folder, ignore_errors=True)
    print(f"deploy/grafana: {len(write(folder))} files")
    page = ROOT / "docs" / "grafana.md"
    page.write_text(page.read_text("utf-8").partition(BEGIN)[0] + dashboards_page(), "utf-8")
