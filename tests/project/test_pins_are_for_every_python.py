"""The pinned versions can be installed with every Python that is supported: a pin that needs a newer one has a marker, and a sibling for the older."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
PYTHONS = ("3.10", "3.11", "3.12", "3.13")


def pins() -> list[Requirement]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    return [Requirement(pin) for line in lines if (pin := line.partition("#")[0].strip())]


@pytest.mark.parametrize("python", PYTHONS)
def test_a_pin_takes_the_pythons_that_it_is_for(python: str) -> None:
    """Of the versions that are installed here, whose metadata say it."""
    refused, asked = [], 0
    for pin in pins():
        if pin.marker is not None and not pin.marker.evaluate({"python_version": python, "python_full_version": f"{python}.0"}):
            continue
        try:
            found = metadata(pin.name)
        except PackageNotFoundError:
            continue
        if found["Version"] in pin.specifier:
            asked += 1
            # importlib_metadata, once imported, raises where the library returns None
            needed = found["Requires-Python"] if "Requires-Python" in found else ""  # noqa: SIM401 - its type has no `get` before 3.12
            if f"{python}.99" not in SpecifierSet(needed):
                refused.append(f"{pin}: needs Python {needed}")
    assert refused == []
    assert asked > 50


def test_a_package_is_pinned_once_for_each_python() -> None:
    for python in PYTHONS:
        names = [pin.name for pin in pins() if pin.marker is None or pin.marker.evaluate({"python_version": python})]
        assert len(names) == len(set(names))
