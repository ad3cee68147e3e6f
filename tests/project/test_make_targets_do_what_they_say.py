from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.support.wheel import ROOT

MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
PHONY = set(re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE).group(1).split())


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_every_target_has_a_line_of_help() -> None:
    listed = {line.split()[0] for line in make("help").stdout.splitlines()}
    assert listed == PHONY


@pytest.mark.parametrize("target", sorted(PHONY))
def test_every_target_runs_something(target: str) -> None:
    would = make("--dry-run", "--always-make", target)
    assert would.returncode == 0, would.stderr
    recipe = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert recipe, f"{target} has no commands"
    assert would.stdout.strip()


def test_a_demo_installs_only_its_extra() -> None:
    would = make("--dry-run", "--always-make", "demo").stdout
    assert "[demo]" in would
    assert "--group" not in would
    assert "--group test --group lint" in make("--dry-run", "--always-make", "test").stdout


def test_bench_measures_with_every_benchmark_that_needs_nothing() -> None:
    files = {path.name for path in (ROOT / "benchmarks").glob("*.py")} - {"event.py", "estimate_error.py", "figures.py"}
    ran = subprocess.run(
        [sys.executable, "benchmarks/figures.py", "--quick", "journal_append.py"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "python benchmarks/journal_append.py" in ran.stdout
    assert re.search(r"append +p50 +\d+\.\d+ us", ran.stdout), ran.stdout
    says = subprocess.run(
        [sys.executable, "benchmarks/figures.py", "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert all(name in says for name in files)


def test_a_benchmark_that_fails_is_told() -> None:
    program = (
        "import sys; sys.path.insert(0, 'benchmarks'); import figures; "
        "figures.BENCHMARKS['report_query.py'] = (['--rows', 'none'],) * 2; sys.argv = ['figures.py', 'report_query.py']; figures.main()"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 1
    assert "invalid int value" in ran.stdout
