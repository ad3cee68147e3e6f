"""A `go` that takes no minutes: fills the caches as Go does, and "builds" the Collector by taking the one that was built before.

What is under test is everything around the compiler: where its caches lie, what stays, what ends. The real build is made once, before the tests.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

GO = """#!/bin/sh
counters="${TEST_TELEMETRY_DIR:-$HOME/.config/go/telemetry}"
mkdir -p "$counters" && echo x > "$counters/$1"
[ "$1" = version ] && { echo "go version go1.99.0 linux/amd64"; exit 0; }
[ -n "$GO_STAND_IN_REFUSES" ] && { echo "go: go.opentelemetry.io/collector/cmd/builder@v0.161.0: module lookup disabled by GOPROXY=off" >&2; exit 1; }
cp "$GO_STAND_IN/builder" "$GOBIN/builder"
for place in "$GOMODCACHE" "$GOCACHE" "$GOPATH" "$counters"; do
    mkdir -p "$place/read/only" && echo x > "$place/read/only/file" && chmod 444 "$place/read/only/file" && chmod 555 "$place/read/only" "$place/read"
done
"""
BUILDER = """#!/bin/sh
echo $$ > "$GO_STAND_IN/building"
while [ ! -e "$GO_STAND_IN/go-on" ]; do sleep 0.1; done
mktemp -d > /dev/null
mkdir build && cp "$GO_STAND_IN_COLLECTOR" build/tokentrail-collector
"""


class GoStandIn:
    """The program in a folder, and what leads to it."""

    def __init__(self, folder: Path, collector: Path) -> None:
        self.folder = folder
        self._collector = collector
        (folder / "bin").mkdir(parents=True)
        for path, text in ((folder / "bin" / "go", GO), (folder / "builder", BUILDER)):
            path.write_text(text)
            path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def environment(self, *, refuses: bool = False) -> dict[str, str]:
        """Variables of a program that shall find this `go`."""
        found = {name: value for name, value in os.environ.items() if not name.startswith("GO")}
        found |= {"PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}", "GO_STAND_IN": str(self.folder)}
        found |= {"GO_STAND_IN_COLLECTOR": str(self._collector)}
        return found | ({"GO_STAND_IN_REFUSES": "1"} if refuses else {})

    @property
    def building(self) -> bool:
        """Whether the build has begun."""
        return (self.folder / "building").exists()

    def go_on(self) -> None:
        """Let the build come to its end."""
        (self.folder / "go-on").touch()
