"""Frameworks over the SDKs: one row per provider call, sync, async and streams; a retry above the SDK is a call, one inside it an attempt.

The truth is what the server has answered. What the framework's user sees is the same with and without hooks.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.any_provider import IN, OUT
from tests.support.framework_environments import FRAMEWORKS, run_in
from tests.support.require import required

pytestmark = pytest.mark.skipif(not required("frameworks"), reason="make test-frameworks installs them")


@pytest.mark.parametrize("name", FRAMEWORKS)
@pytest.mark.timeout(600)
def test_one_row_per_call(name: str, tmp_path: Path) -> None:
    found = run_in(FRAMEWORKS[name], "tests.frameworks.driver", name, journal=tmp_path)
    assert found.pop("internal errors") == {}
    assert found.pop("unknown paths") == []
    assert {case: each["raised"] for case, each in found.items() if "raised" in each} == {}
    assert {case: each["seen"] for case, each in found.items() if not each["same"]} == {}
    assert len(found) > 1
    for case, each in found.items():
        rows = each["rows"]
        is_above, is_cut = case.startswith("retried above"), "abandoned" in case
        assert each["answered"], case
        assert len(rows) == each["answered"] + (each["refused"] if is_above else 0), (case, rows)
        ended = sorted(ended for ended, *_ in rows)
        assert is_cut or ended == ["complete"] * each["answered"] + ["error"] * (len(rows) - each["answered"]), (case, rows)
        assert is_cut or all(row[1] == IN and row[2] in {OUT, None} for row in rows if row[0] == "complete"), (case, rows)
        assert sum(row[3] for row in rows) == each["answered"] + each["refused"], (case, rows)
