"""A machine on which tokentrail was just installed, as far as a test can have one."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.go_stand_in import GoStandIn
from tokentrail.local.cache import cache_folder
from tokentrail.local.child import Child


class FreshMachine:
    """A home and a cache folder with nothing in them but the local model, where this machine has that; a `go` that takes no minutes."""

    def __init__(self, folder: Path, collector: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.temporary = folder / "tmp"
        self.cache = self.home / ".cache" / "tokentrail"
        for made in (self.home, self.temporary, self.cache, folder / "work"):
            made.mkdir(parents=True)
        if (cache_folder() / "local-model").is_dir():
            (self.cache / "local-model").symlink_to(cache_folder() / "local-model")
        self.go = GoStandIn(folder / "go", collector)
        self.output = folder / "output"
        self._running: list[Child] = []

    def environment(self, *, refuses: bool = False) -> dict[str, str]:
        found = self.go.environment(refuses=refuses)
        for unwanted in ("TOKENTRAIL_CACHE_DIR", "KEEP", "LIVE", "COLUMNS", "MAKELEVEL", *(name for name in found if name.startswith("XDG_"))):
            found.pop(unwanted, None)
        return found | {"HOME": str(self.home), "TMPDIR": str(self.temporary), "TOKENTRAIL_JOURNAL_DIR": str(self.folder / "journal")}

    def demo(self, *options: str, refuses: bool = False) -> Child:
        """Start `tokentrail demo` as a user does; its output goes to a file."""
        command = [str(Path(sys.executable).with_name("tokentrail")), "demo", *options]
        started = Child("the demo", command, environment=self.environment(refuses=refuses), folder=self.folder / "work", log=self.output)
        self._running.append(started)
        return started.start()

    def read_output(self) -> str:
        return self.output.read_text("utf-8")

    def made(self) -> list[str]:
        """What lies in the home, without the local model."""
        found = []
        for place, folders, files in os.walk(self.home):
            folders[:] = [name for name in folders if name != "local-model"]
            found += [str((Path(place) / name).relative_to(self.home)) for name in files]
        return sorted(found)

    def end(self) -> None:
        for started in self._running:
            started.kill()


@pytest.fixture
def machine(collector_binary: Path, tmp_path: Path) -> Iterator[FreshMachine]:
    here = FreshMachine(tmp_path, collector_binary)
    yield here
    here.end()
