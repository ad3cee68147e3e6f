"""Finds the boundary between a statement and its data: parses only as much SQL as ClickHouse's HTTP interface itself does.

A request's text is the `query` parameter, then the body. `INSERT ... FORMAT X` and `INSERT ... VALUES` are followed by data, in either place; every
other statement is SQL to its end, with an optional FORMAT clause for the answer. The engine parses the rest.
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
ORDERING: Final = frozenset({b"ASC", b"DESC", b"NULLS", b"COLLATE", b"WITH"})  # after a column that is named format
DATA_START: Final = re.compile(rb"[ \t\f\v]*;?[ \t\f\v]*(?:\r?\n)?")  # the text between FORMAT's name and the data is not data
NAMING: Final = frozenset({b"INTO", b"TABLE", b"."})  # before a table that is named settings
MAX_HEAD: Final = 1 << 20
CREATING: Final = frozenset({b"INSERT", b"CREATE", b"ATTACH"})
COPYING: Final = frozenset(
    (copy, what) for copy in (b"BACKUP", b"RESTORE") for what in (b"ALL", b"DATABASE", b"DICTIONARY", b"TABLE", b"TEMPORARY", b"VIEW")
)
"""The beginnings of statements that no level of `readonly` refuses (chDB 4.4.0), though they write files and tables."""
FORMAT_NAME: Final = re.compile(rb"[A-Za-z]\w*|`[A-Za-z]\w*`|\"[A-Za-z]\w*\"")
# Bytes that begin no token of ClickHouse. e2 88 92 is a minus sign, which begins a token.
UNREADABLE: Final = re.compile(rb"['\"`&#]|\\(?!G)|!(?!=)|[\x00-\x1f\x7f]|(?!\xe2\x88\x92)[\x80-\xff]")
EXIT_WORDS: Final = frozenset(
    {"exit", "quit", "logout", "q", ":q"}
)  # these words end ClickHouse's own client, and chDB has the engine of that client


@dataclass(frozen=True, slots=True)
class Insert:
    """An INSERT with data: the statement without FORMAT or VALUES, the input format, and the offset of the data in the text."""

    statement: str
    format: str
    data_at: int


@dataclass(frozen=True, slots=True)
class Select:
    """Any other statement: the text without FORMAT, the format of its FORMAT clause, and whether the answer may be streamed."""

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
    """Yields words and signs outside of brackets, quotes and comments; a bracket is its opening sign, a quoted name is one token."""
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


def _words_and_signs(text: bytes) -> list[bytes]:
    """Returns all words, in upper case, and signs outside of comments, those in brackets included. Quoted text keeps its quotes, so it is no word."""
    return [found.group().upper() for found in TOKEN.finditer(text) if found.lastgroup != "space"]


def read_only_level(text: bytes) -> str:
    """Returns the level of `readonly` for a statement. Level 2 allows SETTINGS, but also INSERT INTO FUNCTION file(…) and temporary tables.

    Raises EngineError for a table function that creates its file at any level, and for BACKUP and RESTORE.
    """
    pairs = set(pairwise(_words_and_signs(text)))
    if not COPYING.isdisjoint(pairs):
        raise EngineError(READONLY, "Cannot execute query in readonly mode: BACKUP and RESTORE write. (READONLY)")
    if (b"SQLITE", b"(") in pairs:
        raise EngineError(READONLY, "Cannot execute query in readonly mode: sqlite makes the file that it is asked for. (READONLY)")
    return "2" if CREATING.isdisjoint(_words_and_signs(text)) else "1"


def beside_rows(text: bytes) -> list[str]:
    """Returns what a statement requests beside its rows: `totals`, `extremes`."""
    pairs = set(pairwise(_words_and_signs(text)))
    asked = {"totals": (b"WITH", b"TOTALS"), "extremes": (b"EXTREMES", b"=")}
    return [name for name, signs in asked.items() if signs in pairs]


def insert_head(text: bytes, *, whole: bool) -> Insert | None:
    """Returns the INSERT with data at the beginning of `text`; None for other statements, or if more text is needed (`whole`: `text` is complete)."""
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
    """Returns the offset of the SETTINGS clause in an INSERT's head, or the end if there is none: the clause FROM INFILE stands before SETTINGS."""
    before = b""
    for token in top_level(head):
        if token.text == b"SETTINGS" and before not in NAMING:
            return token.start
        before = token.text
    return len(head)


def undecided(text: bytes) -> bool:
    """Whether the statement may still become an INSERT with data when more text arrives."""
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
    """Removes the FORMAT clause from a statement without data.

    Raises EngineError for an empty text, for a text that the engine would take for the end of its input and so report as a success, for a second
    statement after a semicolon, and for INTO OUTFILE: the server refuses INTO OUTFILE too, since the file would be written where the engine runs.
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
    """Returns the text for the engine. Raises EngineError for a word that would end ClickHouse's client, which the engine reports as a success."""
    statement = _text(text).strip()
    if statement in EXIT_WORDS:
        raise _unrecognized(statement, 0)
    return statement


def _text(statement: bytes) -> str:
    """Decodes a statement. Raises EngineError if the bytes are not UTF-8: chDB takes texts only, the server takes any bytes."""
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
    """Returns a format's name without quotes."""
    return _text(name).strip('`"')


def _writes_a_file(tokens: list[Token]) -> bool:
    """Whether the statement contains INTO OUTFILE; the table of an INSERT may be named OUTFILE. Non-ASCII spaces are no words."""
    words = [b"", *(token.text for token in tokens if token.text.isascii() or len(token.text) > 1)]
    threes = zip(words, words[1:], words[2:], strict=False)
    return any(before != b"INSERT" and (into, outfile) == (b"INTO", b"OUTFILE") for before, into, outfile in threes)
