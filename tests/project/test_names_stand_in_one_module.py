"""`semconv` has every name that tokentrail emits; `counts` says those of counts, from which `make docs` writes them; `bridge/names` has others' names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "tokentrail"
NAMES = {"semconv.py", "counts.py", "bridge/names.py"}
NAME = re.compile(r"(gen_ai|server|service|deployment|process|telemetry\.sdk|otel|exception|tokentrail)\.[a-z][a-z0-9_.]*|error\.type|host\.name")
OTHERS = {
    "process.configure",
    "tokentrail.embedded.http",
    "tokentrail.lock",
    "tokentrail.filters",
    "tokentrail.period",
    "tokentrail.now",
    "tokentrail.json",
}
"""A module within the package, a logger, a file, and what the command line keeps in click's context."""


def texts(tree: ast.AST) -> Iterator[str]:
    """The texts of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def is_module(name: str) -> bool:
    """Whether a name is a module's or package's (loggers have such names)."""
    path = SOURCE.joinpath(*name.split(".")[1:])
    return name.startswith("tokentrail.") and (path.is_dir() or path.with_suffix(".py").is_file())


def names_in(source: str) -> list[str]:
    """The names of attributes, metrics and events that stand as texts in a module."""
    return [text for text in texts(ast.parse(source)) if NAME.fullmatch(text) and text not in OTHERS and not is_module(text)]


def test_no_other_module_has_a_name_of_telemetry() -> None:
    modules = {path.relative_to(SOURCE).as_posix(): path for path in SOURCE.rglob("*.py")}
    found = {name: names_in(path.read_text("utf-8")) for name, path in sorted(modules.items()) if name not in NAMES}
    assert {name: names for name, names in found.items() if names} == {}


@pytest.mark.parametrize("name", ["error.type", "tokentrail.retry", "gen_ai.request.model", "service.name", "deployment.environment"])
def test_a_name_is_found(name: str) -> None:
    assert names_in(f"facts = {{{name!r}: 1}}") == [name]
    assert names_in('logging.getLogger("tokentrail.embedded")') == []
