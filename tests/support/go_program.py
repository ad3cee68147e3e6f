"""A Go program of the tests (a folder of `tests/grafana`, or of `tests/services`): built once, in the cache, with the Go module proxy."""

from __future__ import annotations

import hashlib
import platform
import shutil
from pathlib import Path

from tokentrail.local.building import run_step
from tokentrail.local.cache import Progress, Unavailable, made_once, remove_tree
from tokentrail.local.go_toolchain import find_go

__all__ = ["built"]


def built(sources: Path, what: str, progress: Progress, *, takes: str) -> Path | Unavailable:
    """Returns the program from the cache, by the machine and the text of its sources; the first call builds it. `what` it is, and how long that `takes`."""
    machine = f"{platform.system()}-{platform.machine()}".lower().encode()
    parts = [content for path in sorted(sources.iterdir()) for content in (path.name.encode(), path.read_bytes())]
    digest = hashlib.sha256(b"\0".join([machine, *parts])).hexdigest()[:16]
    folder = made_once(sources.name.replace("_", "-"), digest, lambda staging: _build(sources, what, staging, progress, takes), progress)
    return Unavailable(what, folder.reason) if isinstance(folder, Unavailable) else folder / sources.name


def _build(sources: Path, what: str, staging: Path, progress: Progress, takes: str) -> Unavailable | None:
    scratch = staging / "scratch"
    scratch.mkdir()
    go = find_go(scratch, progress)
    if isinstance(go, Unavailable):
        return go
    shutil.copytree(sources, scratch / "sources")
    environment = go.environment(scratch, installs_into=scratch) | {"CGO_ENABLED": "0"}
    step = f"building {what} (Go {go.version}, {go.origin}; about {takes})"
    command = [str(go.program), "build", "-trimpath", "-mod=readonly", "-o", str(staging / sources.name), "."]
    failed = run_step(step, command, log=scratch / "build.log", progress=progress, environment=environment, folder=scratch / "sources")
    remove_tree(scratch)
    return failed
