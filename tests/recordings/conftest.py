from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.require import require
from tests.support.scripts import load_script
from tokentrail.testing import ReplayServer

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT.parent / "shared" / "corpus"


@pytest.fixture(scope="session")
def scripts() -> ModuleType:
    return load_script("reduce_recordings")


@pytest.fixture(scope="session")
def corpus() -> Path:
    if not (CORPUS / "open").is_dir():
        require("corpus", "the unreduced recordings are not beside this checkout (../shared/corpus)")
    return CORPUS


@pytest.fixture(scope="session")
def shipped() -> dict[str, dict[str, Any]]:
    folder = ROOT / "src" / "tokentrail" / "testing" / "recordings"
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


@pytest.fixture(scope="session")
def originals(corpus: Path, shipped: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The exchanges of the corpus that were reduced, by id."""
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (corpus / "open").rglob("*.json") if path.stem in shipped}
    assert len(found) == sum("source" in recording for recording in shipped.values())
    return found


@pytest.fixture(autouse=True)
def _quick(quick_sdks: None, quick_collections: None) -> None:
    pass


@pytest.fixture(scope="session")
def server() -> Iterator[ReplayServer]:
    with ReplayServer() as running:
        yield running
