"""What a check has found as Prometheus's text, for node_exporter's textfile collector or a Pushgateway. The text is OpenMetrics, too.

Of each condition the `MOST_SUBJECTS` subjects with the highest values have series; how many there are is a number of its own. Subjects that read
alike once they are harmless are one series, with the higher value: of two equal series Prometheus would take neither, nor anything else of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Final

from tokentrail import semconv
from tokentrail.alerts.check import Asked
from tokentrail.alerts.conditions import Condition, Finding
from tokentrail.alerts.messages import LONGEST_LABEL, harmless
from tokentrail.alerts.thresholds import Thresholds

__all__ = ["MOST_SUBJECTS", "exposed", "series"]

MOST_SUBJECTS: Final = 100
_ESCAPED: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_HELP: Final = {
    semconv.METRIC_CONDITION_VALUE: "The value of a condition for a subject; of many subjects those with the highest values",
    semconv.METRIC_CONDITION_FIRING: "1 if the value is above the threshold, 0 if not",
    semconv.METRIC_CONDITION_THRESHOLD: "The value above which the condition fires",
    semconv.METRIC_CONDITION_CLEAR: "The value down to which the condition goes on, once it fires",
    semconv.METRIC_CONDITION_SUBJECTS: "How many subjects the condition has, firing or not",
    semconv.METRIC_CONDITION_ANSWERED: "1 if the check has an answer to the condition, 0 if its question failed",
    semconv.METRIC_CHECK_TIME: "When the check ran, in seconds since 1970",
}


def series(metric: str) -> str:
    """Returns a metric's name in Prometheus, by OpenTelemetry's translation."""
    return metric.replace(".", "_") + ("_seconds" if metric == semconv.METRIC_CHECK_TIME else "")


def exposed(asked: Asked, thresholds: Thresholds, now: datetime) -> str:
    """Returns what was found as text."""
    samples: dict[str, list[str]] = {metric: [] for metric in _HELP}
    for condition in asked.answered:
        found = [each for each in asked.found if each.condition == condition.name]
        of_condition = f'condition="{condition.name}"'
        for metric, value in _of_condition(condition, found, thresholds):
            samples[metric].append(_sample(metric, of_condition, value))
        for subject, finding in islice(_by_subject(found).items(), MOST_SUBJECTS):
            labels = f'{of_condition},subject="{subject.translate(_ESCAPED)}"'
            samples[semconv.METRIC_CONDITION_VALUE].append(_sample(semconv.METRIC_CONDITION_VALUE, labels, finding.value))
            samples[semconv.METRIC_CONDITION_FIRING].append(_sample(semconv.METRIC_CONDITION_FIRING, labels, finding.firing))
    for name in asked.failed:
        samples[semconv.METRIC_CONDITION_ANSWERED].append(_sample(semconv.METRIC_CONDITION_ANSWERED, f'condition="{name}"', 0))
    samples[semconv.METRIC_CHECK_TIME].append(_sample(semconv.METRIC_CHECK_TIME, "", round(now.timestamp(), 3)))
    return "".join(_family(metric, lines) for metric, lines in samples.items()) + "# EOF\n"


def _of_condition(condition: Condition, found: list[Finding], thresholds: Thresholds) -> Iterator[tuple[str, float]]:
    threshold = float(str(condition.query.given(thresholds.of(condition).parameters)[condition.threshold]))
    yield semconv.METRIC_CONDITION_THRESHOLD, threshold
    yield semconv.METRIC_CONDITION_CLEAR, threshold * condition.clears_at
    yield semconv.METRIC_CONDITION_SUBJECTS, len(found)
    yield semconv.METRIC_CONDITION_ANSWERED, 1


def _by_subject(found: list[Finding]) -> dict[str, Finding]:
    highest: dict[str, Finding] = {}
    for each in sorted(found, key=lambda each: (-each.value, each.subject)):
        highest.setdefault(harmless(each.subject, LONGEST_LABEL), each)
    return highest


def _family(metric: str, lines: list[str]) -> str:
    name = series(metric)
    return f"# HELP {name} {_HELP[metric]}\n# TYPE {name} gauge\n{''.join(lines)}"


def _sample(metric: str, labels: str, value: float) -> str:
    return f"{series(metric)}{f'{{{labels}}}' if labels else ''} {float(value)!r}\n"
