"""Standard output: writes bytes and text, reports the terminal's width, refuses binary formats on a terminal; and notes on standard error."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import textwrap
from typing import Any, Final

import click

from tokentrail.cli.errors import Misuse
from tokentrail.cli.tables import shown, steers

__all__ = [
    "BROKEN_PIPE",
    "INTERRUPTED",
    "as_json_text",
    "cannot_write",
    "close_quietly",
    "filled",
    "is_terminal",
    "note",
    "refuse_binary",
    "rule_sign",
    "say",
    "terminal_width",
    "write_bytes",
    "write_text",
]

BROKEN_PIPE: Final = 141
"""The exit code of a program whose reader has closed the pipe (`| head`), as after SIGPIPE: 128 + 13."""

INTERRUPTED: Final = 130
"""The exit code after Ctrl-C: 128 + SIGINT."""

BINARY: Final = ("arrow", "avro", "bson", "capn", "msgpack", "native", "npy", "orc", "parquet", "protobuf", "rowbinary")
"""Beginnings of the names of ClickHouse's binary formats, in lower case."""


def is_terminal() -> bool:
    """Whether standard output is a terminal."""
    return bool(sys.stdout.isatty())


def terminal_width() -> int | None:
    """Returns the columns of the terminal; `None`, for lines of any length, if standard output is not a terminal."""
    return shutil.get_terminal_size().columns if is_terminal() else None


def say(text: str, *, err: bool = False) -> None:
    """Prints a sentence to standard output, or to standard error: names in it, and what a server has said, steer no terminal."""
    click.echo(shown(text), err=err)


def as_json_text(value: Any, *, indent: int | None = None, ascii_only: bool = True) -> str:
    """Returns a value as JSON, in which signs that steer a terminal are escaped: the texts are the same."""
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    return "".join(f"\\u{ord(sign):04x}" if sign != "\n" and steers(sign) else sign for sign in text)


def note(sentence: str) -> None:
    """Prints a sentence to standard error; at a terminal without broken words."""
    click.echo(filled(sentence), err=True)


def filled(sentence: str) -> str:
    """Returns a sentence in lines of the terminal's width, if standard error is a terminal: no word is broken, no name steers."""
    sentence = shown(sentence)
    if sys.stderr is None or not sys.stderr.isatty():
        return sentence
    width = shutil.get_terminal_size().columns
    return "\n".join(textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False) for line in sentence.split("\n"))


def rule_sign() -> str:
    """Returns the character of the line under a heading."""
    try:
        "─".encode(sys.stdout.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return "-"
    return "─"


def refuse_binary(written: str) -> None:
    """Raises `Misuse` for a binary format on a terminal."""
    if is_terminal() and written.lower().startswith(BINARY):
        raise Misuse(f"{written} is binary: send it to a file or a program, e.g. `… > usage.{written.lower()}`.")


def write_bytes(data: bytes) -> None:
    """Writes and flushes, so that a reader sees each piece at once. Raises `Misuse` if the disk is full, BrokenPipeError if the pipe is closed."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        close_quietly()
        raise Misuse(f"standard output cannot be written: {error.strerror or error}.") from None


def write_text(text: str) -> None:
    """Writes and flushes text; characters that the terminal's encoding lacks become question marks."""
    write_bytes(text.encode(sys.stdout.encoding or "utf-8", "replace"))


def cannot_write() -> bool:
    """Whether standard output accepts neither its buffer nor a line end: then standard output raised the error that ended the command."""
    try:
        sys.stdout.flush()
        os.write(sys.stdout.fileno(), b"\n")
    except OSError:
        return True
    return False


def close_quietly() -> None:
    """Redirects standard output to the null device: else Python writes the buffer at exit, and reports the error again."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError) as error:  # standard output is not a real file, as under a test runner
        if isinstance(error, OSError) and error.errno not in (errno.EBADF, None):
            raise
