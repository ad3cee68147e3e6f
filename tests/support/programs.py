"""Small programs, run in a process of their own: what they print is JSON on their last line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[2]


def run(program: str, *arguments: str, journal: Path | None = None, check: bool = True, **environment: str) -> Any:
    """Run a program; its last line, parsed. Nothing is shipped or estimated, and its journal lies where it is told to, if anywhere."""
    given = {**os.environ, "TOKENTRAIL_SHIP": "false", "TOKENTRAIL_ESTIMATE": "false", "PYTHONPATH": str(HERE), **environment}
    if journal is not None:
        given["TOKENTRAIL_JOURNAL_DIR"] = str(journal)
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning:tokentrail", "-c", textwrap.dedent(program), *arguments],
        env=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if check:
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])
