from __future__ import annotations

import subprocess
import sys

import pytest

CASES = [
    ("click", ["--help"], "cli"),
    ("rich", ["journal", "status"], "cli"),
    ("clickhouse_connect", ["report"], "cli"),
    ("clickhouse_connect", ["doctor"], "cli"),
    ("chdb", ["serve"], "embedded"),
    ("chdb", ["verify", "--dsn", "chdb:///nowhere-at-all"], "embedded"),
    ("lz4", ["serve"], "embedded"),
    ("uvicorn", ["serve"], "embedded"),
    ("chdb", ["demo"], "demo"),
    ("groq", ["demo"], "demo"),
    ("jinja2", ["report", "--html", "usage.html"], "pages"),
    ("pygal", ["report", "--html", "usage.html"], "pages"),
    ("mcp", ["mcp"], "mcp"),
    ("mcp_types", ["mcp"], "mcp"),
    ("anyio", ["mcp"], "mcp"),
]


@pytest.mark.parametrize(("module", "arguments", "extra"), CASES, ids=lambda value: "-".join(value) if isinstance(value, list) else value)
def test_it_says_what_to_install(module: str, arguments: list[str], extra: str) -> None:
    program = f"import sys; sys.modules[{module!r}] = None; sys.argv = ['tokentrail', *{arguments!r}]; from tokentrail.cli import main; main()"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=240, check=False)
    if arguments == ["doctor"]:  # a doctor goes on, and names what is wrong among the rest
        assert ran.returncode == 1
        assert "tokentrail[cli]" in ran.stdout
        return
    assert ran.returncode == 2, ran.stdout + ran.stderr
    assert f"tokentrail[{extra}]" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1


def test_a_fault_of_ours_stays_visible() -> None:
    program = (
        "import sys; sys.modules['tokentrail.journal.status'] = None; sys.argv = ['tokentrail', 'journal', 'status'];"
        " from tokentrail.cli import main; main()"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" in ran.stderr
