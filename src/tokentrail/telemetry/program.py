"""The name of the running program: the service's name if none is configured. Never a path, never arguments."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Final

__all__ = ["program_name", "service_named"]

NAMELESS: Final = "python"
"""The name of programs without a name: an interactive session, `python -c`, standard input."""


def service_named(stated: object) -> str:
    """Returns the configured name of the service, or "" for `unknown_service:python`, which an OpenTelemetry SDK sets where no name is configured."""
    return "" if stated is None or str(stated).partition(":")[0] == "unknown_service" else str(stated)


def program_name() -> str:
    """Returns `app` for `python app.py`, `pkg.mod` for `python -m pkg.mod`, the name of a console script, else `python`.

    A child that multiprocessing spawned gets its parent's name: its main module is named `__mp_main__`, and its arguments are the parent's.
    """
    main = sys.modules.get("__mp_main__") or sys.modules.get("__main__")
    name = _of_module(main) or _of_file(getattr(main, "__file__", None)) or _of_file(next(iter(getattr(sys, "argv", ())), None))
    return name.encode("utf-8", "replace").decode() or NAMELESS


def _of_module(main: ModuleType | None) -> str:
    """Returns the module's name as passed to `python -m`; a package is run as its module `__main__`."""
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
    """Returns the folder's name and the names of the enclosing packages, as `python -m` names a package."""
    names = [folder.name.removesuffix(".pyz").removesuffix(".zip")]
    while (folder / "__init__.py").is_file() and (folder.parent / "__init__.py").is_file():
        folder = folder.parent
        names.append(folder.name)
    return names
