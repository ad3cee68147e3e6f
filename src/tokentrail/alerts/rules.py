"""Prometheus's rules over what a check exposes (`tokentrail check --metrics`): of each condition that no rule over a service's own metrics has.

The threshold is the check's own, from one's own file of thresholds too. An alert goes on down to the value at which the check's alert clears:
Prometheus itself has the alerts that fire in the series ALERTS.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tokentrail import semconv
from tokentrail.alerts.conditions import CONDITIONS, Condition
from tokentrail.alerts.metrics import series

__all__ = ["with_rules"]

_BEGIN: Final = "\n  # rules over the check: written by `make docs`\n"
_VALUE: Final = f"max by (condition, subject) ({series(semconv.METRIC_CONDITION_VALUE)})"
_OVER: Final = f"{_VALUE}\n          > on (condition) group_left () max by (condition)"

_CHECK: Final = f"""\
  - name: tokentrail-check
    rules:
      - record: tokentrail:condition:above_threshold
        expr: >-
          {_OVER} ({series(semconv.METRIC_CONDITION_THRESHOLD)})
      - record: tokentrail:condition:above_clear
        expr: >-
          {_OVER} ({series(semconv.METRIC_CONDITION_CLEAR)})

      - alert: TokentrailCheckHasNotRun
        expr: time() - max_over_time({series(semconv.METRIC_CHECK_TIME)}[1d]) > 1800
        labels: {{severity: page}}
        annotations:
          summary: "tokentrail check has not run on {{{{ $labels.instance }}}}"
          description: >-
            Its numbers are {{{{ $value | humanizeDuration }}}} old, and the alerts over them stand still. Or its file was left behind: delete it.
          runbook_url: docs/alerts.md
      - alert: TokentrailCheckCannotAnswer
        expr: max by (condition) ({series(semconv.METRIC_CONDITION_ANSWERED)}) == 0
        for: 15m
        labels: {{severity: ticket}}
        annotations:
          summary: "tokentrail check cannot answer {{{{ $labels.condition }}}}"
          description: "Its question fails, and whether it fires is not known: tokentrail check {{{{ $labels.condition }}}} states why."
          runbook_url: docs/alerts.md
"""


def with_rules(page: str) -> str:
    """Returns the file of rules with those over the check, for the conditions of which the rules before them have no alert of that name."""
    before = page.partition(_BEGIN)[0]
    rules = (_rule(each) for each in CONDITIONS if f"alert: {each.alertname}\n" not in before)
    return f"{before}{_BEGIN}{_CHECK}{''.join(rules)}"


def _rule(condition: Condition) -> str:
    expression = "\n          ".join(_expression(condition))
    return f"""\
      - alert: {condition.alertname}
        expr: >-
          {expression}
        for: {condition.hold}m
        labels: {{severity: {condition.severity}, condition: {condition.name}}}
        annotations:
          summary: "{condition.title}: {{{{ $labels.subject }}}}"
          description: >-
            {condition.query.title}: {{{{ $labels.subject }}}} has {{{{ $value | humanize }}}} {condition.query.unit}, as tokentrail check has found.
          runbook_url: docs/runbooks/{condition.name}.md
"""


def _expression(condition: Condition) -> Iterator[str]:
    yield f'tokentrail:condition:above_threshold{{condition="{condition.name}"}}'
    if condition.clears_at < 1:
        yield f'or tokentrail:condition:above_clear{{condition="{condition.name}"}}'
        yield f'and on (condition, subject) ALERTS{{alertname="{condition.alertname}", alertstate="firing"}}'
