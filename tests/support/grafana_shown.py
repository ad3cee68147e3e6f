"""Whether what a panel shows is what its frames hold: numbers as Grafana writes them (units, thousands, rounding), names, rows and columns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from tests.support.grafana_look import Panel

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
NUMBER = re.compile(r"(?P<sign>[-\u2212]?)(?P<digits>[\d,]+(?:\.(?P<decimals>\d+))?) ?(?P<scale>[%A-Za-zµ]*)")
SCALES = {
    "": 1.0, "%": 0.01, "K": 1e3, "Mil": 1e6, "Bil": 1e9, "Tri": 1e12, "µs": 1e-3, "ms": 1.0, "s": 1e3, "min": 60e3, "mins": 60e3, "hour": 3600e3,
    "hours": 3600e3, "day": 86400e3, "days": 86400e3, "week": 604800e3, "weeks": 604800e3, "B": 1.0, "KiB": 1024.0, "MiB": 1024.0**2, "GiB": 1024.0**3,
}  # fmt: skip
NOTHING = ("", "-", "\u2013", "(none)")
"""How a cell may show that there is no value."""
CALCULATIONS = {"sum": sum, "max": max, "min": min, "lastNotNull": lambda numbers: numbers[-1]}


def faults(panel: Mapping[str, Any], given: Mapping[str, Any], seen: Panel, *, zone: timezone = timezone.utc) -> list[str]:
    """What differs between a panel's frames and what is seen of the panel; empty if a person reads the numbers that were answered."""
    frames = [frame for result in given["results"].values() for frame in result.get("frames", ())]
    frames = [frame for frame in frames if frame["data"]["values"] and frame["data"]["values"][0]]
    if not frames:
        wanted = panel["fieldConfig"]["defaults"].get("noValue", "No data")
        return [] if words(wanted) in words(seen.text) else [f"nothing was answered, and the panel does not say {wanted!r} but {seen.text!r}"]
    check = {"stat": _stat, "bargauge": _bars, "timeseries": _legend, "table": _table}.get(panel["type"])
    return [] if check is None else list(check(panel, frames, seen, zone))


def _table(panel: Mapping[str, Any], frames: list[dict[str, Any]], seen: Panel, zone: timezone) -> Iterator[str]:
    (frame,) = frames
    columns = [column for column in _columns(panel, frame) if not column.hidden]
    head, *rows = seen.rows
    if [words(cell) for cell in head] != [words(column.label) for column in columns]:
        yield f"the heading is {head}, not {[column.label for column in columns]}"
        return
    wanted = list(zip(*(column.values for column in columns), strict=True))
    if len(rows) != len(wanted):
        yield f"{len(rows)} rows are shown, {len(wanted)} were answered"
    for place, (row, values) in enumerate(zip(rows, wanted, strict=False)):
        for cell, value, column in zip(row, values, columns, strict=True):
            if not _shows(cell, value, column, zone):
                yield f"row {place}, {column.label}: {cell!r} is shown, {value!r} was answered"


def _stat(panel: Mapping[str, Any], frames: list[dict[str, Any]], seen: Panel, zone: timezone) -> Iterator[str]:
    text = seen.text
    for column in _columns(panel, frames[0]):
        values = column.values if panel["options"]["reduceOptions"].get("values") else column.values[-1:]
        for value in values:
            lines = [line for line in map(words, text.split("\n")) if _shows(line, value, column, zone)]
            if value not in (None, "") and not lines:
                yield f"{column.label}: {value!r} was answered, and is not among {text!r}"


def _bars(panel: Mapping[str, Any], frames: list[dict[str, Any]], seen: Panel, zone: timezone) -> Iterator[str]:
    names, numbers = _columns(panel, frames[0])[:2]
    lines = [words(line) for line in seen.text.split("\n") if words(line)][1:]
    wanted = [(words(name), number) for name, number in zip(names.values, numbers.values, strict=True)]
    if len(lines) != 2 * len(wanted):
        yield f"{len(wanted)} bars were answered, and {lines} are shown"
        return
    for (name, number), title, value in zip(wanted, lines[::2], lines[1::2], strict=True):
        if title != name or not _shows(value, number, numbers, zone):
            yield f"the bar of {name} with {number} has the name {title!r} and the number {value!r}"


