from __future__ import annotations

import sys
from pathlib import Path

import pytest
from rich.console import Console

from tokentrail.demo.screen import WIDE, DemoScreen, program, usage_table

LONG = "a-vendor-with-a-long-name/a-model-with-an-even-longer-name-2026-11-26-preview"
ROWS = [
    {"tenant_id": "initech", "operation": "classification", "provider": "openai", "model": "gpt-5-nano-2025-08-07", "input_tokens": 1_542},
    {"tenant_id": "acme", "operation": "vector_search", "provider": "openai", "model": "text-embedding-ada-002-v2", "input_tokens": 2},
    {"tenant_id": "globex", "operation": "extraction", "provider": "openrouter", "model": LONG, "input_tokens": 123_456_789},
]
MEASURES = {"output_tokens": 7, "cache_read_tokens": 0, "reasoning_tokens": None, "calls": 3}
CALLS = {"reported_calls": 2, "estimated_calls": 1, "unknown_calls": 0, "partial_calls": 1, "error_calls": 0}


def drawn(width: int) -> list[str]:
    console = Console(width=width, highlight=False, color_system=None)
    with console.capture() as capture:
        console.print(usage_table("tokens", [row | MEASURES | CALLS for row in ROWS], wide=width >= WIDE))
    return capture.get().splitlines()


@pytest.mark.parametrize("width", [80, 100, 139, 140, 200])
def test_every_name_is_whole(width: int) -> None:
    lines = drawn(width)
    assert all(len(line) <= width for line in lines)
    assert not [line for line in lines if "…" in line]
    begins = next(line for line in lines if line.lstrip().startswith("tenant")).index("provider")
    joined = "".join(line[begins:].split("  ")[0].strip() for line in lines)
    for row in ROWS:
        assert any(row["tenant_id"] in line and row["operation"] in line for line in lines), "short names are in one piece"
    if width < WIDE:
        assert LONG in joined
        assert "gpt-5-nano-2025-08-07" in "\n".join(lines)
    assert "123,456,789" in "\n".join(lines)


def test_without_a_terminal_the_table_is_wide_enough(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    DemoScreen().console.print(usage_table("tokens", [ROWS[0] | MEASURES | CALLS], wide=True))
    assert "gpt-5-nano-2025-08-07" in capsys.readouterr().out


def test_a_command_is_named_as_the_shell_finds_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed = tmp_path / "bin dir" / "tokentrail"
    installed.parent.mkdir()
    installed.write_text("#!/bin/sh\n")
    installed.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(installed), "demo"])
    assert program() == f"'{installed}'"
    monkeypatch.setenv("PATH", str(installed.parent))
    assert program() == "tokentrail"
    monkeypatch.setattr(sys, "argv", ["/somewhere/tokentrail/__main__.py", "demo"])
    assert program() == f"{sys.executable} -m tokentrail"
