"""The command line: one file per command; a command is imported only when it is called.

`group` finds the commands · `address` the option `--dsn` · `filters` the options that choose usages · `errors` misuse, exit code 2 · `suggest`
mistyped names · `stdout` standard output · `output`, `tables` rows as tables, JSON, CSV or Markdown · `working` progress · `live` a connection
that survives its server · `spending`, `screen`, `keys` what `top` shows, where, and how it is steered · the other files are the commands of
their names.
"""

from __future__ import annotations

import io
import os
import sys

__all__ = ["main"]

_STANDARD_ERROR = 2


def main() -> None:
    """Runs `tokentrail`. Exit code 0: success, 1: findings, 2: misuse."""
    _require_output()
    try:
        from tokentrail.cli.group import cli  # noqa: PLC0415 - click belongs to an extra
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("click", "rich"):
            raise
        sys.stderr.write('Error: the command line needs click and rich: pip install "tokentrail[cli]" (or "tokentrail[embedded]" with ClickHouse).\n')
        sys.exit(2)
    from tokentrail.cli import stdout  # noqa: PLC0415 - same

    if instruction := os.environ.get("_TOKENTRAIL_COMPLETE"):
        from tokentrail.cli.completion import complete  # noqa: PLC0415 - same

        for text in complete(cli, instruction):
            stdout.write_text(f"{text}\n")
        return
    try:
        cli(prog_name="tokentrail")
    except KeyboardInterrupt:
        sys.exit(stdout.INTERRUPTED)
    except OSError as error:
        if not stdout.cannot_write():
            raise
        stdout.close_quietly()
        sys.stderr.write(f"Error: standard output cannot be written: {error.strerror}.\n")
        sys.exit(2)


def _require_output() -> None:
    """Ends with a sentence if standard output is closed. Characters outside its encoding become question marks.

    Opens the null device for closed standard streams, so that no other file gets their numbers.
    """
    while (opened := os.open(os.devnull, os.O_RDWR)) <= _STANDARD_ERROR:
        pass
    os.close(opened)
    if sys.stdout is None:
        if sys.stderr is not None:
            sys.stderr.write("Error: standard output is closed: lead it to a terminal, a program or a file (`> /dev/null`).\n")
        sys.exit(2)
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="replace")
