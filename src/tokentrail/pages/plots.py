"""Plots as SVG, drawn by pygal: bars over time. Colours and fonts are the page's, by class; nothing in a plot is script or style.

A plot has a sentence for those who do not see it, and each bar its numbers as a title; the page has the same numbers as a table beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from xml.etree import ElementTree as ET

import pygal
from markupsafe import Markup
from pygal.style import Style

from tokentrail.money import total
from tokentrail.pages import figures
from tokentrail.pages.facts import Row

__all__ = ["Series", "Timeline", "bars", "over_time"]

WIDTH, HEIGHT = 640, 210
MOST_SERIES: Final = 5
LABELS: Final = 6
OTHERS: Final = "all others"
_FORMS: Final = {"hour": "%b %d %H:00", "day": "%b %d", "week": "%b %d", "month": "%b %Y"}
_LENGTHS: Final = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}
_MOST_GAPS: Final = 200
_FIXED: Final[Mapping[str, Any]] = {
    "width": WIDTH,
    "height": HEIGHT,
    "css": [],
    "js": [],
    "show_legend": False,
    "truncate_label": -1,
    "show_minor_x_labels": False,
    "margin": 6,
    "margin_left": 36,
    "margin_bottom": 14,
    "spacing": 4,
    "y_labels_major_count": 3,
    "show_minor_y_labels": True,
    "max_scale": 5,
    "style": Style(label_font_size=8, major_label_font_size=8),
}


@dataclass(frozen=True, slots=True)
class Series:
    """One colour of a plot: its name as seen, and its values, one a step; None where nothing is stated."""

    name: str
    values: tuple[int | Decimal | None, ...]

    @property
    def total(self) -> int | Decimal:
        """The sum of all values."""
        return _sum(value for value in self.values if value is not None)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Steps, those without a call too, and the series over them."""

    step: str
    times: tuple[datetime, ...]
    series: tuple[Series, ...]

    @property
    def labels(self) -> list[str]:
        """The steps as seen."""
        return [time.strftime(_FORMS[self.step]) for time in self.times]


def over_time(
    rows: Sequence[Row],
    step: str,
    value: Callable[[Row], Mapping[str, int | Decimal]],
    *,
    order: Sequence[str] = (),
    empty: int | None = 0,
) -> Timeline:
    """Sums the rows of a question over time by step and by the names that `value` gives; the last series are one, `OTHERS`.

    The order of the series, and so their colours, is that of `order`, then the greatest comes first. `empty` is the value of a step for
    which a series has no row: of calls there were none, a cost is not known.
    """
    steps = _steps(sorted({datetime.fromisoformat(row["time"]) for row in rows}), step)
    sums: dict[str, dict[datetime, int | Decimal]] = {}
    for row in rows:
        time = datetime.fromisoformat(row["time"])
        for name, number in value(row).items():
            of_name = sums.setdefault(name, {})
            of_name[time] = _sum((of_name.get(time, 0), number))
    place = {name: number for number, name in enumerate(order)}
    ordered = sorted(sums.items(), key=lambda each: (place.get(each[0], len(place)), -_sum(each[1].values())))
    most, rest = ordered[:MOST_SERIES], ordered[MOST_SERIES:]
    series = [Series(figures.name(name), tuple(values.get(time, empty) for time in steps)) for name, values in most]
    if rest:
        found = [[values[time] for _, values in rest if time in values] for time in steps]
        series.append(Series(OTHERS, tuple(_sum(values) if values else empty for values in found)))
    return Timeline(step, tuple(steps), tuple(series))


def _sum(values: Iterable[int | Decimal]) -> int | Decimal:
    """Returns the sum of counts, or of amounts of money to the last digit."""
    found = list(values)
    if any(isinstance(value, Decimal) for value in found):
        return total(Decimal(value) for value in found)
    return sum(found)


def _steps(found: list[datetime], step: str) -> list[datetime]:
    """Returns the steps from the first to the last one, those without a call too; only those with calls where they are far apart."""
    length = _LENGTHS.get(step)
    if length is None:
        return _months(found)
    if not found or (found[-1] - found[0]) / length > _MOST_GAPS:
        return found
    between = [found[0] + number * length for number in range(int((found[-1] - found[0]) / length) + 1)]
    return sorted({*found, *between})


def _months(found: list[datetime]) -> list[datetime]:
    if not found:
        return found
    first, last = (time.year * 12 + time.month - 1 for time in (found[0], found[-1]))
    return found if last - first > _MOST_GAPS else [datetime(month // 12, month % 12 + 1, 1) for month in range(first, last + 1)]  # noqa: DTZ001 - in the zone of the page


def bars(timeline: Timeline, *, title: str, unit: str, first_color: int = 0, written: Callable[[Any], str] = figures.grouped) -> Markup:
    """Draws stacked bars. `title` is what the plot shows, in a sentence; `written` makes the text of a value."""
    chart = pygal.StackedBar(**_FIXED, value_formatter=figures.compact)
    labels = timeline.labels
    chart.x_labels = labels
    chart.x_labels_major = labels[:: max(1, -(-len(labels) // LABELS))]
    for series in timeline.series:
        chart.add("", [float(value or 0) for value in series.values])
    root: ET.Element = chart.render_tree()
    plot = _only_the_plot(root)
    _say_what_bars_show(plot, timeline, first_color, lambda value: f"{written(value)} {unit}")
    svg = ET.Element("svg", {"class": "plot", "viewBox": f"0 0 {WIDTH} {HEIGHT}", "role": "img", "aria-label": title})
    svg.append(plot)
    return Markup(ET.tostring(svg, encoding="unicode", short_empty_elements=True))  # noqa: S704 - an element tree escapes every text and attribute


def _only_the_plot(root: ET.Element) -> ET.Element:
    """Returns pygal's group with axes and bars, without its texts for scripts."""
    plot = next(group for group in root.iter("g") if group.get("class") == "plot")
    plot.set("class", "area")
    for parent in list(plot.iter()):
        for child in list(parent):
            if child.tag in ("desc", "title"):
                parent.remove(child)
    return plot


def _say_what_bars_show(plot: ET.Element, timeline: Timeline, first_color: int, written: Callable[[Any], str]) -> None:
    labels = timeline.labels
    drawn = [group for group in plot.iter("g") if group.get("class", "").startswith("series")]
    for number, (group, series) in enumerate(zip(drawn, timeline.series, strict=True)):
        group.set("class", f"c{first_color + number}")
        (held,) = group
        for bar, label, value in zip(list(held), labels, series.values, strict=True):
            if not value:
                held.remove(bar)
                continue
            (rectangle,) = bar
            for name in ("rx", "ry", "class"):
                rectangle.attrib.pop(name, None)
            for name in ("x", "y", "width", "height"):
                rectangle.set(name, f"{float(rectangle.get(name, 0)):.1f}")
            ET.SubElement(rectangle, "title").text = f"{label}, {series.name}: {written(value)}"
