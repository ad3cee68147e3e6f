"""Where a statement ends and its data begin: only as much SQL as ClickHouse's HTTP interface itself has to know.

A request's text is the `query` parameter, then the body. `INSERT ... FORMAT X` and `INSERT ... VALUES` are followed by data, in either place; every
other statement is SQL to its end, with an optional FORMAT clause that says how the answer is written. Everything else is left to the engine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from tokentrail.embedded.errors import NO_OUTFILE, READONLY, SYNTAX_ERROR, EngineError

__all__ = ["Insert", "Select", "beside_rows", "insert_head", "read_only_level", "select", "settings_at", "undecided"]

TOKEN: Final = re.compile(
    rb"(?P<space>\s+|--[^\n]*(?:\n|\Z)|#[ !][^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z)"
    rb"|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe1\xa0\x8e|\xe2\x80[\x80-\x8d\xa8\xa9\xaf]|\xe2\x81[\x9f\xa0]|\xe3\x80\x80|\xef\xbb\xbf)"  # of other scripts
    rb"|(?P<quoted>'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"|`(?:[^`\\]|\\.|``)*`"
    rb"|\$(?P<tag>[A-Za-z0-9_]*)\$.*?\$(?P=tag)\$|\xe2\x80\x98.*?\xe2\x80\x99|\xe2\x80\x9c.*?\xe2\x80\x9d)"  # heredocs, curly quotes
    rb"|(?P<word>[A-Za-z_][A-Za-z0-9_$]*)"
    rb"|(?P<number>[0-9][A-Za-z0-9_]*)"
    rb"|(?P<other>[^\s])",
    re.DOTALL,
)
OPENING: Final = b"([{"
CLOSING: Final = b")]}"
READING: Final = frozenset({b"SELECT", b"WITH", b"FROM", b"WATCH", b"EXPLAIN"})
ORDERING: Final = frozenset({b"ASC", b"DESC", b"NULLS", b"COLLATE", b"WITH"})  # behind a column that happens to be called format
DATA_START: Final = re.compile(rb"[ \t\f\v]*;?[ \t\f\v]*(?:\r?\n)?")  # what lies between FORMAT's name and the data is no data
NAMING: Final = frozenset({b"INTO", b"TABLE", b"."})  # before a table that happens to be called settings
MAX_HEAD: Final = 1 << 20
MAKING: Final = frozenset({b"INSERT", b"CREATE", b"ATTACH"})
FORMAT_NAME: Final = re.compile(rb"[A-Za-z]\w*|`[A-Za-z]\w*`|\"[A-Za-z]\w*\"")
# What begins no token of ClickHouse's; e2 88 92 is a minus sign, which does.
UNREADABLE: Final = re.compile(rb"['\"`&#]|\\(?!G)|!(?!=)|[\x00-\x1f\x7f]|(?!\xe2\x88\x92)[\x80-\xff]")
LEAVING: Final = frozenset({"exit", "quit", "logout", "q", ":q"})  # end ClickHouse's own client, whose engine this is


@dataclass(frozen=True, slots=True)
class Insert:
    """An INSERT that data follow: the statement without FORMAT or VALUES, the input format, and where in the text the data begin."""

    statement: str
    format: str
    data_at: int


@dataclass(frozen=True, slots=True)
class Select:
    """Any other statement: its text without FORMAT, the format if it names one, whether its answer may be sent while it is made."""

    statement: str
    format: str
    streams: bool


@dataclass(frozen=True, slots=True)
class Token:
    """A word or sign at the statement's top level; a word in upper case."""

    text: bytes
    start: int
    end: int


def top_level(text: bytes) -> Iterator[Token]:
    """Words and signs outside of brackets, quotes and comments; of a bracket its opening sign, of a quoted name all."""
    depth = 0
    for found in TOKEN.finditer(text):
        kind = found.lastgroup
        if kind == "space":
            continue
        value = found.group()
        if kind == "other" and value in CLOSING:
            depth = max(0, depth - 1)
            continue
        if depth == 0:
            yield Token(value.upper() if kind == "word" else value, found.start(), found.end())
        if kind == "other" and value in OPENING:
            depth += 1


def _signs(text: bytes) -> list[bytes]:
    """All words, in upper case, and signs outside of comments, those in brackets too; of what is quoted the quotes say that it is no word."""
    return [found.group().upper() for found in TOKEN.finditer(text) if found.lastgroup != "space"]


def read_only_level(text: bytes) -> str:
    """The level of `readonly` for a statement: at 2 it may have settings of its own, but INSERT INTO FUNCTION file(…) and temporary tables pass.

    Raises EngineError for a table function that makes its file at any level.
    """
    if (b"SQLITE", b"(") in pairwise(_signs(text)):
        raise EngineError(READONLY, "Cannot execute query in readonly mode: sqlite makes the file that it is asked for. (READONLY)")
    return "2" if MAKING.isdisjoint(_signs(text)) else "1"


def beside_rows(text: bytes) -> list[str]:
    """What a statement may ask for beside its rows: `totals`, `extremes`."""
    pairs = set(pairwise(_signs(text)))
    asked = {"totals": (b"WITH", b"TOTALS"), "extremes": (b"EXTREMES", b"=")}
    return [name for name, signs in asked.items() if signs in pairs]


