"""Grafana's alert rules and an example of a contact point, made from the conditions that `tokentrail check` asks.

A rule's query is the condition's question: a label `subject`, and its value. Grafana compares with the threshold, waits for the hold and keeps firing
down to the value at which the alert clears, as a check does. Everything a rule says of a subject is made harmless in SQL: a tenant names itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from textwrap import indent
from typing import Final

from tokentrail.alerts.conditions import CONDITIONS, Condition
from tokentrail.grafana.expressions import question_sql

__all__ = ["alert_sql", "contact_point", "rules"]

DATA_SOURCE: Final = "tokentrail"
CONTACT_POINT: Final = "tokentrail"
_FOLDER: Final = "tokentrail alerts"
_INTERVAL: Final = "5m"
_REACH_S: Final = 36 * 86_400
"""The time range of a query: five weeks, of which the longest question looks at four and some hours."""
_LISTS: Final = ("tenants", "operations", "providers", "models", "services", "environments", "names")
_NAMES: Final = 80
_SIGNS: Final = "[[:cntrl:]<>@`|\\\\[\\\\]]|://"
"""What begins a mention, a link or markup in the media of contact points, as a regular expression in a literal of ClickHouse."""

_HEAD: Final = f"""\
# Grafana's alert rules of tokentrail: mount into /etc/grafana/provisioning/alerting/. Grafana 11.6 or newer, data source {DATA_SOURCE}.
# Made from the conditions that `tokentrail check` asks. A threshold stands at `evaluator` (fires above it) and `unloadEvaluator` (ends below it).
apiVersion: 1
groups:
  - orgId: 1
    name: tokentrail
    folder: {_FOLDER}
    interval: {_INTERVAL}
    rules:
"""
_CONTACT: Final = f"""\
# An example of a contact point, to which all rules of tokentrail send: change the receiver, or the rules' `notification_settings`.
apiVersion: 1
contactPoints:
  - orgId: 1
    name: {CONTACT_POINT}
    receivers:
      - uid: {CONTACT_POINT}
        type: email
        settings:
          addresses: sre@example.com
          singleEmail: true
        disableResolveMessage: false
"""


def rules(runbooks: str = "") -> str:
    """Returns the file of rules, as YAML. `runbooks` is the address of the pages' folder."""
    return _HEAD + "".join(_rule(condition, runbooks) for condition in CONDITIONS)


def contact_point() -> str:
    """Returns the example of a contact point, as YAML."""
    return _CONTACT


def alert_sql(condition: Condition) -> str:
    """Returns the SQL of a rule: the subjects of the question and their values. No browser expands variables for an alert, so all lists are empty."""
    query = condition.query
    given = {wanted.name: () for wanted in query.parameters if wanted.name in _LISTS}
    return "\n".join(_wrapped(question_sql(query, given)))


def _wrapped(sql: str) -> Iterator[str]:
    yield "SELECT"
    yield f"    substringUTF8(replaceRegexpAll(answer.subject, '{_SIGNS}', ' '), 1, {_NAMES}) AS subject,"
    yield "    max(answer.value) AS value"
    yield "FROM"
    yield "("
    yield indent(sql, "    ")
    yield ") AS answer"
    yield "GROUP BY subject"
    yield "ORDER BY subject"


def _rule(condition: Condition, runbooks: str) -> str:
    query = condition.query
    threshold = next(wanted.value for wanted in query.parameters if wanted.name == condition.threshold)
    clears = float(str(threshold)) * condition.clears_at
    page = f"{runbooks}/{condition.name}.md" if runbooks else f"docs/runbooks/{condition.name}.md"
    return f"""\
      - uid: tokentrail-{condition.name.replace("_", "-")}
        title: {condition.title}
        condition: B
        for: {condition.hold}m
        noDataState: OK
        execErrState: Error
        annotations:
          summary: {_text(f"{condition.title}: {{{{ $labels.subject }}}}")}
          description: {_text(f"{query.title}: {{{{ $labels.subject }}}} has {{{{ $values.A.Value }}}} {query.unit}, the threshold is {threshold}.")}
          runbook_url: {_text(page)}
        labels:
          condition: {condition.name}
          severity: {condition.severity}
        notification_settings:
          receiver: {CONTACT_POINT}
        data:
          - refId: A
            datasourceUid: {DATA_SOURCE}
            relativeTimeRange: {{from: {_REACH_S}, to: 0}}
            model:
              refId: A
              datasource: {{type: grafana-clickhouse-datasource, uid: {DATA_SOURCE}}}
              editorType: sql
              queryType: table
              format: 1
              rawSql: |-
{indent(alert_sql(condition), " " * 16)}
          - refId: B
            datasourceUid: __expr__
            model:
              refId: B
              datasource: {{type: __expr__, uid: __expr__}}
              type: threshold
              expression: A
              conditions:
                - evaluator: {{type: gt, params: [{threshold}]}}
                  unloadEvaluator: {{type: lt, params: [{clears:g}]}}
"""


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
