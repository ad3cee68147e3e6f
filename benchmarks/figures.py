"""All figures of this machine in one table: `make bench`, or `python benchmarks/figures.py [--quick] [NAME …]`.

Each benchmark runs by itself, one after the other, in a process of its own; its lines stand beside its command. What cannot run here says so in its
lines, and the exit code is then 1. `estimate_error.py` is not among them: it needs a folder of recorded traffic. `--quick` takes small sizes, to see
that all of them run; its figures mean nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

HERE = Path(__file__).parent
WITHOUT_TERMINAL = 160
BENCHMARKS: dict[str, tuple[list[str], list[str]]] = {
    "bill_table.py": ([], ["--rows", "2000"]),
    "bridge.py": ([], ["--rows", "1000", "--bridged", "100"]),
    "chat_call.py": ([], ["--blocks", "3", "--calls", "2"]),
    "checks.py": ([], ["--rows", "3000"]),
    "dashboards.py": (["--rows", "10000000"], ["--rows", "3000", "--rounds", "1"]),
    "disk.py": ([], ["--events", "2000"]),
    "import_cost.py": ([], ["--rounds", "1"]),
    "journal_append.py": ([], ["--appends", "200", "--events", "200"]),
    "pages.py": ([], ["--rows", "3000", "--rounds", "1"]),
    "pipeline.py": ([], ["--events", "200", "--direct"]),
    "proof.py": ([], ["--records", "200", "--rounds", "1"]),
    "report_query.py": ([], ["--rows", "20000", "--rounds", "1"]),
    "life.py": ([], ["--usages", "2000"]),
    "reconcile.py": (["--rows", "10000000"], ["--rows", "3000"]),
    "rollup.py": (["--rows", "10000000"], ["--rows", "3000", "--rounds", "1"]),
    "verify.py": (["--rows", "10000000"], ["--rows", "3000"]),
}
"""Arguments of a run, and of one that is only to show that the benchmark works."""


def figures(name: str, arguments: list[str]) -> tuple[str, bool]:
    """What a benchmark printed, and whether it came to its end."""
    ran = subprocess.run([sys.executable, str(HERE / name), *arguments], capture_output=True, text=True, check=False)
    said = ran.stdout.strip()
    if ran.returncode != 0:
        why = (ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"])[-1]
        said = f"{said}\n{why}".strip()
    return said, ran.returncode == 0


def main() -> None:
    """Run them, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("names", nargs="*", choices=list(BENCHMARKS), metavar="NAME", help=", ".join(BENCHMARKS))
    asked = parser.parse_args()
    table = Table("command", "figures", box=SIMPLE_HEAD, pad_edge=False)
    complete = True
    for name in asked.names or BENCHMARKS:
        whole, small = BENCHMARKS[name]
        arguments = small if asked.quick else whole
        print(f"{name} …", file=sys.stderr, flush=True)
        said, ended = figures(name, arguments)
        complete = complete and ended
        table.add_row(Text(" ".join(["python", f"benchmarks/{name}", *arguments]), overflow="fold"), Text(said, overflow="fold"))
        table.add_section()
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WITHOUT_TERMINAL
    console.print(table)
    sys.exit(0 if complete else 1)


if __name__ == "__main__":
    main()