def _legend(panel: Mapping[str, Any], frames: list[dict[str, Any]], seen: Panel, zone: timezone) -> Iterator[str]:
    legend = panel["options"]["legend"]
    shown = {words(row[1]): row[2:] for row in seen.rows[1:]}
    wanted = [column for frame in frames for column in _columns(panel, frame) if column.type == "number"]
    if len(shown) != len(wanted):
        yield f"the legend has {sorted(shown)}, answered were {[column.label for column in wanted]}"
    for column in wanted:
        cells = shown.get(words(column.label))
        if cells is None:
            yield f"the legend has no {column.label!r} but {sorted(shown)}"
            continue
        numbers = [number for number in column.values if number is not None]
        for calculation, cell in zip(legend["calcs"], cells, strict=True):
            value = CALCULATIONS[calculation](numbers) if numbers else None
            if not _shows(cell, value, column, zone):
                yield f"the {calculation} of {column.label} is {value}, and the legend shows {cell!r}"


class Column:
    """A field of a frame, with what the dashboard says of it."""

    def __init__(self, panel: Mapping[str, Any], described: Mapping[str, Any], values: list[Any]) -> None:
        properties = {
            each["id"]: each["value"] for rule in panel["fieldConfig"]["overrides"] if _matches(rule, described) for each in rule["properties"]
        }
        defaults = panel["fieldConfig"]["defaults"]
        self.name, self.type, self.values = described["name"], described["type"], values
        self.labels: Mapping[str, str] = described.get("labels") or {}
        self.unit = properties.get("unit", defaults.get("unit", "none"))
        self.hidden = bool(properties.get("custom.hidden") or (properties.get("custom.hideFrom") or {}).get("viz"))
        self.label = self._label(properties.get("displayName") or defaults.get("displayName") or "")

    def _label(self, stated: str) -> str:
        for name, text in self.labels.items():
            stated = stated.replace(f"${{__field.labels.{name}}}", text)
        return stated.replace("${__field.name}", self.name) or " ".join([self.name, *self.labels.values()])


def _matches(rule: Mapping[str, Any], described: Mapping[str, Any]) -> bool:
    matcher = rule["matcher"]
    return bool(matcher["options"] == {"byName": described["name"], "byType": described["type"]}.get(matcher["id"]))


def _columns(panel: Mapping[str, Any], frame: Mapping[str, Any]) -> list[Column]:
    return [Column(panel, described, values) for described, values in zip(frame["schema"]["fields"], frame["data"]["values"], strict=True)]


def _shows(text: str, value: Any, column: Column, zone: timezone) -> bool:
    text = words(text)
    if value is None or value == "":
        return text in NOTHING
    if isinstance(value, bool):
        return text == str(value).lower()
    if isinstance(value, list):
        return json.loads(text) == value
    if column.type == "time":
        return text == (EPOCH + timedelta(milliseconds=value)).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
    return reads(text, value * 1000 if column.unit == "s" else value) if column.type == "number" else text == words(str(value))


def reads(text: str, number: float) -> bool:
    """Whether a text is a number as Grafana rounds and scales it."""
    found = NUMBER.fullmatch(text)
    if found is None or found["scale"] not in SCALES:
        return False
    scale = SCALES[found["scale"]] * (-1 if found["sign"] else 1)
    half = 0.5 * 10.0 ** -len(found["decimals"] or "") * abs(scale)
    return abs(float(found["digits"].replace(",", "")) * scale - number) <= half * 1.001


def words(text: str) -> str:
    """A text as a page shows it: each white space is one blank, and what no glyph stands for is left out."""
    return " ".join(text.replace("\u0000", "").split())
