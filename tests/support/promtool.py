"""`promtool` of Debian's package prometheus, which checks and tests Prometheus's rules. Installed where this program may install it."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from tokentrail.local.building import run_step
from tokentrail.local.cache import Progress, Unavailable

WHAT = "promtool"


def found() -> Path | None:
    """The program of this machine, if it has one."""
    path = shutil.which(WHAT)
    return None if path is None else Path(path)


def obtain(progress: Progress) -> Path | Unavailable:
    """The program; root on a machine with apt installs it, if it is missing."""
    if (path := found()) is not None:
        return path
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return Unavailable(WHAT, "it is not installed: apt-get install prometheus")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with tempfile.TemporaryDirectory() as folder:
        for step in (["update"], ["install", "--yes", "--no-install-recommends", "prometheus"]):
            failed = run_step(
                f"apt-get {' '.join(step)}", ["apt-get", *step], log=Path(folder) / "apt.log", progress=progress, environment=environment
            )
            if failed is not None:
                return Unavailable(WHAT, failed.reason)
    return found() or Unavailable(WHAT, "Debian's package prometheus has none")
