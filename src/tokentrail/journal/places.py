"""The places of the journal's files, where somebody may have put a folder."""

from __future__ import annotations

from pathlib import Path

__all__ = ["take_place"]


def take_place(path: Path) -> None:
    """Remove an empty folder that stands where a file belongs. Raises `OSError` with one sentence for one that is not empty."""
    if path.is_dir() and not path.is_symlink():
        try:
            path.rmdir()
        except OSError:
            raise OSError(f"a folder stands where the file {path} belongs: remove it") from None
