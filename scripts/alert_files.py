"""Writes the files of Grafana's alerting that are checked in, from the conditions."""

from __future__ import annotations

from pathlib import Path

from tokentrail.grafana.alerts import contact_point, rules

FOLDER = Path(__file__).parent.parent / "deploy" / "grafana" / "provisioning" / "alerting"

if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in {"tokentrail-rules.yaml": rules(), "tokentrail-contact-point.yaml": contact_point()}.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"{name}: {len(text.splitlines())} lines")
