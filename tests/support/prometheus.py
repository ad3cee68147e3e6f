"""Programs of Debian's packages: `promtool` checks Prometheus's rules, `alertmanager` takes alerts, `javac`, `mvn`, `redis-server` and
`initdb` (PostgreSQL) serve tests.

Installed where root may install them.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from tokentrail.local.building import run_step
from tokentrail.local.cache import Progress, Unavailable

PACKAGES = {
    "promtool": "prometheus",
    "alertmanager": "prometheus-alertmanager",
    "javac": "default-jdk-headless",
    "mvn": "maven",
    "redis-server": "redis-server",
    "initdb": "postgresql",
}
"""By program; Debian puts its own name before the names of some."""


def found(program: str) -> Path | None:
    """The program of this machine, if it has one."""
    names = (program, f"prometheus-{program}")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:  # Debian keeps the programs of PostgreSQL's server off the PATH
        return next(iter(sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), reverse=True)), None)
    return Path(path)


def obtain(program: str, progress: Progress) -> Path | Unavailable:
    """The program; root on a machine with apt installs its package, if it is missing."""
    if (path := found(program)) is not None:
        return path
    package = PACKAGES[program]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return Unavailable(program, f"it is not installed: apt-get install {package}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with tempfile.TemporaryDirectory() as folder:
        for step in (["update"], ["install", "--yes", "--no-install-recommends", package]):
            log = Path(folder) / "apt.log"
            failed = run_step(f"apt-get {' '.join(step)}", ["apt-get", *step], log=log, progress=progress, environment=environment)
            if failed is not None:
                return Unavailable(program, failed.reason)
    return found(program) or Unavailable(program, f"Debian's package {package} has none")
