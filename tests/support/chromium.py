"""Debian's Chromium, driven by Playwright: a page is opened as a person opens it, and what the page says, asks for or complains of is kept.

Playwright is released every month, its wheel holds its own driver, and it takes any Chromium by `executable_path`: nothing is downloaded. Selenium would
need a second program (chromedriver) of exactly the browser's version.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.require import require
from tokentrail.local.building import run_step
from tokentrail.local.cache import Progress, Unavailable

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
PACKAGES = ("chromium", "fonts-dejavu-core")


def installed() -> Path | None:
    """The browser of this machine, if there is one."""
    return next((Path(found) for name in NAMES if (found := shutil.which(name))), None)


def obtain(progress: Progress) -> Path | Unavailable:
    """Return the browser; where there is none, and apt-get may be used, install Debian's."""
    if found := installed():
        return found
    what = "a Chromium browser"
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        return Unavailable(what, f"none of {', '.join(NAMES)} is on the path; install Debian's with `apt-get install {' '.join(PACKAGES)}`")
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "apt.log"
        quiet = dict(os.environ) | {"DEBIAN_FRONTEND": "noninteractive"}
        for step in (["update"], ["install", "--yes", "--no-install-recommends", *PACKAGES]):
            failed = run_step(f"apt-get {' '.join(step)}", [apt, "--quiet", *step], log=log, progress=progress, environment=quiet, deadline_s=900.0)
            if failed is not None:
                return Unavailable(what, failed.reason)
    return installed() or Unavailable(what, "apt-get installed the package, and no browser is on the path")


@contextmanager
def browser() -> Iterator[Browser]:
    """A headless browser of this machine; its processes end with the block. The test is skipped, or fails where it is required, if there is none."""
    program = obtain(Progress(print))
    if isinstance(program, Unavailable):
        require("chromium", str(program))
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(program), args=["--font-render-hinting=none", "--disable-gpu"])
        try:
            yield chromium
        finally:
            chromium.close()
