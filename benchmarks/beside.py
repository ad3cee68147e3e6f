"""A benchmark's figures of a former revision and of this tree, side by side in one run.

    python benchmarks/beside.py b78d823 pipeline.py [--rounds 3] [-- --events 60000]

This tree's benchmark runs against both packages in turn, so that the machine's moods hit both. The former revision is checked out into a temporary
folder, and needs the names that the benchmark imports. The benchmarks with `--json`: chat_call.py, journal_append.py, pipeline.py.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline import machine
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
WITHOUT_TERMINAL = 160


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """A temporary folder with the files of a revision."""
    with tempfile.TemporaryDirectory(prefix="tokentrail-beside-") as folder:
        tree = Path(folder) / "tree"
        git = ["git", "-C", str(HERE.parent), "worktree"]
        if subprocess.run([*git, "add", "--quiet", "--detach", str(tree), revision], check=False).returncode:
            raise SystemExit(f"{revision} cannot be checked out")
        try:
            yield tree
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)


def flat(found: dict[str, Any], before: str = "") -> dict[str, float]:
    """Nested figures by their names joined."""
    figures: dict[str, float] = {}
    for name, value in found.items():
        figures |= flat(value, f"{before}{name}, ") if isinstance(value, dict) else {f"{before}{name}": float(value)}
    return figures


def run(tree: Path, name: str, arguments: list[str]) -> dict[str, float]:
    """The figures of one run against the package in a tree."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tree / "src"), str(HERE)])}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else each process compiles the package again
    ran = subprocess.run([sys.executable, str(HERE / name), "--json", *arguments], env=environment, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(f"{name} against {tree}: {(ran.stderr.strip().splitlines() or ['ended without a word'])[-1]}")
    return flat(json.loads(ran.stdout))


def shown(values: list[float]) -> str:
    """Median, least and greatest value."""
    if not values:
        return ""
    digits = 0 if max(values) >= 100 else 2  # noqa: PLR2004
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def main() -> None:
    """Run both in turn, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revision")
    parser.add_argument("benchmark", choices=["chat_call.py", "journal_append.py", "pipeline.py"])
    parser.add_argument("--rounds", type=int, default=3)
    at = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    asked, arguments = parser.parse_args(sys.argv[1:at]), sys.argv[at + 1 :]
    seen: dict[str, tuple[list[float], list[float]]] = {}
    print(machine(), file=sys.stderr)
    with checked_out(asked.revision) as former:
        for number in range(asked.rounds):
            trees = [(0, former), (1, HERE.parent)]
            for side, tree in trees if number % 2 == 0 else reversed(trees):
                print(f"round {number + 1}: {asked.revision if side == 0 else 'this tree'} …", file=sys.stderr, flush=True)
                for name, value in run(tree, asked.benchmark, arguments).items():
                    seen.setdefault(name, ([], []))[side].append(value)
    table = Table("figure", asked.revision, "this tree", "ratio", box=SIMPLE_HEAD, pad_edge=False)
    for name, (then, now) in seen.items():
        ratio = f"{statistics.median(now) / statistics.median(then):.2f}" if then and now and statistics.median(then) else ""
        table.add_row(name, shown(then), shown(now), ratio)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WITHOUT_TERMINAL
    console.print(table)


if __name__ == "__main__":
    main()
