"""A model of power loss: what was synced is there, everything else is gone.

`record` replaces the syncs of its process by recording ones; a program does so by `import tests.support.power_loss` with SYNC_LOG in its environment.
A file's bytes and a folder's names survive as they were when the last sync that came to its end began.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

LOG: Final = "SYNC_LOG"
_fdatasync, _fsync = os.fdatasync, os.fsync


@dataclass(frozen=True)
class Synced:
    """One sync that came to its end: of a file with its size, or of a folder with its names, as they were when it began."""

    pid: int
    path: str
    began: float
    size: int
    names: tuple[str, ...]


def recording(real: Callable[[int], None], tell: Callable[[Synced], object], before: Callable[[str], object]) -> Callable[[int], None]:
    def sync(fd: int) -> None:
        path = str(Path(f"/proc/thread-self/fd/{fd}").readlink())  # of a child forked in a thread, the first thread may have ended
        began, size = time.monotonic(), os.fstat(fd).st_size
        names = tuple(sorted(os.listdir(path))) if os.path.isdir(path) else ()  # noqa: PTH112, PTH208 - as the program sees it, mocks of Path or not
        before(path)
        real(fd)
        tell(Synced(os.getpid(), path, began, size, names))

    return sync


def record(patch: Callable[[Any, str, Any], object], tell: Callable[[Synced], object], before: Callable[[str], object] = lambda _path: None) -> None:
    """Replace both syncs: `before` runs before the real one and may raise, `tell` afterwards."""
    patch(os, "fdatasync", recording(_fdatasync, tell, before))
    patch(os, "fsync", recording(_fsync, tell, before))


def read_log(path: Path) -> list[Synced]:
    """What programs have recorded."""
    if not path.exists():
        return []
    return [Synced(**(line | {"names": tuple(line["names"])})) for line in map(json.loads, path.read_text().splitlines())]


def lose_power(root: Path, synced: list[Synced]) -> None:
    """Leave of a journal's folder what was synced; nothing runs there any more. The folder `root` itself is from before."""
    synced = sorted(synced, key=lambda one: one.began)  # one that began earlier may end later
    names = {one.path: one.names for one in synced}
    sizes = {one.path: one.size for one in synced}
    for path in _inner_first(root):
        if path.name not in names.get(str(path.parent), ()):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        elif path.suffix == ".journal":
            os.truncate(path, sizes.get(str(path), 0))
        elif path.name == "cursor":
            path.unlink()  # it is never synced, since it can be made up again


def _inner_first(root: Path) -> Iterator[Path]:
    for path in sorted(root.iterdir()):
        if path.is_dir():
            yield from _inner_first(path)
        yield path


def _tell_log(one: Synced) -> None:
    fd = os.open(os.environ[LOG], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, json.dumps(one.__dict__).encode() + b"\n")
    os.close(fd)


if LOG in os.environ:
    record(setattr, _tell_log)
