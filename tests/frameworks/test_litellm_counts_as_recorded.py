"""litellm, newest and oldest: every recording that litellm can ask for gives the usage that the recording says; exactly one row per provider call."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.framework_environments import FRAMEWORKS, OLDEST_LITELLM, run_in
from tests.support.require import required

pytestmark = pytest.mark.skipif(not required("frameworks"), reason="make test-frameworks installs them")

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "open"


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("packages", [FRAMEWORKS["litellm"], OLDEST_LITELLM], ids=["newest", "oldest"])
@pytest.mark.timeout(600)
def test_shipped_recordings(packages: tuple[str, ...], mode: str, tmp_path: Path) -> None:
    found = run_in(packages, "tests.frameworks.litellm_recordings", mode, journal=tmp_path)
    assert found["wrong"] == {}
    assert found["compared"] > 100


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the whole corpus of recordings is not beside the repository")
@pytest.mark.timeout(900)
def test_the_whole_corpus(tmp_path: Path) -> None:
    found = run_in(FRAMEWORKS["litellm"], "tests.frameworks.litellm_recordings", "sync", str(CORPUS), journal=tmp_path)
    assert found["wrong"] == {}
    assert found["compared"] > 500
