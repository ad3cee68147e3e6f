"""Writes the table of conditions in the docs, from the conditions and their questions."""

from __future__ import annotations

import re
from typing import Final

from tokentrail.alerts.conditions import CONDITIONS

__all__ = ["with_table"]

_BEGIN: Final = "<!-- conditions: written by `make docs` -->\n"
_END: Final = "<!-- conditions: end -->\n"


def with_table(page: str, rules: str) -> str:
    """Returns the page with the table of today. `rules` is the text of the rules for Prometheus."""
    over_metrics, _, over_check = rules.partition("tokentrail-check")
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    rows = ["| condition | fires for | threshold | least | hold | severity | Prometheus |\n", "| --- | --- | --- | --- | --- | --- | --- |\n"]
    for each in CONDITIONS:
        query = each.query
        least = next((f"{wanted.value:,} {wanted.name[6:]}" for wanted in query.parameters if wanted.name.startswith("least_")), "")
        threshold = f"`{each.threshold}` {query.given()[each.threshold]} ({query.unit})"
        told = " and ".join(
            [
                *(["metrics"] if re.search(rf"condition: {each.name}\b", over_metrics) else []),
                *(["check"] if f"alert: {each.alertname}\n" in over_check else []),
            ]
        )
        name = f"[{each.name}](runbooks/{each.name}.md)"
        rows.append(f"| {name} | {query.title} | {threshold} | {least} | {each.hold} min | {each.severity} | {told} |\n")
    return f"{before}{_BEGIN}{''.join(rows)}{_END}{after}"
