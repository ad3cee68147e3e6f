"""The oldest version that an integration supports is patched, and its calls count: `make test-oldest` installs and tries each.

Then the shipped recordings of its providers are replayed through it, sync and async: what it can ask and read is as exact as through the newest one.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tokentrail
from tests.support.installed import ALL
from tests.support.provider_sdks import BY_BODY
from tests.support.require import required
from tokentrail.instrumentation.registry import integrations
from tokentrail.testing import read_recordings

pytestmark = pytest.mark.skipif(not required("oldest-sdks"), reason="make test-oldest installs them")

BELOW = {"aiobotocore": ("botocore==1.35.7",)}
"""What an SDK takes in one version alone."""
RECORDED = {
    "aiobotocore": ("bedrock",),
    "botocore": ("bedrock",),
    "google-genai": ("google_genai", "vertex"),
    "mistralai": ("mistral",),
}
"""The providers whose recordings an integration's SDK asks for, where the names differ."""
APART = {"claude-agent-sdk", "ibm-watsonx-ai", "voyageai", "xai-sdk"}
"""SDKs that need what nobody else here does, so that what they need is installed with them."""
UNCALLED = {"claude-agent-sdk", "replicate", "xai-sdk"}
"""SDKs that have no probe: a program, jobs, and gRPC."""
CANNOT = ("AttributeError", "TypeError", "ValidationError")
"""What an SDK raises that has no such method, takes no such argument, or cannot read an answer that is younger than it."""
ROOT = Path(__file__).parents[2]
CHECK = """
import sys
from importlib.metadata import version
from tokentrail.doctor.sdks import check_sdks
from tokentrail.instrumentation import registry
name, package = sys.argv[1:]
alone = {name: registry.points()[name]}
registry.points = lambda: alone  # the other SDKs take their time
print(version(package))
print(*[f"{found.state}: {found.sentence}" for found in check_sdks() if found.what == name and found.state != "note"], sep="\\n")
"""


ASIDE = {"litellm"}
"""What needs packages of its own: `make test-frameworks` tries the oldest version."""


@pytest.mark.parametrize("name", [name for name in ALL if name not in ASIDE])
def test_the_oldest_version_is_patched_and_counted(name: str, tmp_path: Path) -> None:
    integration = integrations()[name]
    oldest = integration.supports.removeprefix(">=").partition(",")[0]
    every = "" if "b" in oldest else ".*"  # of a package that has no release yet
    # of their time: SDKs of 2024 hand httpx what it no longer takes since 0.28
    wanted = [f"{integration.package}=={oldest}{every}", "httpx==0.27.*", *BELOW.get(name, ())]
    alone = () if name in APART else ("--no-deps",)
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *alone, "--target", str(tmp_path / "sdk"), *wanted], check=True, timeout=240)
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "sdk"), "TOKENTRAIL_JOURNAL_DIR": str(tmp_path / "journal")}
    program = [sys.executable, "-c", CHECK, name, integration.package]
    ran = subprocess.run(program, env=environment, capture_output=True, text=True, check=True, timeout=120)
    version, *found_here = ran.stdout.splitlines()
    assert f"{version}.".startswith(f"{oldest}.")
    assert [each.partition(":")[0] for each in found_here] == ["ok"]
    calls = re.findall(r"(\d+) calls? to a listener here", found_here[0])
    assert any(map(int, calls)) or name in UNCALLED

    providers = RECORDED.get(name, (name,))
    if not [recording for recording in read_recordings() if recording.provider in providers and recording.provider not in BY_BODY]:
        return
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path / "sdk"), str(Path(tokentrail.__file__).parents[1]), str(ROOT)])
    replay = [sys.executable, "-m", "tests.support.oldest", name, *providers]
    ran = subprocess.run(replay, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert ran.returncode == 0, ran.stderr[-2000:]
    found = json.loads(ran.stdout.splitlines()[-1])
    assert found["differs"] == {}
    assert found["exact"] > 10
    unknown = {reason for reason in found["not asked"].values() if not reason.startswith(CANNOT)}
    assert unknown == set()
