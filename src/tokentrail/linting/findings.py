"""Walks through one file's syntax tree, and yields what the rules find."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from typing import Final

from tokentrail.linting.rules import Finding
from tokentrail.linting.words import ANSWERS, CHARS, COUNTS, OWN, SDKS, TEXTS, USAGES
from tokentrail.vocabulary import Operation, TokenType, parse_operation, parse_token_type
from tokentrail.wording import did_you_mean

__all__ = ["findings"]

_OPERATION: Final = "operation"
_TOKEN_TYPE: Final = "token_type"  # noqa: S105 - a name, not a password
_PLACES: Final[Mapping[str, Mapping[int, str]]] = {
    "track_tokens": {0: _OPERATION},
    "track_token_usage": {0: _TOKEN_TYPE, 1: _OPERATION},
    "track_response": {},
    "idempotency_key": {0: _OPERATION},
}
"""The functions whose arguments are words of the vocabulary, and the places of those words among positional arguments."""
_RECORDERS: Final = ("track_token_usage", "track_response")
_NAMES: Final[Mapping[str, tuple[type[Enum], str]]] = {_OPERATION: (Operation, "Operation"), _TOKEN_TYPE: (TokenType, "TokenType")}


_TOKENS: Final = re.compile(r"tokens|token_?(count|len|limit|budget|usage|cost|estimat|siz|num)|(count|len|num|estimat\w*|max|per|n)_?token")


def findings(tree: ast.Module, path: str, lines: Sequence[str], *, counts_nothing: bool) -> Iterator[Finding]:
    """Yields the findings in a file, in the order of the tree. `counts_nothing`: the file is declared to count nothing itself."""
    walk = _Walk(path, lines, counts_nothing=counts_nothing)
    walk.visit(tree)
    yield from walk.found


class _Walk(ast.NodeVisitor):
    def __init__(self, path: str, lines: Sequence[str], *, counts_nothing: bool) -> None:
        self.found: list[Finding] = []
        self._lines = lines
        self._path = path
        self._counts_nothing = counts_nothing
        self._named: dict[str, str] = {}
        """The functions by the names that the file gives them."""
        self._usages: set[str] = set()
        """Names to which an answer's usage was assigned."""
        self._about_tokens = False
        """Whether the statement, or the function around it, is named after tokens."""

    def add(self, node: ast.expr | ast.stmt, rule: str, sentence: str) -> None:
        before = self._lines[node.lineno - 1].encode()[: node.col_offset]  # the tree counts bytes, an editor characters
        self.found.append(Finding(self._path, node.lineno, len(before.decode()) + 1, rule, sentence, node.end_lineno or node.lineno))

    # imports ------------------------------------------------------------------------------------------------------------------------------------
    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._imported(node, alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.level == 0 and node.module:
            self._imported(node, node.module, tuple(alias.name for alias in node.names))
        for alias in node.names:
            if alias.name in _PLACES and alias.asname:
                self._named[alias.asname] = alias.name

    def _imported(self, node: ast.stmt, module: str, names: tuple[str, ...] = ()) -> None:
        if module.partition(".")[0] == "tiktoken":
            self.add(node, "TT301", "tiktoken counts beside the library: count_tokens(text, model=…) chooses the tokenizer, and says how sure it is")
        reached = (module, *(f"{module}.{name}" for name in names))
        sdk = next((sdk for sdk in sorted(SDKS) if any(f"{each}.".startswith(f"{sdk}.") for each in reached)), "")
        if sdk and self._counts_nothing:
            self.add(node, "TT102", f"this code counts nothing itself, and {sdk} would be a call of a model: ask the service that makes such calls")

    # calls --------------------------------------------------------------------------------------------------------------------------------------
    def visit_Call(self, node: ast.Call) -> None:
        name = self._function(node.func)
        places = _PLACES.get(name)
        if places is not None:
            self._words(node, places)
            if name in _RECORDERS and self._counts_nothing:
                self.add(node, "TT101", f"this code counts nothing itself, and {name}() records a usage: what is spent is counted where it is spent")
        self.generic_visit(node)

    def _function(self, called: ast.expr) -> str:
        if isinstance(called, ast.Name):
            return self._named.get(called.id, called.id)
        return called.attr if isinstance(called, ast.Attribute) else ""

    def _words(self, node: ast.Call, places: Mapping[int, str]) -> None:
        given = [(kind, node.args[at], len(places) == 1) for at, kind in places.items() if at < len(node.args)]
        given += [(keyword.arg, keyword.value, True) for keyword in node.keywords if keyword.arg is not None and keyword.arg in _NAMES]
        for kind, value, is_certain in given:
            for word in _literals(value):
                self._word(kind, word, _constant(word), is_certain=is_certain)

    def _word(self, kind: str, node: ast.expr, text: str, *, is_certain: bool) -> None:
        """Finds a text in place of a constant. Unless the place is certain (a hand-made function may have another order), an unknown word is none.

        A hand-made function takes words in upper case too.
        """
        words, name = _NAMES[kind]
        shown = kind.replace("_", " ")
        parse = parse_operation if kind == _OPERATION else parse_token_type
        for form in (text,) if is_certain else (text, text.lower()):
            with suppress(ValueError):
                word = parse(form)
                break
        else:
            close = did_you_mean(text, [member.value for member in words]) or f" There are {', '.join(member.value for member in words)}"
            if is_certain:
                self.add(node, "TT002", f"{text!r} is no {shown}, and raises where it runs.{close}")
            return
        self.add(node, "TT001", f"{shown} {text!r} is a text: write {name}.{word.name}, or {kind.upper()}_{word.name}")

    # usages and estimates -----------------------------------------------------------------------------------------------------------------------
    def visit_Attribute(self, node: ast.Attribute) -> None:
        inner = node.value
        is_own = isinstance(inner, ast.Name) and node.attr in OWN and inner.id not in self._usages  # a usage of tokentrail, as far as is to be seen
        if isinstance(node.ctx, ast.Load) and node.attr in COUNTS and _is_usage(inner) and not is_own:
            self._usage(node, f"{_shown(inner)}.{node.attr}")
            return
        if isinstance(node.ctx, ast.Load) and node.attr in USAGES and isinstance(inner, ast.Name) and inner.id in ANSWERS:
            self._usage(node, f"{inner.id}.{node.attr}")
            return
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if isinstance(node.ctx, ast.Load) and _constant(node.slice) in COUNTS and _is_usage(node.value):
            self._usage(node, f"{_shown(node.value)}[{_constant(node.slice)!r}]")
            return
        self.generic_visit(node)

    def _usage(self, node: ast.expr, shown: str) -> None:
        self.add(node, "TT201", f"{shown} is read by hand: an instrumented SDK's call counts by itself, track_response() reads any other answer")

    def visit_BinOp(self, node: ast.BinOp) -> None:
        shown = self._estimate(node)
        if shown:
            self.add(node, "TT302", f"{shown} estimates tokens from a length: count_tokens(text, model=…) counts, and says how sure it is")
            return
        self.generic_visit(node)

    def _estimate(self, node: ast.BinOp) -> str:
        """Returns what stands there, if it is a length by some characters a token, or words by some tokens a word; else ""."""
        length, number = node.left, _number(node.right)
        if isinstance(node.op, ast.Mult) and number is None:
            length, number = node.right, _number(node.left)
        measured = _measured(length)
        if measured is None or number is None:
            return ""
        is_words = isinstance(measured, ast.Call) and isinstance(measured.func, ast.Attribute) and measured.func.attr == "split"
        by_characters = isinstance(node.op, (ast.Div, ast.FloorDiv)) and number in CHARS
        by_words = is_words and ((isinstance(node.op, ast.Mult) and 1 < number < 2) or (isinstance(node.op, ast.Div) and 0 < number < 1))  # noqa: PLR2004
        if by_words or (by_characters and (self._about_tokens or _is_text(measured))):
            return ast.unparse(node)
        return ""

    def visit_Assign(self, node: ast.Assign) -> None:
        if _is_usage(node.value) and not isinstance(node.value, ast.Name):
            self._usages.update(target.id for target in node.targets if isinstance(target, ast.Name))
        self._within(node, any(map(_is_about_tokens, map(_last_name, node.targets))))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._within(node, _is_about_tokens(_last_name(node.target)))

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._within(node, _is_about_tokens(_last_name(node.target)))

    def visit_keyword(self, node: ast.keyword) -> None:
        self._within(node, _is_about_tokens(node.arg or ""))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._within(node, _is_about_tokens(node.name))

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._within(node, _is_about_tokens(node.name))

    def _within(self, node: ast.AST, about_tokens: bool) -> None:
        before, self._about_tokens = self._about_tokens, self._about_tokens or about_tokens
        self.generic_visit(node)
        self._about_tokens = before


def _literals(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node
    elif isinstance(node, ast.IfExp):
        yield from _literals(node.body)
        yield from _literals(node.orelse)
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from _literals(value)


def _is_usage(node: ast.expr) -> bool:
    """Whether an expression is an answer's usage by its name: `usage`, `response.usage`, `body["usage"]`, `body.get("usage")`."""
    if isinstance(node, (ast.Name, ast.Attribute)):
        return _last_name(node) in USAGES
    if isinstance(node, ast.Subscript):
        return _constant(node.slice) in USAGES
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args:
        return _constant(node.args[0]) in USAGES
    return isinstance(node, ast.BoolOp) and any(map(_is_usage, node.values))


def _constant(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _number(node: ast.expr) -> float | None:
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _measured(node: ast.expr) -> ast.expr | None:
    """Returns what is measured by `len(…)`; None for any other expression."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len" and len(node.args) == 1:
        return node.args[0]
    return None


def _is_text(node: ast.expr) -> bool:
    name = _last_name(node).lower()
    return any(word in name for word in TEXTS) and not name.endswith("s")


def _is_about_tokens(name: str) -> bool:
    """Whether a name speaks of numbers of tokens: `estimate_tokens`, `token_count`, `numToken`; a `csrf_token` is another thing."""
    return _TOKENS.search(name.lower()) is not None


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _shown(node: ast.expr) -> str:
    shown = ast.unparse(node)
    return shown if len(shown) <= 40 else "usage"  # noqa: PLR2004 - what fits a sentence
