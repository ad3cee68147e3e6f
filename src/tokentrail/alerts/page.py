"""Writes the table of conditions in the docs, from the conditions and their questions."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from tokentrail.alerts.conditions import CONDITIONS

__all__ = ["with_table"]

_BEGIN: Final = "<!-- conditions: written by `make docs` -->\n"
_END: Final = "<!-- conditions: end -->\n"


def with_table(page: str, in_metrics: Container[str]) -> str:
    """Returns the page with the table of today. `in_metrics` are the conditions that have a rule for Prometheus."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    rows = ["| condition | fires for | threshold | least | hold | severity | Prometheus |\n", "| --- | --- | --- | --- | --- | --- | --- |\n"]
    for each in CONDITIONS:
        query = each.query
        least = next((f"{wanted.value:,} {wanted.name[6:]}" for wanted in query.parameters if wanted.name.startswith("least_")), "")
        threshold = f"`{each.threshold}` {query.given()[each.threshold]} ({query.unit})"
        told = "yes" if each.name in in_metrics else "no"
        name = f"[{each.name}](runbooks/{each.name}.md)"
        rows.append(f"| {name} | {query.title} | {threshold} | {least} | {each.hold} min | {each.severity} | {told} |\n")
    return f"{before}{_BEGIN}{''.join(rows)}{_END}{after}"
