"""The integrations that are installed: a test that speaks of all of them reads their names here, so that one more changes no test."""

from __future__ import annotations

from importlib.metadata import entry_points

ALL = sorted(point.name for point in entry_points(group="tokentrail.integrations"))
