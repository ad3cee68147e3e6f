"""Sets up the environment of a checkout: `python3 scripts/environment.py .venv demo`, or `… .venv test`. A second one waits for the first.

`demo` installs what a demo needs, `services` what examples/services need beside that, `test` what tests, style and types need. A file `demo-ready`,
`services-ready` or `ready` in the environment says that it is complete. Modules are not compiled at once: most of what is installed is not imported.
"""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 10)
PINS = ["--constraint", "constraints.txt"]
STEPS = {
    "demo": ("demo-ready", [["--upgrade", "pip>=25.1"], [*PINS, "--editable", ".[demo]"]]),
    "services": ("services-ready", [[*PINS, "--group", "services"]]),
    "test": ("ready", [[*PINS, "--group", "test", "--group", "lint"]]),
}
"""By kind: the file that says that it is complete, and what pip is asked for."""


def newer(stamp: Path) -> bool:
    """Whether the environment was set up after the last change of what it is made from."""
    made_from = [ROOT / "pyproject.toml", ROOT / "constraints.txt"]
    return stamp.exists() and all(stamp.stat().st_mtime >= source.stat().st_mtime for source in made_from)


def set_up(venv: Path, kind: str) -> None:
    """Make the environment if there is none, and install into it; a reader of this lock has all of it or nothing."""
    name, steps = STEPS[kind]
    with (ROOT / "pyproject.toml").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if newer(venv / name):
            return
        python = venv / "bin" / "python"
        if kind == "demo":
            print(f"setting up {venv} (once; a minute or two)", flush=True)
            if subprocess.call([sys.executable, "-m", "venv", str(venv)]) != 0:
                sys.exit("the module venv is missing: install python3-venv, or make PYTHON=… with another Python")
        for step in steps:
            command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", *step]
            code = subprocess.call(command, cwd=ROOT)
            if code != 0:
                sys.exit(code)
        (venv / name).touch()


if __name__ == "__main__":
    if sys.version_info < OLDEST:
        sys.exit(f"tokentrail needs Python 3.10 or newer, this is {sys.version.split()[0]}: make PYTHON=python3.12 …")
    set_up(Path(sys.argv[1]).absolute(), sys.argv[2])
