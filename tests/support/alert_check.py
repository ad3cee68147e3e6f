"""What Grafana would not take of files that provision its alerting (`tests/grafana/alert_check`): built once, from Grafana's own models."""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
from pathlib import Path

from tokentrail.local.building import run_step
from tokentrail.local.cache import Progress, Unavailable, made_once, remove_tree
from tokentrail.local.go_toolchain import find_go

SOURCES = Path(__file__).parents[1] / "grafana" / "alert_check"
PROGRAM = "alert_check"


def obtain(progress: Progress) -> Path | Unavailable:
    """The program from the cache; the first call builds it, with the Go module proxy."""
    machine = f"{platform.system()}-{platform.machine()}".lower().encode()
    parts = [content for path in sorted(SOURCES.iterdir()) for content in (path.name.encode(), path.read_bytes())]
    folder = made_once(
        "alert-check", hashlib.sha256(b"\0".join([machine, *parts])).hexdigest()[:16], lambda staging: _build(staging, progress), progress
    )
    return Unavailable("Grafana's models of alerts", folder.reason) if isinstance(folder, Unavailable) else folder / PROGRAM


def _build(staging: Path, progress: Progress) -> Unavailable | None:
    scratch = staging / "scratch"
    scratch.mkdir()
    go = find_go(scratch, progress)
    if isinstance(go, Unavailable):
        return go
    shutil.copytree(SOURCES, scratch / "sources")
    environment = go.environment(scratch, installs_into=scratch) | {"CGO_ENABLED": "0"}
    step = f"building the check of Grafana's alerts (Go {go.version}, {go.origin}; about a minute)"
    command = [str(go.program), "build", "-trimpath", "-mod=readonly", "-o", str(staging / PROGRAM), "."]
    failed = run_step(step, command, log=scratch / "build.log", progress=progress, environment=environment, folder=scratch / "sources")
    remove_tree(scratch)
    return failed


def problems(program: Path, *files: Path) -> list[str]:
    """What Grafana would not take of these files, one sentence each."""
    ran = subprocess.run([str(program), *map(str, files)], capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode in (0, 1), ran.stderr
    assert (ran.returncode == 0) == (not ran.stdout), ran.stderr
    return ran.stdout.splitlines()
