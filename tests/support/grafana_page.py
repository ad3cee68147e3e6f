"""The page that draws dashboards with Grafana's own components, bundled once from its npm packages into the user's cache.

A folder of the cache holds `page.html`, `page.js` and `public` (icons and fonts): nothing else is needed to show the page, and nothing is fetched.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from tokentrail.local.building import run_step
from tokentrail.local.cache import Progress, Unavailable, made_once, remove_tree

SOURCES = Path(__file__).parents[1] / "grafana" / "look" / "page"
WHAT = "the page of Grafana's components"
OLDEST_NODE = 20
BUNDLE = (
    "page.tsx",
    "--bundle",
    "--minify",
    "--jsx=automatic",
    '--define:process.env.NODE_ENV="production"',
    "--loader:.ttf=empty",
    "--log-level=error",
)
FONTS = {
    "inter/Inter-Regular.woff2": "inter/files/inter-latin-wght-normal.woff2",
    "inter/Inter-Medium.woff2": "inter/files/inter-latin-wght-normal.woff2",
    "inter/Inter-Italic.woff2": "inter/files/inter-latin-wght-italic.woff2",
    "inter/Inter-MediumItalic.woff2": "inter/files/inter-latin-wght-italic.woff2",
    "roboto/L0xTDF4xlVMF-BfR8bXMIhJHg45mwgGEFl0_3vrtSM1J-gEPT5Ese6hmHSh0mQ.woff2": "roboto-mono/files/roboto-mono-latin-wght-normal.woff2",
}
"""The names under which Grafana's styles ask for fonts, and the files of npm's copies of these fonts."""


def obtain(progress: Progress) -> Path | Unavailable:
    """Return the page's folder from the cache. The first call asks npm for the packages: about a minute, 500 MB while the page is made, 10 MB kept."""
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in [*_sources(), Path(__file__)])).hexdigest()[:16]
    folder = made_once("grafana-look", digest, lambda staging: _make(staging, progress), progress)
    return Unavailable(WHAT, folder.reason) if isinstance(folder, Unavailable) else folder


def _sources() -> list[Path]:
    return sorted(path for path in SOURCES.iterdir() if path.suffix in {".ts", ".tsx", ".html", ".json"})


def _make(staging: Path, progress: Progress) -> Unavailable | None:
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        return Unavailable(WHAT, f"Node.js with npm is not installed (Node {OLDEST_NODE} or newer)")
    scratch = staging / "scratch"
    scratch.mkdir()
    for source in _sources():
        shutil.copy(source, scratch)
    log = scratch / "build.log"
    install = [npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    bundler = str(scratch / "node_modules" / ".bin" / "esbuild")
    failed = run_step(f"{WHAT} 1/2: its npm packages", install, log=log, progress=progress, folder=scratch, deadline_s=1200.0)
    if failed is None:
        bundle = [bundler, *BUNDLE, f"--outfile={staging / 'page.js'}"]
        failed = run_step(f"{WHAT} 2/2: one file of them", bundle, log=log, progress=progress, folder=scratch)
    if failed is None:
        _lay_out(scratch / "node_modules", staging)
        shutil.copy(scratch / "page.html", staging)
    remove_tree(scratch)
    return failed


def _lay_out(packages: Path, staging: Path) -> None:
    """Put icons and fonts where Grafana's components look for them."""
    shutil.copytree(packages / "@grafana" / "ui" / "dist" / "public" / "img" / "icons", staging / "public" / "build" / "img" / "icons")
    for wanted, given in FONTS.items():
        target = staging / "public" / "fonts" / wanted
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(packages / "@fontsource-variable" / given, target)
