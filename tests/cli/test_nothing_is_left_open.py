"""At the end of a command no socket, file or engine is still open: Python would say so as a ResourceWarning."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = "from tokentrail.cli import main; main()"
COMMANDS = [
    ["report"],
    ["sql", "SELECT 1"],
    ["sql", "SELECT number FROM numbers(100000000)"],
    ["sql", "SELECT 1 FORMAT CSV"],
    ["sql", "SELEC"],
    ["verify"],
    ["migrate"],
    ["backup"],
    ["restore", "nothing"],
    ["quarantine", "list"],
    ["report", "--dsn", "http://no-such-host.invalid/x"],
    ["sql", "SELECT 1", "--dsn", "chdb://{folder}"],
    ["journal", "ship", "--endpoint", "http://127.0.0.1:9/v1/logs"],
    ["journal", "status"],
    ["count", __file__],
    ["doctor"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:2]))
def test_after(served: str, tmp_path: Path, command: list[str]) -> None:
    arguments = [word.format(folder=tmp_path) for word in command]
    variables = {
        "TOKENTRAIL_CLICKHOUSE_DSN": served,
        "TOKENTRAIL_ENDPOINT": "http://127.0.0.1:9/v1/logs",
        "TOKENTRAIL_JOURNAL_DIR": str(tmp_path / "journal"),
    }
    ran = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "always::ResourceWarning", "-c", PROGRAM, *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode in (0, 1, 2)
    assert "ResourceWarning" not in ran.stderr
    assert "Traceback" not in ran.stderr