def insert_head(text: bytes, *, whole: bool) -> Insert | None:
    """The INSERT with data that `text` begins with, or None where it is something else, or not yet all there (`whole`: nothing will follow)."""
    tokens = top_level(text)
    first = next(tokens, None)
    if first is None or first.text != b"INSERT":
        return None
    for token in tokens:
        if token.text in READING:
            return None
        if token.text == b"VALUES" and (whole or token.end < len(text)):
            return Insert(_text(text[: token.start]), "Values", token.end)
        if token.text == b"FORMAT":
            name = next(tokens, None)
            if name is None or (name.end == len(text) and not whole):
                return None
            spelt = _unquoted(text[name.start : name.end])
            data_at = _data_start(text, name.end)
            return Insert(_text(text[: token.start]), "Values" if spelt.upper() == "VALUES" else spelt, data_at)
    return None


def settings_at(head: bytes) -> int:
    """Where in an INSERT's head its SETTINGS clause begins, or the end where it has none: a clause that names the data's source comes before."""
    before = b""
    for token in top_level(head):
        if token.text == b"SETTINGS" and before not in NAMING:
            return token.start
        before = token.text
    return len(head)


def undecided(text: bytes) -> bool:
    """Whether more text could still show an INSERT with data."""
    if len(text) > MAX_HEAD:
        return False
    tokens = top_level(text)
    first = next(tokens, None)
    if first is None or first.end == len(text):
        return True
    return first.text == b"INSERT" and not any(token.text in READING for token in tokens)


def _data_start(text: bytes, after: int) -> int:
    found = DATA_START.match(text, after)
    return found.end() if found else after


def select(text: bytes) -> Select:
    """Cut the FORMAT clause out of a statement without data.

    Raises EngineError for an empty text, for one that the engine would take for the end of its input and so for a success, for a second statement
    behind a semicolon, and for INTO OUTFILE: as on the server, for the file would be written where the engine runs.
    """
    tokens = list(top_level(text))
    end = next((index for index, token in enumerate(tokens) if token.text == b";"), len(tokens))
    if end < len(tokens) and any(token.text != b";" for token in tokens[end:]):
        raise EngineError(SYNTAX_ERROR, "Multi-statements are not allowed: send one statement a request. (SYNTAX_ERROR)")
    if end < len(tokens):
        text = text[: tokens[end].start]
    del tokens[end:]
    if not tokens:
        raise EngineError(SYNTAX_ERROR, "Empty query. (SYNTAX_ERROR)")
    if _writes_a_file(tokens):
        raise EngineError(NO_OUTFILE, "INTO OUTFILE is not allowed. (INTO_OUTFILE_NOT_ALLOWED)")
    _refuse_unreadable(text, tokens[0].start)
    reads = tokens[0].text in {b"SELECT", b"WITH", b"("} and b"INSERT" not in {token.text for token in tokens}
    streams = reads and not beside_rows(text)
    for token, name in zip(tokens[-2::-1], tokens[:0:-1], strict=True):
        follows = tokens[tokens.index(name) + 1 :]
        named = FORMAT_NAME.fullmatch(name.text) and name.text not in ORDERING
        if token.text == b"FORMAT" and named and (not follows or follows[0].text == b"SETTINGS"):
            cut = text[: token.start] + b" " + text[name.end :]
            return Select(_statement(cut), _unquoted(text[name.start : name.end]), streams)
    return Select(_statement(text), "", streams)


def _statement(text: bytes) -> str:
    """The text that the engine gets. Raises EngineError for a word that the engine would take for its client's leave, as a success."""
    statement = _text(text).strip()
    if statement in LEAVING:
        raise _unrecognized(statement, 0)
    return statement


def _text(statement: bytes) -> str:
    """The engine takes texts only, where the server takes any bytes."""
    try:
        return statement.decode()
    except UnicodeDecodeError as error:
        raise EngineError(SYNTAX_ERROR, f"The statement is no UTF-8 text: byte {error.start + 1} does not fit. (SYNTAX_ERROR)") from None


def _refuse_unreadable(text: bytes, at: int) -> None:
    if UNREADABLE.match(text, at):
        raise _unrecognized(text[at:].decode(errors="replace"), at)


def _unrecognized(text: str, at: int) -> EngineError:
    shown = "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in text[:60])
    return EngineError(SYNTAX_ERROR, f"Syntax error: failed at position {at + 1}: {shown}. Unrecognized token. (SYNTAX_ERROR)")


def _unquoted(name: bytes) -> str:
    """A format's name, which may stand in quotes."""
    return _text(name).strip('`"')


def _writes_a_file(tokens: list[Token]) -> bool:
    """Whether INTO OUTFILE is in the statement, whatever follows; a table of an INSERT may be called so. Foreign spaces are no words."""
    words = [b"", *(token.text for token in tokens if token.text.isascii() or len(token.text) > 1)]
    threes = zip(words, words[1:], words[2:], strict=False)
    return any(before != b"INSERT" and (into, outfile) == (b"INTO", b"OUTFILE") for before, into, outfile in threes)
