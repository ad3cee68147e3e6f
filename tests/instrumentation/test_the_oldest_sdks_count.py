"""The oldest version that an integration supports is patched, and its calls count: `make test-oldest` installs and tries each."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.installed import ALL
from tests.support.require import required
from tokentrail.instrumentation.registry import integrations

pytestmark = pytest.mark.skipif(not required("oldest-sdks"), reason="make test-oldest installs them")

BELOW = {"aiobotocore": ("botocore==1.35.7",)}
"""What an SDK takes in one version alone."""
CHECK = """
import sys
from importlib.metadata import version
from tokentrail.doctor.sdks import check_sdks
name, package = sys.argv[1:]
print(version(package), *[found.state for found in check_sdks() if found.what == name and found.state != "note"])
"""


ASIDE = {"litellm"}
"""What needs packages of its own: `make test-frameworks` tries the oldest version."""


@pytest.mark.parametrize("name", [name for name in ALL if name not in ASIDE])
def test_the_oldest_version_is_patched_and_counted(name: str, tmp_path: Path) -> None:
    integration = integrations()[name]
    oldest = integration.supports.removeprefix(">=").partition(",")[0]
    # of their time: SDKs of 2024 hand httpx what it no longer takes since 0.28
    wanted = [f"{integration.package}=={oldest}.*", "httpx==0.27.*", *BELOW.get(name, ())]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(tmp_path / "sdk"), *wanted], check=True, timeout=240
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "sdk"), "TOKENTRAIL_JOURNAL_DIR": str(tmp_path / "journal")}
    program = [sys.executable, "-c", CHECK, name, integration.package]
    ran = subprocess.run(program, env=environment, capture_output=True, text=True, check=True, timeout=120)
    version, *states = ran.stdout.split()
    assert version.startswith(f"{oldest}.")
    assert states == ["ok"]
