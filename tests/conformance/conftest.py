"""Each package goes through the kit that authors of other integrations run; what asks for every recording is left out by `make check`."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def quick(quick_sdks: None) -> None:
    """Clients read no certificates of the web."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name == "conformance" and not {"case", "bad"}.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
