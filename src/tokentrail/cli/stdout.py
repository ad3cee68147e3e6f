"""Standard output: bytes and text at once, its width, and what a name of a ClickHouse format may do to a terminal."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from typing import Final

from tokentrail.cli.errors import Misuse

__all__ = [
    "BROKEN_PIPE",
    "INTERRUPTED",
    "close_quietly",
    "is_terminal",
    "refuse_binary",
    "refuses",
    "rule_sign",
    "terminal_width",
    "write_bytes",
    "write_text",
]

BROKEN_PIPE: Final = 141
"""The exit code of a program whose reader left (`| head`), as a shell sees it of those that SIGPIPE ends: 128 + 13."""

INTERRUPTED: Final = 130
"""The exit code after Ctrl-C: 128 + SIGINT."""

BINARY: Final = ("arrow", "avro", "bson", "capn", "msgpack", "native", "npy", "orc", "parquet", "protobuf", "rowbinary")
"""How the names of ClickHouse's binary formats begin, in lower case."""


def is_terminal() -> bool:
    """Whether a person reads standard output at a terminal."""
    return bool(sys.stdout.isatty())


def terminal_width() -> int | None:
    """Columns of the terminal; `None` where standard output is none, and lines may be as long as they are."""
    return shutil.get_terminal_size().columns if is_terminal() else None


def rule_sign() -> str:
    """What a line under a heading is made of."""
    try:
        "─".encode(sys.stdout.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return "-"
    return "─"


def refuse_binary(written: str) -> None:
    """Raise `Misuse` for a format that would only disturb a terminal."""
    if is_terminal() and written.lower().startswith(BINARY):
        raise Misuse(f"{written} is binary: send it to a file or a program, e.g. `… > usage.{written.lower()}`.")


def write_bytes(data: bytes) -> None:
    """Write and flush: a reader sees each piece when it is there. Raises `Misuse` where the disk is full; BrokenPipeError means that nobody reads."""
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
    """The same for text; what the terminal's encoding lacks is shown as a question mark."""
    write_bytes(text.encode(sys.stdout.encoding or "utf-8", "replace"))


def refuses() -> bool:
    """Whether standard output takes nothing, neither what is held for it nor a line's end: then it was what raised the error that ended a command."""
    try:
        sys.stdout.flush()
        os.write(sys.stdout.fileno(), b"\n")
    except OSError:
        return True
    return False


def close_quietly() -> None:
    """Lead standard output to nowhere: what is still held for it would be tried, and complained about, once more at exit."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError) as error:  # no real file, as under a test runner
        if isinstance(error, OSError) and error.errno not in (errno.EBADF, None):
            raise
