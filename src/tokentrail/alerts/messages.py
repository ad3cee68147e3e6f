"""The texts of notifications. Tenants, models and services name themselves, and may want to be a link, a mention, markup, or ten thousand lines.

Every text from the ledger is made harmless before any medium sees it: one line, of bounded length, without the signs by which Slack, Discord,
Markdown and HTML begin something. The title holds no such text, and is the same while an alert fires and when the alert is over: PagerDuty finds its
incident by the title.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tokentrail.alerts.conditions import Condition, Severity
from tokentrail.alerts.states import Alert

__all__ = ["LONGEST_LABEL", "MOST_SUBJECTS", "Message", "harmless", "message", "within"]

MOST_SUBJECTS: Final = 10
LONGEST_LABEL: Final = 250
"""Letters of a subject as a label, in Alertmanager and Prometheus."""
_MOST: Final = 160
_LOOKALIKES: Final = str.maketrans({"<": "‹", ">": "›", "@": "＠", "[": "［", "]": "］", "`": "ˋ", "|": "¦"})  # noqa: RUF001 - that is the point
_MORE: Final = "- and more: tokentrail check lists them"
_SCHEME: Final = re.compile(r":(?=//)|(?i:(?<=www)\.)")
_BROKEN: Final = {":": "∶", ".": "․"}  # noqa: RUF001 - same
_WRONG: Final = ("C", "Zl", "Zp")


@dataclass(frozen=True, slots=True)
class Message:
    """What is told of one condition at one check. `over`: none of its alerts fires any more."""

    condition: Condition
    severity: Severity
    title: str
    text: str
    firing: tuple[Alert, ...]
    resolved: tuple[Alert, ...]
    over: bool
    runbook: str


def harmless(text: str, most: int = _MOST) -> str:
    """Returns a text from the ledger as one line that is nothing but a text in Slack, Discord, Markdown, HTML and mail."""
    letters = "".join(" " if unicodedata.category(letter).startswith(_WRONG) else letter for letter in text[: most * 4])
    line = " ".join(letters.split()).translate(_LOOKALIKES)
    line = _SCHEME.sub(lambda match: _BROKEN[match[0]], line)
    return (line if len(line) <= most else line[: most - 1] + "…") or "(none)"


def message(
    condition: Condition, severity: Severity, *, firing: Sequence[Alert], resolved: Sequence[Alert], still: int, unit: str, runbook: str
) -> Message:
    """Writes what is told: alerts that have begun, those that are over, and how many others of the condition still fire."""
    lines = []
    if firing:
        lines += ["Firing:", *_lines(firing, unit)]
    if resolved:
        lines += ["Resolved:", *_lines(resolved, unit)]
    if still:
        lines.append(f"Still firing: {still} of {condition.title}.")
    lines += [f"What to do: {runbook}"]
    over = not firing and not still
    return Message(condition, severity, f"tokentrail: {condition.title}", "\n".join(lines), tuple(firing), tuple(resolved), over, runbook)


def within(text: str, most: int) -> str:
    """Returns a message's text in at most so many letters: whole lines, and the last one, which says what to do, of any."""
    if len(text) <= most:
        return text
    *lines, last = text.split("\n")
    while lines and len("\n".join([*lines, _MORE, last])) > most:
        lines.pop()
    return "\n".join([*lines, _MORE, last])[: max(most, 0)]


def _lines(alerts: Sequence[Alert], unit: str) -> list[str]:
    shown = [
        f"- {harmless(each.subject, 80)}: {each.value:g} {unit} (threshold {each.threshold:g}); {harmless(each.detail)}"
        for each in alerts[:MOST_SUBJECTS]
    ]
    more = len(alerts) - MOST_SUBJECTS
    return shown if more <= 0 else [*shown, f"- and {more} more: tokentrail check lists them"]
