"""Which tests `make check` leaves out, and in which order files are begun when several run side by side."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOMS = ("e2e", "services", "demo", "collector", "clickhouse", "embedded", "cli", "importing", "pages", "grafana", "local_model")
"""Rooms of servers, those with the longest tests first: `make check` leaves them out, and workers begin with them."""
PARTS = frozenset({"collector_binary", "installed_wheel", "local_model", "machine", "run_python", "services", "start", "world"})
"""Fixtures that start programs."""


def room(item: pytest.Item) -> str:
    return item.path.relative_to(Path(__file__).parents[2]).parts[1]


def is_slow(item: pytest.Item) -> bool:
    return room(item) in ROOMS or not PARTS.isdisjoint(getattr(item, "fixturenames", ())) or item.get_closest_marker("slow") is not None


def mark_slow(items: list[pytest.Item]) -> None:
    """Mark what is slow because of where it stands or what it asks for; other tests carry the mark themselves."""
    for item in items:
        if is_slow(item):
            item.add_marker(pytest.mark.slow)


def longest_first(items: list[pytest.Item]) -> None:
    """Put the rooms of servers first: a worker that began with one of their files at the end would work alone."""
    order = {name: place for place, name in enumerate(ROOMS)}
    items.sort(key=lambda item: order.get(room(item), len(order)))


def only_quick(config: pytest.Config) -> bool:
    """Whether this run is that of `make check`."""
    return bool(config.option.markexpr == "not slow")


def left_out() -> str:
    """One sentence about what `make check` does not run."""
    places = ", ".join(f"tests/{name}" for name in sorted(ROOMS))
    return f"left out, `make test` runs them: {places}, and of the other folders what starts programs or tries very many inputs (marked slow)"
