"""Each package goes through the kit that authors of other integrations run.

An ordinary run asks for one recording of each kind by each client; `make test-conformance` for every recording. What asks for many recordings is left out
by `make check`.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.require import required
from tokentrail.testing.conformance import Case


@pytest.fixture(autouse=True)
def quick(quick_sdks: None, quick_collections: None) -> None:
    """Clients read no certificates of the web."""


def kind_of(item: pytest.Item) -> tuple[Any, ...] | None:
    """What makes two cases alike: the test, the endpoint, how the client asks, and how the answer ends; None for a test without a case."""
    params = getattr(getattr(item, "callspec", None), "params", {})
    case = params.get("case")
    if not isinstance(case, Case):  # none, or no recording: an SDK that is not installed
        return None
    recording = case.recording
    ended = [usage["ended"] for usage in recording.expected_usages or ()]
    place = recording.provider, recording.endpoint, recording.stream, recording.status >= 400
    return item.path, getattr(item, "originalname", item.name), *place, case.asynchronous, case.style, *ended


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    seen: set[tuple[Any, ...]] = set()
    left_out = []
    for item in [item for item in items if item.path.parent.name == "conformance"]:
        if not {"case", "bad"}.isdisjoint(getattr(item, "fixturenames", ())) or "key_leaves" in item.name:
            item.add_marker(pytest.mark.slow)
        kind = kind_of(item)
        if kind in seen and kind is not None and not required("conformance"):
            left_out.append(item)
        elif kind is not None:
            seen.add(kind)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]
