"""The name of a test is the same in every worker and in every second: pytest-xdist runs nothing where two workers found different names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CASES = """
import gzip, os, pytest

@pytest.mark.parametrize("content, said", [(os.urandom(8), "a"), (gzip.compress(os.urandom(8)), "a"), (bytearray(os.urandom(8)), "b"), (b"", "b")])
def test_bytes(content, said): ...
"""


def names(path: Path) -> list[str]:
    program = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.support.names_of_tests",
        "-p",
        "no:cacheprovider",
        "--collect-only",
        "-q",
        "--rootdir",
        str(path.parent),
    ]
    plain = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    found = subprocess.run([*program, "-c", "/dev/null", str(path)], check=False, cwd=ROOT, capture_output=True, text=True, timeout=120, env=plain)
    assert found.returncode == 0, found.stdout + found.stderr
    return [line for line in found.stdout.splitlines() if "::" in line]


def test_bytes_do_not_name_a_test(tmp_path: Path) -> None:
    path = tmp_path / "test_made.py"
    path.write_text(CASES)
    first = names(path)
    assert len(first) == 4
    assert first == names(path)
