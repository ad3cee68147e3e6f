"""Writes the files of Grafana's alerting that are checked in, and the table of the page on alerts, from the conditions."""

from __future__ import annotations

import re
from pathlib import Path

from tokentrail.alerts.page import with_table
from tokentrail.deploy.collector import config_folder
from tokentrail.grafana.alerts import contact_point, rules

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "deploy" / "grafana" / "provisioning" / "alerting"
PAGE = ROOT / "docs" / "alerts.md"

if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    in_metrics = set(re.findall(r"condition: (\w+)", (config_folder() / "prometheus-rules.yaml").read_text("utf-8")))
    texts = {
        FOLDER / "tokentrail-rules.yaml": rules(),
        FOLDER / "tokentrail-contact-point.yaml": contact_point(),
        PAGE: with_table(PAGE.read_text("utf-8"), in_metrics),
    }
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
        print(f"{path.name}: {len(text.splitlines())} lines")
