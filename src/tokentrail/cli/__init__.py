"""The command line: one file a command; a command is imported only when it is called."""

from __future__ import annotations

import io
import os
import sys

__all__ = ["main"]

_STANDARD_ERROR = 2


def main() -> None:
    """Run `tokentrail`; exit code 0 fine, 1 found something wrong, 2 misused."""
    _need_output()
    try:
        from tokentrail.cli.group import cli  # noqa: PLC0415 - click belongs to an extra
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("click", "rich"):
            raise
        sys.stderr.write('Error: the command line needs click and rich: pip install "tokentrail[cli]" (or "tokentrail[embedded]" with ClickHouse).\n')
        sys.exit(2)
    from tokentrail.cli import stdout  # noqa: PLC0415 - same

    try:
        cli(prog_name="tokentrail")
    except KeyboardInterrupt:
        sys.exit(stdout.INTERRUPTED)
    except OSError as error:
        if not stdout.refuses():
            raise
        stdout.close_quietly()
        sys.stderr.write(f"Error: standard output cannot be written: {error.strerror}.\n")
        sys.exit(2)


def _need_output() -> None:
    """End with a sentence where standard output is closed. A sign that it cannot show becomes a question mark; files get no closed one's number."""
    while (opened := os.open(os.devnull, os.O_RDWR)) <= _STANDARD_ERROR:
        pass
    os.close(opened)
    if sys.stdout is None:
        if sys.stderr is not None:
            sys.stderr.write("Error: standard output is closed: lead it to a terminal, a program or a file (`> /dev/null`).\n")
        sys.exit(2)
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="replace")
