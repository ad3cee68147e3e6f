"""A sentence with anything in it that a user, a server or a file has named goes through `say` or `as_json_text`: no name steers a terminal."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import tokentrail.cli

COMMANDS = Path(tokentrail.cli.__file__).parent
GIVEN = {
    "stdout.py": "makes signs visible itself",
    "errors.py": "goes through `filled`, which does",
    "working.py": "goes through `shown` itself",
    "rollup.py": "numbers alone, behind a carriage return",
    "archive.py": "the manifest that was just written: names of our tables, numbers, checksums",
    "check.py": "a page of the package",
    "query.py": "a page of the package",
    "doctor.py": "each part through `shown`; the mark has a colour",
    "report.py": "one of three sentences",
}


def composed(source: str) -> Iterator[str]:
    """What `click.echo` is given, but for constants."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "click.echo" and node.args and not isinstance(node.args[0], ast.Constant):
            yield ast.unparse(node.args[0])


def test_commands_echo_constants_alone() -> None:
    found = {path.name: list(composed(path.read_text("utf-8"))) for path in sorted(COMMANDS.glob("*.py"))}
    assert {name: texts for name, texts in found.items() if texts and name not in GIVEN} == {}
    assert {name for name in GIVEN if not found[name]} == set(), "needs no word here any more"
    assert list(composed("click.echo(f'{name}: set')")) == ["f'{name}: set'"]
