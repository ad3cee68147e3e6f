"""`make screenshots`: opens every dashboard on a story of two weeks, through the data source's own layers, and writes docs/images/grafana-*.png.

The pictures are of Grafana's own components in Debian's Chromium. They have 256 colours or fewer, which is what keeps each of them small.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import yaml
from PIL import Image

from tests.support import chromium, grafana_page, grafana_story, query_path
from tests.support.grafana_browser import Browser
from tests.support.grafana_look import MAX_BYTES, Look, looking
from tests.support.grafana_opened import answers, draw
from tests.support.query_path import QueryPath
from tokentrail.clickhouse.client import connect
from tokentrail.embedded.process import ServerProcess
from tokentrail.local.cache import Progress, Unavailable

ROOT = Path(__file__).parents[3]
IMAGES = ROOT / "docs" / "images"
PROVISIONING = ROOT / "deploy" / "grafana" / "provisioning"
COLOURS = (256, 192, 128, 96, 64, 48, 32)
"""As many as leave a picture small enough."""
RANGE_MS = 7 * 86_400_000
DARK = ("tokentrail-overview",)
"""The dashboards of which there is a picture in dark colours too."""


def pictures(look: Look, backend: QueryPath, end_ms: int) -> None:
    for path in sorted((PROVISIONING / "dashboards" / "tokentrail").glob("*.json")):
        opened = Browser(json.loads(path.read_text("utf-8")), end_ms - RANGE_MS, end_ms)
        given = answers(opened, backend)
        for theme in ("light", "dark") if path.stem in DARK else ("light",):
            looked = draw(look, opened, given, theme=theme, time_text=("now-7d", "now"))
            wrong = [*looked.complaints, *(f"{panel.title}: {panel.error}" for panel in looked.panels if panel.error)]
            if wrong:
                sys.exit(f"{path.name} cannot be drawn: {'; '.join(wrong)}")
            target = IMAGES / f"grafana-{path.stem.removeprefix('tokentrail-')}{'-dark' if theme == 'dark' else ''}.png"
            look.screenshot(target)
            reduce(target)


def reduce(picture: Path) -> None:
    """Make a picture small enough for docs. Its size is said, and the command ends where even few colours do not suffice."""
    drawn = Image.open(picture).convert("RGB")
    for colours in COLOURS:
        drawn.quantize(colours, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(picture, optimize=True)
        size = picture.stat().st_size
        if size < MAX_BYTES:
            print(f"{picture.relative_to(ROOT)}: {drawn.width} x {drawn.height}, {colours} colours, {size // 1000} kB")  # noqa: T201 - a command's output
            return
    sys.exit(f"{picture.name} has more than {MAX_BYTES // 1000} kB: fewer panels")


def main() -> None:
    progress = Progress(print)
    program = query_path.obtain(progress)
    for part in (program, grafana_page.obtain(progress), chromium.obtain(progress)):
        if isinstance(part, Unavailable):
            sys.exit(str(part))
    end = time.time_ns() // grafana_story.HOUR * grafana_story.HOUR
    with tempfile.TemporaryDirectory() as folder, ServerProcess.started(Path(folder) / "clickhouse") as server, looking() as look:
        client = connect(server.addresses.dsn)
        grafana_story.fill(client, end)
        client.close()
        provisioned = yaml.safe_load((PROVISIONING / "datasources" / "tokentrail.yaml").read_text("utf-8"))
        port = int(server.addresses.http.rpartition(":")[2])
        backend = QueryPath(program, provisioned["datasources"][0]["jsonData"] | {"host": "127.0.0.1", "port": port, "username": "default"})
        try:
            pictures(look, backend, end // 10**6)
        finally:
            backend.close()


if __name__ == "__main__":
    main()
