"""The finding of a check of `tokentrail doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata

__all__ = ["Finding", "version_of"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The checked part, the state (`ok`, `note`: fine, but worth knowing, or `wrong`), and the sentence."""

    what: str
    state: str
    sentence: str


def version_of(distribution: str) -> str | None:
    """Returns the installed version of a distribution; `None` if the distribution is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
