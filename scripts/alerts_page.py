"""Writes the table of conditions of docs/alerts.md, and Prometheus's rules over the check: `python scripts/alerts_page.py`.

Tests fail when either is stale.
"""

from __future__ import annotations

from pathlib import Path

from tokentrail.alerts.page import with_table
from tokentrail.alerts.rules import with_rules
from tokentrail.deploy.collector import config_folder

PAGE = Path(__file__).parent.parent / "docs" / "alerts.md"
RULES = config_folder() / "prometheus-rules.yaml"

if __name__ == "__main__":
    rules = with_rules(RULES.read_text("utf-8"))
    RULES.write_text(rules, encoding="utf-8")
    PAGE.write_text(with_table(PAGE.read_text("utf-8"), rules), encoding="utf-8")
    print(f"alerts.md and prometheus-rules.yaml: {rules.count('alert: ')} alerts")
