"""The command line: one file a command; a command is imported only when it is called."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run `tokentrail`; exit code 0 fine, 1 found something wrong, 2 misused."""
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
        if not stdout.raised_by_echo(error):
            raise
        stdout.close_quietly()
        sys.stderr.write(f"Error: standard output cannot be written: {error.strerror}.\n")
        sys.exit(2)
