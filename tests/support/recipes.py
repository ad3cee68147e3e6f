"""The recipes of examples/recipes, imported as a service imports them, against a provider that a test scripts."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.loopback import LoopbackServer

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "recipes"


@contextmanager
def recipe(name: str, provider: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A recipe, freshly imported; its client of OpenAI reads the address of the provider from the environment."""
    monkeypatch.setenv("OPENAI_BASE_URL", f"{provider.url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    yield module
