"""The package as users have it: a wheel, built and installed into a folder of its own, far from any checkout."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class InstalledWheel:
    """Where the wheel was installed, and how programs find it."""

    site: Path

    @property
    def program(self) -> Path:
        return self.site / "bin" / "tokentrail"

    def environment(self, **more: str) -> Mapping[str, str]:
        path = os.pathsep.join([str(self.site / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
        return {**os.environ, "PATH": path, "PYTHONPATH": str(self.site), **more}


@pytest.fixture(scope="session")
def installed_wheel(tmp_path_factory: pytest.TempPathFactory) -> InstalledWheel:
    """Made once, also for tests that run side by side. The build runs where the checkout is and writes outside of it; nothing is downloaded."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "wheel"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            make(folder)
            (folder / "done").touch()
    return InstalledWheel(folder / "site")


def make(folder: Path) -> None:
    """Build the wheel and install it into `site`."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=120, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*command, "--target", str(folder / "site"), str(wheel)], check=True, timeout=120, capture_output=True)
