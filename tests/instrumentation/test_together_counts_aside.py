"""Together's SDK does not take the versions of the rest, so it is installed aside: `make test-together`. There its recordings and ways are tried."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.require import required

ROOT = Path(__file__).parents[2]
FILES = (
    "tests/conformance/test_stainless_sdks.py",
    "tests/providers/test_provider_sdks_are_counted_whole.py",
    "tests/providers/test_recorded_usages_are_the_ledgers.py",
    "tests/providers/test_caller_sees_the_same_with_and_without_us.py",
    "tests/recordings/test_real_sdks_read_the_recorded_counts.py",
)


@pytest.mark.skipif(not required("together"), reason="make test-together installs it")
@pytest.mark.timeout(900)
def test_together_is_counted_whole(tmp_path: Path) -> None:
    target, pins = str(tmp_path / "sdk"), str(ROOT / "constraints-together.txt")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target, "--requirement", pins], check=True, timeout=240
    )
    environment = os.environ | {"PYTHONPATH": target, "TOKENTRAIL_JOURNAL_DIR": str(tmp_path / "journal"), "TOKENTRAIL_REQUIRE": ""}
    program = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "together", *FILES]
    ran = subprocess.run(program, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=840)
    assert ran.returncode == 0, ran.stdout[-4000:]
    assert " passed" in ran.stdout
