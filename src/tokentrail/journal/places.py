"""Paths of the journal's files, where a folder may stand instead."""

from __future__ import annotations

from pathlib import Path

__all__ = ["remove_empty_folder"]


def remove_empty_folder(path: Path) -> None:
    """Removes an empty folder at the path of a file. Raises `OSError` with one sentence if the folder is not empty."""
    if path.is_dir() and not path.is_symlink():
        try:
            path.rmdir()
        except OSError:
            raise OSError(f"a folder stands where the file {path} belongs: remove it") from None
