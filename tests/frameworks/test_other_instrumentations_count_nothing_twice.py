"""OpenLLMetry, OpenInference, OpenTelemetry's own, logfire, langfuse and openlit beside ours, in every order, switched on and off: one row per call.

Calls go through clients made before and after, in every form of nine SDKs; what their callers see is what they saw before the first switch.
`tokentrail doctor` finds its own calls counted.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.framework_environments import PEERS, run_in
from tests.support.require import required

pytestmark = pytest.mark.skipif(not required("frameworks"), reason="make test-frameworks installs them")

ORDERS = (
    ("peer", "ours"),
    ("ours", "peer"),
    ("peer", "ours", "peer off"),
    ("ours", "peer", "peer off"),
    ("peer", "ours", "ours off"),
    ("ours", "peer", "ours off", "peer off", "ours", "peer"),
)
STAYS = ("langfuse", "openlit")
"""What cannot be switched off."""


@pytest.mark.parametrize("steps", ORDERS, ids=", ".join)
@pytest.mark.parametrize("name", PEERS)
@pytest.mark.timeout(600)
def test_one_row_per_call(name: str, steps: tuple[str, ...], tmp_path: Path) -> None:
    if "peer off" in steps and name in STAYS:
        pytest.skip(f"{name} cannot be switched off")
    assert run_in(PEERS[name], "tests.frameworks.peers", name, json.dumps(steps), journal=tmp_path) == {}
