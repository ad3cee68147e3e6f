"""The preloaded shim (shim.c): compiled once for a run, armed by a file that both sides map."""

from __future__ import annotations

import ctypes
import mmap
import os
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Final

__all__ = ["Control", "compiled", "use"]

FIELDS: Final = ("kill_at", "kill_half", "write_error", "sync_error", "lock_error", "clock_offset", "clock_frozen", "counted")
SOURCE: Final = Path(__file__).with_name("shim.c")


def compiled(folder: Path) -> Path | None:
    """Returns the compiled shim, or None on a machine without a C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    library = folder / "shim.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE), "-ldl"], check=True)
    return library


def use(control: str, folder: str) -> None:
    """Arms the shim of this process, which was started with it preloaded."""
    if ctypes.CDLL(None).torture_use(control.encode(), folder.encode()) != 0:
        raise OSError(f"the shim cannot map {control}")


class Control:
    """The numbers of one control file; a number that is set holds from the next call on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(bytes(8 * len(FIELDS)))
        descriptor = os.open(path, os.O_RDWR)
        self._map = mmap.mmap(descriptor, 8 * len(FIELDS))
        os.close(descriptor)

    def set(self, **numbers: int) -> None:
        """Sets numbers by their names."""
        for name, number in numbers.items():
            struct.pack_into("q", self._map, 8 * FIELDS.index(name), number)

    def get(self, name: str) -> int:
        """Returns one number."""
        return int(struct.unpack_from("q", self._map, 8 * FIELDS.index(name))[0])
