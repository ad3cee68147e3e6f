from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import selection
from tests.support.waiting import wait_until
from tests.support.wheel import ROOT

MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
PHONY = set(re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE).group(1).split())


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make as a user would, also where the tests were started by make: a make inside another names its folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(["make", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


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


def setting_up(python: Path, venv: Path, kind: str) -> list[str]:
    """Set an environment up with a program in the place of Python."""
    program = f"import sys; sys.executable = {str(python)!r}; sys.argv[0] = 'scripts/environment.py'; import runpy; runpy.run_path(sys.argv[0], run_name='__main__')"
    return [sys.executable, "-c", program, str(venv), kind]


def installs(target: str, tmp_path: Path) -> list[str]:
    """What pip is asked for, told by a Python that stands in for the environment's."""
    venv = tmp_path / "venv"
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\n[ "$2" = venv ] && mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && exit 0\n[ "$2" = pip ] && echo "$@" && exit 0\nexec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    for kind in ["demo"] if target == "demo" else ["demo", "test"]:
        told = subprocess.run(setting_up(python, venv, kind), cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
    assert (venv / ("demo-ready" if target == "demo" else "ready")).exists()
    return told.splitlines()


def test_a_demo_installs_only_its_extra(tmp_path: Path) -> None:
    told = "\n".join(installs("demo", tmp_path))
    assert "--constraint constraints.txt --editable .[demo]" in told
    assert "--group" not in told
    assert "scripts/environment.py .venv demo" in make("--dry-run", "--always-make", "demo").stdout
    assert "scripts/environment.py .venv test" not in make("--dry-run", "--always-make", "demo").stdout


def test_tests_come_on_top(tmp_path: Path) -> None:
    (told,) = installs("test", tmp_path)
    assert told.endswith("--constraint constraints.txt --group test --group lint")
    assert "scripts/environment.py .venv test" in make("--dry-run", "--always-make", "test").stdout


def test_two_at_once_set_up_one_environment(tmp_path: Path) -> None:
    """The second waits, and finds it done."""
    begun, go_on = tmp_path / "begun", tmp_path / "go-on"
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\n[ "$2" = venv ] && mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && exit 0\n'
        f"echo x >> {begun}\nwhile [ ! -e {go_on} ]; do sleep 0.05; done\n"
    )
    python.chmod(0o755)
    command = setting_up(python, tmp_path / "venv", "demo")
    first = subprocess.Popen(command, cwd=ROOT)
    wait_until(begun.exists, "the first at work")
    second = subprocess.Popen(command, cwd=ROOT)
    go_on.touch()
    assert first.wait(60) == 0
    assert second.wait(60) == 0
    assert begun.read_text() == "x\n" * 2, "two steps, each once"


@pytest.mark.slow
def test_bench_measures_with_every_benchmark_that_needs_nothing() -> None:
    files = {path.name for path in (ROOT / "benchmarks").glob("*.py")} - {"event.py", "month.py", "estimate_error.py", "figures.py", "beside.py"}
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


@pytest.mark.slow
def test_benchmarks_over_a_ledger_run() -> None:
    """They follow the queries' parameters, which change more often than the benchmarks are run whole."""
    names = ["checks.py", "dashboards.py", "pages.py", "reconcile.py", "report_query.py", "rollup.py"]
    ran = subprocess.run(
        [sys.executable, "benchmarks/figures.py", "--quick", *names], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stdout


@pytest.mark.slow
def test_a_former_revision_stands_beside_this_tree() -> None:
    def beside(revision: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "benchmarks/beside.py", revision, "journal_append.py", "--rounds", "1", "--", "--appends", "300"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)

    before = subprocess.run(["git", "worktree", "list"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    ran = beside("HEAD")
    assert ran.returncode == 0, ran.stderr
    assert re.search(r"append, us +\d\S* \(.*\) +\d\S* \(.*\) +\d+\.\d\d", ran.stdout), ran.stdout
    unknown = beside("no-such-revision")
    assert unknown.returncode == 1
    assert "no-such-revision cannot be checked out" in unknown.stderr
    assert subprocess.run(["git", "worktree", "list"], cwd=ROOT, capture_output=True, text=True, check=True).stdout == before


def test_a_benchmark_that_fails_is_told() -> None:
    program = (
        "import sys; sys.path.insert(0, 'benchmarks'); import figures; "
        "figures.BENCHMARKS['report_query.py'] = (['--rows', 'none'],) * 2; sys.argv = ['figures.py', 'report_query.py']; figures.main()"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 1
    assert "invalid int value" in ran.stdout


@pytest.mark.slow
def test_check_leaves_out_what_it_says_and_nothing_else() -> None:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "not slow", "tests/demo", "tests/project"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}  # with -v the list is a tree
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert "tests/project/test_make_targets_do_what_they_say.py::test_every_target_has_a_line_of_help" in ran.stdout
    assert "test_bench_measures_with_every_benchmark_that_needs_nothing" not in ran.stdout
    assert "tests/demo/test_names_are_not_cut.py" not in ran.stdout
    assert f"\n{selection.left_out()}\n" in ran.stdout
    assert '-m "not slow"' in make("--dry-run", "--always-make", "check").stdout
    assert '-m "not slow"' not in make("--dry-run", "--always-make", "test").stdout


def test_the_rooms_and_fixtures_that_check_leaves_out_are_there() -> None:
    assert all((ROOT / "tests" / name).is_dir() and name in selection.left_out() for name in selection.ROOMS)
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("*.py"))
    assert [name for name in selection.PARTS if f"\ndef {name}(" not in sources] == []
