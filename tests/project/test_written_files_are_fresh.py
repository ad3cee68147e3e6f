"""Files that `make docs` writes are those that the code writes today; pages whose answers take an engine and minutes have tests where these run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.scripts import load_script
from tests.support.wheel import ROOT
from tokentrail.grafana.files import write
from tokentrail.grafana.page import BEGIN

DICTIONARY = """
import dictionary_page
for path, page in dictionary_page.pages().items():
    assert page == path.read_text("utf-8"), f"{path.name} is stale, run: make docs"
"""


def test_the_settings() -> None:
    script = load_script("settings_page")
    assert script.PAGE.read_text("utf-8") == script.page(), "run: make docs"


def test_the_command_line() -> None:
    for name in ("mcp", "openai", "groq", "ollama", "chdb", "uvicorn"):
        pytest.importorskip(name, reason="a command's module needs an extra that is not installed")
    script = load_script("command_line_page")
    assert script.PAGE.read_text("utf-8") == script.page(), "run: make docs"


def test_the_alerts_and_prometheus_rules() -> None:
    for path, page in load_script("alerts_page").pages().items():
        assert page == path.read_text("utf-8"), "run: make docs"


def test_grafanas_files_and_their_page(tmp_path: Path) -> None:
    script = load_script("grafana_page")
    written = {path.relative_to(tmp_path): path.read_text("utf-8") for path in write(tmp_path)}
    kept = {path.relative_to(script.FOLDER): path.read_text("utf-8") for path in script.FOLDER.rglob("*") if path.is_file()}
    assert written == kept, "run: make docs"
    assert BEGIN in script.PAGE.read_text("utf-8")
    assert script.page() == script.PAGE.read_text("utf-8"), "run: make docs"


def test_the_data_dictionary_and_the_queries() -> None:
    """The engine opens one database a process, and other tests may have theirs open: this one runs in a process of its own."""
    found = subprocess.run([sys.executable, "-c", DICTIONARY], cwd=ROOT / "scripts", check=False, capture_output=True, text=True, timeout=240)
    assert found.returncode == 0, found.stderr
