"""What Docker's compose would not take of a file (`tests/services/compose_check`): built once, of the library that reads the file there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support.go_program import built
from tokentrail.local.cache import Progress, Unavailable

SOURCES = Path(__file__).parents[1] / "services" / "compose_check"


def obtain(progress: Progress) -> Path | Unavailable:
    """The program from the cache; the first call builds it, with the Go module proxy."""
    return built(SOURCES, "compose's reader of files", progress, takes="ten seconds")


def problem(program: Path, file: Path, variables: Mapping[str, str]) -> str:
    """What is wrong with a file under these variables; "" for nothing."""
    ran = subprocess.run([str(program), str(file)], env={**os.environ, **variables}, capture_output=True, text=True, check=False, timeout=60)
    assert (ran.returncode == 0) == (not ran.stderr), ran
    return ran.stderr.strip()
