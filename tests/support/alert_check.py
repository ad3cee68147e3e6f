"""What Grafana would not take of files that provision its alerting (`tests/grafana/alert_check`): built once, from Grafana's own models."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.go_program import built
from tokentrail.local.cache import Progress, Unavailable

SOURCES = Path(__file__).parents[1] / "grafana" / "alert_check"


def obtain(progress: Progress) -> Path | Unavailable:
    """The program from the cache; the first call builds it, with the Go module proxy."""
    return built(SOURCES, "Grafana's models of alerts", progress, takes="a minute")


def problems(program: Path, *files: Path) -> list[str]:
    """What Grafana would not take of these files, one sentence each."""
    ran = subprocess.run([str(program), *map(str, files)], capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode in (0, 1), ran.stderr
    assert (ran.returncode == 0) == (not ran.stdout), ran.stderr
    return ran.stdout.splitlines()
