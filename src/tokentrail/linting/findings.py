"""Walks through one file's syntax tree, and yields what the rules find."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from typing import Any, Final

from tokentrail.linting.rules import Finding
from tokentrail.linting.source import Source
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
SHOWN: Final = 40
"""Characters of a file that a sentence shows."""
_TOKENS: Final = re.compile(r"tokens|token_?(count|len|limit|budget|usage|cost|estimat|siz|num)|(count|len|num|estimat\w*|max|per|n)_?token")


def findings(tree: ast.Module, path: str, lines: Sequence[str], *, counts_nothing: bool) -> Iterator[Finding]:
    """Yields the findings in a file, in the order of the tree. `counts_nothing`: the file is declared to count nothing itself."""
    walk = _Walk(path, Source(lines), counts_nothing=counts_nothing)
    walk.look(tree)
    yield from walk.found


class _Walk:
    """Looks at the nodes of a tree, outer ones first. A stack in place of recursion: generated code nests deeper than Python calls functions."""

    def __init__(self, path: str, source: Source, *, counts_nothing: bool) -> None:
        self.found: list[Finding] = []
        self._source = source
        self._path = path
        self._counts_nothing = counts_nothing
        self._named: dict[str, str] = {}
        """The functions by the names that the file gives them."""
        self._usages: set[str] = set()
        """Names to which an answer's usage was assigned."""
        self._about_tokens = False
        """Whether the statement, or the function around it, is named after tokens."""
        self._looks: Mapping[type[ast.AST], Callable[[Any], bool]] = {
            ast.Import: self._import,
            ast.ImportFrom: self._import_from,
            ast.Call: self._call,
            ast.Attribute: self._attribute,
            ast.Subscript: self._subscript,
            ast.BinOp: self._operation,
            ast.Assign: self._assignment,
        }

    def look(self, tree: ast.Module) -> None:
        """Looks at all nodes, but not into those that are found as a whole."""
        waiting: list[tuple[ast.AST, bool]] = [(tree, False)]
        while waiting:
            node, self._about_tokens = waiting.pop()
            look = self._looks.get(type(node))
            if look is not None and not look(node):
                continue
            about_tokens = self._about_tokens or any(map(_is_about_tokens, _names_of(node)))
            waiting += [(inner, about_tokens) for inner in reversed(list(ast.iter_child_nodes(node)))]

    def add(self, node: ast.expr | ast.stmt, rule: str, sentence: str) -> None:
        column = self._source.column(node.lineno, node.col_offset)
        self.found.append(Finding(self._path, node.lineno, column, rule, sentence, node.end_lineno or node.lineno))

    # imports ------------------------------------------------------------------------------------------------------------------------------------
    def _import(self, node: ast.Import) -> bool:
        for alias in node.names:
            self._imported(node, alias.name)
        return False

    def _import_from(self, node: ast.ImportFrom) -> bool:
        if node.level == 0 and node.module:
            self._imported(node, node.module, tuple(alias.name for alias in node.names))
        for alias in node.names:
            if alias.name in _PLACES and alias.asname:
                self._named[alias.asname] = alias.name
        return False

    def _imported(self, node: ast.stmt, module: str, names: tuple[str, ...] = ()) -> None:
        if module.partition(".")[0] == "tiktoken":
            self.add(node, "TT301", "tiktoken counts beside the library: count_tokens(text, model=…) chooses the tokenizer, and says how sure it is")
        reached = (module, *(f"{module}.{name}" for name in names))
        sdk = next((sdk for sdk in sorted(SDKS) if any(f"{each}.".startswith(f"{sdk}.") for each in reached)), "")
        if sdk and self._counts_nothing:
            self.add(node, "TT102", f"this code counts nothing itself, and {sdk} would be a call of a model: ask the service that makes such calls")

    # calls --------------------------------------------------------------------------------------------------------------------------------------
    def _call(self, node: ast.Call) -> bool:
        name = self._function(node.func)
        places = _PLACES.get(name)
        if places is not None:
            self._words(node, places)
            if name in _RECORDERS and self._counts_nothing:
                self.add(node, "TT101", f"this code counts nothing itself, and {name}() records a usage: what is spent is counted where it is spent")
        return True

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
        """Finds a text in place of a constant.

        A hand-made function may have another order, and takes words in upper case too: where the place is not certain, an unknown word is no finding.
        """
        words, name = _NAMES[kind]
        shown = kind.replace("_", " ")
        parse = parse_operation if kind == _OPERATION else parse_token_type
        for form in (text,) if is_certain else (text, text.lower()):
            with suppress(ValueError):
                word = parse(form)
                break
        else:
            if is_certain:
                known = [member.value for member in words]
                written = text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
                close = did_you_mean(written, known) or f" There are {', '.join(known)}"
                self.add(node, "TT002", f"{written!r} is no {shown} of the vocabulary.{close}")
            return
        self.add(node, "TT001", f"{shown} {text!r} is a text: write {name}.{word.name}, or {kind.upper()}_{word.name}")

    # usages and estimates -----------------------------------------------------------------------------------------------------------------------
    def _attribute(self, node: ast.Attribute) -> bool:
        inner = node.value
        is_own = isinstance(inner, ast.Name) and node.attr in OWN and inner.id not in self._usages  # a usage of tokentrail, as far as is to be seen
        if isinstance(node.ctx, ast.Load) and node.attr in COUNTS and _is_usage(inner) and not is_own:
            return self._usage(node, f"{self._shown(inner) or 'usage'}.{node.attr}")
        if isinstance(node.ctx, ast.Load) and node.attr in USAGES and isinstance(inner, ast.Name) and inner.id in ANSWERS:
            return self._usage(node, f"{inner.id}.{node.attr}")
        return True

    def _subscript(self, node: ast.Subscript) -> bool:
        if isinstance(node.ctx, ast.Load) and _constant(node.slice) in COUNTS and _is_usage(node.value):
            return self._usage(node, f"{self._shown(node.value) or 'usage'}[{_constant(node.slice)!r}]")
        return True

    def _usage(self, node: ast.expr, shown: str) -> bool:
        self.add(node, "TT201", f"{shown} is read by hand: an instrumented SDK's call counts by itself, track_response() reads any other answer")
        return False

    def _operation(self, node: ast.BinOp) -> bool:
        if self._is_estimate(node):
            shown = self._shown(node) or "this"
            self.add(node, "TT302", f"{shown} estimates tokens from a length: count_tokens(text, model=…) counts, and says how sure it is")
            return False
        return True

    def _is_estimate(self, node: ast.BinOp) -> bool:
        """Whether a length is divided by some characters a token, or multiplied by some tokens a word."""
        length, number = node.left, _number(node.right)
        if isinstance(node.op, ast.Mult) and number is None:
            length, number = node.right, _number(node.left)
        measured = _measured(length)
        if measured is None or number is None:
            return False
        is_words = isinstance(measured, ast.Call) and isinstance(measured.func, ast.Attribute) and measured.func.attr == "split"
        by_characters = isinstance(node.op, (ast.Div, ast.FloorDiv)) and number in CHARS
        by_words = is_words and ((isinstance(node.op, ast.Mult) and 1 < number < 2) or (isinstance(node.op, ast.Div) and 0 < number < 1))  # noqa: PLR2004
        return by_words or (by_characters and (self._about_tokens or _is_text(measured)))

    def _assignment(self, node: ast.Assign) -> bool:
        if _is_usage(node.value) and not isinstance(node.value, ast.Name):
            self._usages.update(target.id for target in node.targets if isinstance(target, ast.Name))
        return True

    def _shown(self, node: ast.expr) -> str:
        shown = self._source.text(node)
        return shown if len(shown) <= SHOWN else ""


def _names_of(node: ast.AST) -> Iterator[str]:
    """Yields the names of what a node assigns, passes or defines."""
    if isinstance(node, ast.Assign):
        yield from map(_last_name, node.targets)
    elif isinstance(node, (ast.AnnAssign, ast.AugAssign)):
        yield _last_name(node.target)
    elif isinstance(node, ast.keyword):
        yield node.arg or ""
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        yield node.name


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
