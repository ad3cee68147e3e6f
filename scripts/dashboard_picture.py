"""Makes the README's picture of the dashboard: `python scripts/dashboard_picture.py [FOLDER]`, from the calls of a made-up company and public prices.

It starts `tokentrail serve` on a folder of its own, loads the prices of genai-prices, and opens /dashboard in this machine's Chromium.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from tests.support.chromium import browser
from tests.support.example_ledger import example_rows
from tokentrail.clickhouse.client import connect
from tokentrail.embedded.process import ServerProcess
from tokentrail.prices.public import public_list
from tokentrail.prices.store import load

MOST_BYTES = 200_000
PICTURES = (("dashboard", 1280, 1100, "light"), ("dashboard-dark", 1280, 1100, "dark"), ("dashboard-phone", 390, 844, "light"))


def main() -> None:
    """Fill, open, write the pictures."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, ServerProcess.started(Path(data) / "clickhouse") as server, browser() as chromium:
        client = connect(server.addresses.dsn)
        client.insert_json("usage_landing", example_rows(datetime.now(timezone.utc)))
        load(client, public_list())
        client.close()
        for name, width, height, scheme in PICTURES:
            page = chromium.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.goto(f"{server.addresses.http}/dashboard?from=30d")
            page.locator("#conserved section").wait_for()
            picture = folder / f"{name}.png"
            page.screenshot(path=picture)
            page.close()
            size = picture.stat().st_size
            print(f"{picture}  {size:,} bytes")
            if size > MOST_BYTES:
                sys.exit(f"{picture} is larger than {MOST_BYTES:,} bytes")


if __name__ == "__main__":
    main()
