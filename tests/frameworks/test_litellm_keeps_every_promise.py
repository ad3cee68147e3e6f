"""litellm, newest and oldest, goes through the conformance kit in its own environment: `tests/conformance/test_litellm.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.framework_environments import FRAMEWORKS, OLDEST_LITELLM, started_in
from tests.support.require import required

pytestmark = pytest.mark.skipif(not required("frameworks"), reason="make test-frameworks installs them")

SECONDS = 900


@pytest.mark.parametrize("packages", [FRAMEWORKS["litellm"], OLDEST_LITELLM], ids=["newest", "oldest"])
@pytest.mark.timeout(SECONDS + 300)
def test_every_promise(packages: tuple[str, ...], tmp_path: Path) -> None:
    done = started_in(packages, "pytest", "-q", "-p", "no:cacheprovider", "tests/conformance/test_litellm.py", journal=tmp_path, seconds=SECONDS)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
