"""Tests, and `tokentrail.testing`, read and set no private name of tokentrail's modules: what they need has a public name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src" / "tokentrail").rglob("*.py"))
READERS = [*sorted((ROOT / "tests").rglob("*.py")), *(path for path in SOURCES if path.parent.name == "testing")]
OTHERS = {"openai", "groq", "ollama", "anthropic", "os", "sys", "trace", "metrics_api", "super"}
"""Modules that are not tokentrail's, whose private names some tests need: a test of what an SDK does looks into the SDK."""


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in ("_", "_replace")  # the latter is a named tuple's method


def private_names(tree: ast.Module) -> Iterator[str]:
    """The private names that a module gives: variables, functions, classes and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = node.name
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            name = node.id if isinstance(node, ast.Name) else node.attr
        else:
            continue
        if is_private(name):
            yield name


def uses(tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    """Line, owner and name of each private name that is read, set or imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            yield node.lineno, ast.unparse(node.value), node.attr
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tokentrail"):
            yield from ((node.lineno, node.module or "", alias.name) for alias in node.names if is_private(alias.name))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "setattr" and node.args:
            for argument in node.args[:2]:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str) and is_private(argument.value.rpartition(".")[2]):
                    yield node.lineno, ast.unparse(node.args[0]), argument.value.rpartition(".")[2]


def test_no_private_name_of_tokentrail_is_used() -> None:
    given = {name for path in SOURCES for name in private_names(ast.parse(path.read_text("utf-8")))}
    assert len(given) > 100
    found = []
    for path in READERS:
        tree = ast.parse(path.read_text("utf-8"))
        own = set(private_names(tree))
        for line, owner, name in uses(tree):
            of = owner.partition("(")[0].partition(".")[0]
            if name in given - own and of not in OTHERS and of != "self":
                found.append(f"{path.relative_to(ROOT)}:{line}: {owner}.{name}")
    assert found == []
