from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_page_of_commands_is_current() -> None:
    for name in ("mcp", "openai", "groq", "ollama", "chdb", "uvicorn"):
        pytest.importorskip(name, reason="a command's module needs an extra that is not installed")
    spec = importlib.util.spec_from_file_location("command_line_page", ROOT / "scripts" / "command_line_page.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.PAGE.read_text(encoding="utf-8") == script.page(), "run: python scripts/command_line_page.py"
