"""Writes the table of conditions of docs/alerts.md: `python scripts/alerts_page.py` (a test fails when the table is stale)."""

from __future__ import annotations

import re
from pathlib import Path

from tokentrail.alerts.page import with_table
from tokentrail.deploy.collector import config_folder

PAGE = Path(__file__).parent.parent / "docs" / "alerts.md"

if __name__ == "__main__":
    in_metrics = set(re.findall(r"condition: (\w+)", (config_folder() / "prometheus-rules.yaml").read_text("utf-8")))
    PAGE.write_text(with_table(PAGE.read_text("utf-8"), in_metrics), encoding="utf-8")
    print(f"alerts.md: {len(in_metrics)} conditions in metrics")
