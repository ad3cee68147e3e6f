"""The name of the program that runs: the service's, where nobody gives one. Never a path, never arguments."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Final

__all__ = ["program_name"]

NAMELESS: Final = "python"
"""What runs code that has no name: an interactive session, `python -c`, standard input."""


def program_name() -> str:
    """`app` of `python app.py`, `pkg.mod` of `python -m pkg.mod`, a console script's own name, else `python`.

    A child that multiprocessing spawned has its parent's name: its main module goes by `__mp_main__`, and its arguments are the parent's.
    """
    main = sys.modules.get("__mp_main__") or sys.modules.get("__main__")
    name = _of_module(main) or _of_file(getattr(main, "__file__", None)) or _of_file(next(iter(getattr(sys, "argv", ())), None))
    return name.encode("utf-8", "replace").decode() or NAMELESS


def _of_module(main: ModuleType | None) -> str:
    """The name by which `python -m` was given it; a package is run as its module `__main__`."""
    name = getattr(getattr(main, "__spec__", None), "name", None)
    if not isinstance(name, str) or name in ("__main__", "__mp_main__"):  # a folder or an archive that is run as a program
        return ""
    return name.removesuffix(".__main__")


def _of_file(file: object) -> str:
    if not isinstance(file, str) or file in ("", "-", "-c", "-m") or file.startswith("<"):  # <stdin>
        return ""
    path = Path(file).absolute()
    if path.name == "__main__.py":
        return ".".join(reversed(_packages(path.parent)))
    return path.stem if path.suffix in (".py", ".pyc", ".pyw", ".pyz", ".zip") else path.name


def _packages(folder: Path) -> list[str]:
    """The folder's name and those of the packages around it, as `python -m` names the package."""
    names = [folder.name.removesuffix(".pyz").removesuffix(".zip")]
    while (folder / "__init__.py").is_file() and (folder.parent / "__init__.py").is_file():
        folder = folder.parent
        names.append(folder.name)
    return names
