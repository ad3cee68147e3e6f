"""What is no module travels in the room that owns it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.wheel import ROOT, InstalledWheel
from tokentrail.deploy.collector import FILES

WHERE = """
from tokentrail.demo.example import example_path
from tokentrail.deploy.collector import config_folder
from tokentrail.local.local_model import CHAT_TEMPLATE, SERVER
for place in (example_path(), config_folder(), CHAT_TEMPLATE, SERVER):
    print(place)
from tokentrail.alerts.conditions import CONDITIONS
from tokentrail.alerts.runbooks import page
assert all(page(each.name) for each in CONDITIONS)
"""
COLLECTORS = {*FILES} - {"README.md"}


def test_every_file_is_found_where_its_room_is(installed_wheel: InstalledWheel, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WHERE]
    ran = subprocess.run(command, env=installed_wheel.environment(), cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    example, configurations, template, server = map(Path, ran.stdout.split())
    package = installed_wheel.site / "tokentrail"
    assert example.parent == package / "demo"
    assert example.read_bytes() == (ROOT / "examples" / "quickstart.py").read_bytes()
    assert configurations.parent == package / "deploy"
    assert {path.name: path.read_bytes() for path in configurations.iterdir()} == {
        path.name: path.read_bytes() for path in (ROOT / "collector-config").iterdir()
    }
    for path in (template, server):
        assert path.read_bytes() == (ROOT / "src/tokentrail/local" / path.name).read_bytes()
        assert path.parent == package / "local"


def test_the_collectors_files_travel_once(installed_wheel: InstalledWheel) -> None:
    found = [path.relative_to(installed_wheel.site) for path in installed_wheel.site.rglob("*") if path.name in COLLECTORS]
    assert {path.name for path in found} == COLLECTORS
    assert {path.parent for path in found} == {Path("tokentrail/deploy/collector-config")}
