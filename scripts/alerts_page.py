"""Writes the table of conditions of docs/alerts.md, and Prometheus's rules over the check: `python scripts/alerts_page.py`.

A test fails when either is stale.
"""

from __future__ import annotations

from pathlib import Path

from tokentrail.alerts.page import with_table
from tokentrail.alerts.rules import with_rules
from tokentrail.deploy.collector import config_folder

PAGE = Path(__file__).parent.parent / "docs" / "alerts.md"
RULES = config_folder() / "prometheus-rules.yaml"


def pages() -> dict[Path, str]:
    """Both files."""
    rules = with_rules(RULES.read_text("utf-8"))
    return {RULES: rules, PAGE: with_table(PAGE.read_text("utf-8"), rules)}


if __name__ == "__main__":
    for path, page in pages().items():
        path.write_text(page, encoding="utf-8")
        print(f"{path.name}: {page.count('alert: ') or page.count(chr(10) + '| ')} lines")
