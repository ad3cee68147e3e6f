from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.wheel import ROOT, InstalledWheel

WHERE = "from tokentrail.demo.example import example_path; from tokentrail.demo.local_model import CHAT_TEMPLATE; print(example_path()); print(CHAT_TEMPLATE)"


def test_example_and_template_travel_along(installed_wheel: InstalledWheel, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WHERE], env=installed_wheel.environment(), cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    example, template = map(Path, ran.stdout.split())
    for path in (example, template):
        assert path.is_relative_to(installed_wheel.site)
    assert example.read_bytes() == (ROOT / "examples" / "quickstart.py").read_bytes()
    assert template.is_file()
