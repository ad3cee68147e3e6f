"""Dashboards, looked at: Grafana's own components draw a dashboard's JSON from the frames of its panels, in a real browser.

    with looking() as look:
        looked = look.draw(dashboard, {1: {"results": {"A": {"frames": […]}}}}, start=…, end=…)
        look.screenshot(Path("docs/images/overview.png"))

Answers are those of Grafana's /api/ds/query, by the panel's id. The page has no address that leads anywhere: files come from the cache's folder, and
whatever else is asked for is refused and kept as a complaint, as are dialogs, the console's errors and exceptions.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.support import chromium, grafana_page
from tests.support.require import require
from tokentrail.local.cache import Progress, Unavailable

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

ICONS = "/public/build/img/icons/"
NO_ICON = b'<svg xmlns="http://www.w3.org/2000/svg"/>'
"""Some icons are part of Grafana's server and not of its packages."""
Value = str | Sequence[str]
HOST = "http://dashboards.invalid"
WIDTH = 1440
POLICY = "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'"
MAX_BYTES = 200_000


@dataclass(frozen=True, slots=True)
class Panel:
    """What a person sees of one panel. `rows` are those of its table or of its legend's, with the heading; `faults` are what Grafana would leave out in silence, and a cut title."""

    id: int
    kind: str
    drawn_as: str
    title: str
    text: str
    rows: tuple[tuple[str, ...], ...]
    error: str
    links: tuple[str, ...]
    faults: tuple[str, ...]


@dataclass(slots=True)
class Looked:
    """A dashboard as drawn. `complaints` are dialogs, errors of the console, exceptions and requests that lead outside."""

    panels: list[Panel]
    complaints: list[str] = field(default_factory=list)

    def panel(self, title: str) -> Panel:
        return next(panel for panel in self.panels if panel.title == title)


class Look:
    """A browser's page with Grafana's components."""

    def __init__(self, browser: Browser, folder: Path, width: int) -> None:
        self._folder = folder
        self._width = width
        self._complaints: list[str] = []
        self._context = browser.new_context(viewport={"width": width, "height": 300}, locale="en-US", timezone_id="UTC", reduced_motion="reduce")
        self._context.route("**/*", self._answer)
        self._page: Page = self._context.new_page()
        self._page.on("dialog", lambda dialog: (self._complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self._page.on("pageerror", lambda error: self._complaints.append(f"exception: {error}"))
        self._page.on("console", lambda message: self._complaints.append(f"console: {message.text}") if message.type == "error" else None)
        self._page.goto(f"{HOST}/page.html")

    def draw(
        self,
        dashboard: Mapping[str, Any],
        answers: Mapping[int, Mapping[str, Any]],
        *,
        start: datetime,
        end: datetime,
        zone: str = "utc",
        theme: str = "light",
        variables: Mapping[str, Value] | None = None,
        texts: Mapping[str, Value] | None = None,
        time_text: tuple[str, str] | None = None,
    ) -> Looked:
        """Draw a dashboard, with every row open, and return what is seen of its panels.

        `texts` are what the menus of variables say where that is not the value; `time_text` is such as ("now-7d", "now").
        """
        self._complaints.clear()
        spec = {
            "dashboard": dashboard,
            "answers": {str(panel): answer for panel, answer in answers.items()},
            "from": int(start.timestamp() * 1000),
            "to": int(end.timestamp() * 1000),
            "timeZone": zone,
            "theme": theme,
            "variables": {name: {"text": (texts or {}).get(name, _text(value)), "value": value} for name, value in (variables or {}).items()},
        }
        if time_text:
            spec["timeText"] = {"from": time_text[0], "to": time_text[1]}
        height = self._page.evaluate("spec => look.draw(spec)", spec)
        self._page.set_viewport_size({"width": self._width, "height": max(200, height)})
        return Looked([_panel(one) for one in self._page.evaluate("look.seen()")], list(self._complaints))

    def screenshot(self, path: Path, *, panel: int | None = None) -> None:
        """Write a picture of the whole page, or of one panel."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if panel is None:
            self._page.screenshot(path=path, full_page=True, animations="disabled", caret="hide")
        else:
            self._page.locator(f'[data-panel="{panel}"]').screenshot(path=path, animations="disabled")

    def evaluate(self, script: str) -> Any:
        return self._page.evaluate(script)

    def close(self) -> None:
        self._context.close()

    def _answer(self, route: Route) -> None:
        address = urlsplit(route.request.url)
        own = f"{address.scheme}://{address.netloc}" == HOST
        file = (self._folder / address.path.lstrip("/")).resolve()
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        if own and file.is_file() and file.is_relative_to(self._folder.resolve()):
            route.fulfill(body=file.read_bytes(), headers={"Content-Type": kind, "Content-Security-Policy": POLICY})
        elif own and address.path.startswith(ICONS) and file.suffix == ".svg":
            route.fulfill(body=NO_ICON, headers={"Content-Type": kind})
        else:
            self._complaints.append(f"asked for {route.request.url}")
            route.abort()


@contextmanager
def looking(width: int = WIDTH) -> Iterator[Look]:
    """The page in a browser. Skips the test, or fails it where `grafana-look` is required, if this machine cannot have either."""
    folder = grafana_page.obtain(Progress(print))
    if isinstance(folder, Unavailable):
        require("grafana-look", str(folder))
    with chromium.browser() as browser:
        look = Look(browser, folder, width)
        try:
            yield look
        finally:
            look.close()


def _text(value: Value) -> str | list[str]:
    """The text of a variable's value, as Grafana's menu shows it."""
    if isinstance(value, str):
        return "All" if value == "$__all" else value
    return ["All" if one == "$__all" else one for one in value]


def _panel(seen: Mapping[str, Any]) -> Panel:
    rows = tuple(map(tuple, seen["rows"]))
    links, faults = tuple(seen["links"]), tuple(seen["faults"])
    return Panel(seen["id"], seen["kind"], seen["drawnAs"], seen["title"], seen["text"], rows, seen["error"], links, faults)
