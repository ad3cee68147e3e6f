"""Results of long steps, created once: one folder per version in the user's cache, complete from the moment the folder is visible.

Programs are run from there: no other user can write into the folders, and those of another user are not used.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tokentrail.local.progress import GivenUp, Progress
from tokentrail.private_files import check_folder, make_folder

__all__ = ["GivenUp", "Progress", "Unavailable", "cache_folder", "made_already", "made_once", "remove_tree"]


@dataclass(frozen=True, slots=True)
class Unavailable:
    """An optional part that this machine cannot run, with the reason in one sentence."""

    what: str
    reason: str

    def __str__(self) -> str:
        return f"{self.what} is not available here: {self.reason}"


def cache_folder() -> Path:
    """Returns `TOKENTRAIL_CACHE_DIR`, else `tokentrail` in the folder where the operating system keeps a user's caches (XDG base directories)."""
    if given := os.environ.get("TOKENTRAIL_CACHE_DIR"):
        return Path(given).expanduser().absolute()
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg) / "tokentrail"
    return Path.home() / ("Library/Caches/tokentrail" if sys.platform == "darwin" else ".cache/tokentrail")


def made_already(name: str, version: str) -> Path | None:
    """Returns the folder `name/version` of the cache if the folder exists, and nobody else has put it there."""
    final = cache_folder() / name / version
    try:
        return final if _is_ours(final) else None
    except OSError:
        return None


def _is_ours(final: Path) -> bool:
    """Whether the folder exists. Raises `OSError` with one sentence if it, or one of the cache's two above it, belongs to another user."""
    if not final.is_dir():
        return False
    for place in (final.parent.parent, final.parent, final):
        check_folder(place)
    return True


def made_once(name: str, version: str, make: Callable[[Path], Unavailable | None], progress: Progress) -> Path | Unavailable:
    """Returns the folder `name/version` of the cache; `make` fills the folder if it does not exist yet.

    `make` gets an empty folder beside the final one, which is renamed afterwards: a folder under the final name is always complete. Files of a failed
    or killed attempt are never used. A second process waits for the first one and takes its result. Raises GivenUp if `progress` was given up.
    """
    if made := made_already(name, version):
        return made
    place = cache_folder() / name
    final = place / version
    try:
        make_folder(cache_folder(), parents=True)
        make_folder(place)
        with _one_at_a_time(place / f"{version}.lock", name, progress):
            if _is_ours(final):
                return final
            _remove_leftovers(place, version)
            staging = Path(tempfile.mkdtemp(prefix=f"{version}.part-", dir=place))
            try:
                refused = make(staging)
                if refused is not None:
                    return refused
                staging.rename(final)
            finally:
                remove_tree(staging)
    except OSError as error:
        return Unavailable(name, f"the cache folder {place} cannot be used ({error}); TOKENTRAIL_CACHE_DIR names another one")
    return final


def remove_tree(folder: Path) -> None:
    """Removes a folder, also one with Go modules, whose folders are read-only."""
    for place, _folders, _files in os.walk(folder):
        with contextlib.suppress(OSError):
            Path(place).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _one_at_a_time(lock: Path, name: str, progress: Progress) -> Iterator[None]:
    """Holds the lock; the kernel releases the lock if this process is killed."""
    with lock.open("w") as handle:
        waiting = False
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waiting:
                    progress(f"another process is making {name}; waiting for it")
                waiting = True
                progress.pause(0.2)
        yield


def _remove_leftovers(place: Path, version: str) -> None:
    """Removes the folders of a killed attempt. The caller holds the lock, so no other process uses these folders."""
    for leftover in place.glob(f"{version}.part-*"):
        remove_tree(leftover)
