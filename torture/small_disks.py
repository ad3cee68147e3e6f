"""Small disks of their own, which only root may mount."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

from torture.stage import Stage

__all__ = ["fill", "small_disk"]


def small_disk(stage: Stage, name: str, options: str) -> Path | None:
    """Returns a folder on a disk of its own that ends with the stage; None where this user may not mount."""
    folder = stage.folder / name
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        return None
    folder.chmod(0o755)
    stage.at_end(lambda: subprocess.run(["umount", "--lazy", str(folder)], check=False))
    return folder


def fill(folder: Path) -> Path:
    """Takes all room that the disk of the folder has left. Returns the file that takes it."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        for step in (1 << 16, 512, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(step)):
                    pass
    return path
