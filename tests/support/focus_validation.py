"""The FinOps foundation's focus-validator, in an environment of its own: its packages need other versions than the checkout's.

It asks for Python 3.12 for the sake of one line, an f-string with a backslash; on an older Python that line is read in another spelling.
`python -m tests.support.focus_validation ARGUMENTS`, in that environment, is `focus-validator ARGUMENTS`.
"""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokentrail.local.cache import Progress, Unavailable

__all__ = ["RULES", "failures", "linted", "obtain", "validated"]

HERE = Path(__file__).parents[2]
PACKAGES = ("focus-validator==2.2.1", "focus-data-toolkit==0.14.1", "pyarrow<22")
"""The validator has rules up to version 1.2; the toolkit has the foundation's data model of 1.4. The validator takes numpy 1, and no newer pyarrow does."""
RULES = "1.2"
SUPPORTED = (
    *("ACCOUNT_NAMING_SUPPORTED", "NEGOTIATED_PRICING_SUPPORTED", "PUBLIC_PRICE_LIST_SUPPORTED", "USAGE_MEASUREMENT_SUPPORTED"),
    *("UNIT_PRICING_SUPPORTED", "SUB_ACCOUNT_SUPPORTED", "PRICING_BILLING_CURRENCY_DIFFERENCES_SUPPORTED", "TAGGING_SUPPORTED"),
)
"""What the ledger has: rules of other columns (commitments, regions, …) do not apply."""
_MODULE = "focus_validator.config_objects.focus_to_duckdb_converter"
_LINE = b"""", ".join(f"'{k.replace('\\"', '\\"\\"')}'" for k in ignore_keys)"""
_SAME = b"""", ".join("'" + k.replace('"', '""') + "'" for k in ignore_keys)"""
SECONDS = 300.0


class _Loader(importlib.machinery.SourceFileLoader):
    def get_data(self, path: str) -> bytes:
        return super().get_data(path).replace(_LINE, _SAME)


class _Finder(MetaPathFinder):
    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> importlib.machinery.ModuleSpec | None:
        found = importlib.machinery.PathFinder.find_spec(fullname, path, target) if fullname == _MODULE else None
        if found is not None and found.origin:
            found.loader = _Loader(fullname, found.origin)
        return found


def obtain(progress: Progress) -> Path | Unavailable:
    """Returns the Python of the environment, made by the first call, or why there is none."""
    from tokentrail.local.cache import made_once

    version = hashlib.sha256(repr((sys.version, PACKAGES)).encode()).hexdigest()[:16]
    made = made_once("focus", version, _make, progress)
    return made / "bin" / "python" if isinstance(made, Path) else made


def _make(staging: Path) -> Unavailable | None:
    from tokentrail.local.cache import Unavailable

    python = staging / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(staging)], check=True, timeout=SECONDS)
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-compile", "--ignore-requires-python", *PACKAGES]
    done = subprocess.run(pip, check=False, capture_output=True, text=True, timeout=SECONDS)
    return Unavailable("focus", f"pip cannot install {', '.join(PACKAGES)}: {done.stderr.strip()[-300:]}") if done.returncode else None


def validated(python: Path, file: Path) -> str:
    """Runs the validator on a file, and returns what it prints."""
    (packages,) = python.parent.parent.glob("lib/python*/site-packages")  # it looks for its rules from there
    command = [str(python), "-m", "tests.support.focus_validation", "--data-file", str(file), "--validate-version", RULES, "--block-download"]
    command += ["--applicability-criteria", ",".join(SUPPORTED), "--show-violations"]
    return _output(command, packages)


def linted(python: Path, file: Path) -> str:
    """Holds a file against the data model of 1.4, and returns what that prints."""
    return _output([str(python), "-m", "focus_data_toolkit", "validate", "--dataset", "cost-and-usage", str(file)], HERE)


def _output(command: list[str], folder: Path) -> str:
    environ = {**os.environ, "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=SECONDS, check=False)
    return done.stdout + done.stderr


def failures(printed: str) -> list[str]:
    """Returns the rules that failed."""
    return re.findall(r"([\w-]+): FAIL\b", printed)


if __name__ == "__main__":
    sys.meta_path.insert(0, _Finder())
    from focus_validator.main import main

    sys.argv[0] = "focus-validator"
    main()
