"""What one check of `tokentrail doctor` found."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata

__all__ = ["Finding", "version_of"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, whether it is `ok`, a `note` (fine, but good to know) or `wrong`, and the sentence."""

    what: str
    state: str
    sentence: str


def version_of(distribution: str) -> str | None:
    """The installed version of a distribution; `None` if it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
