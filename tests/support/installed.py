"""The integrations that are installed: a test that speaks of all of them reads their names here, so that one more changes no test."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

ALL = sorted(point.name for point in entry_points(group="tokentrail.integrations"))


class Point:
    """The entry point of an integration that no distribution has."""

    def __init__(self, integration: Any) -> None:
        self.name = integration.name
        self.value = f"{integration.name}:INTEGRATION"
        self._integration = integration

    def load(self) -> Any:
        return self._integration
