"""The command line as a person meets it: at a terminal of some width, in a pipe, in a process of its own."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass

from click.testing import CliRunner

from tokentrail.cli.group import cli

TOKENTRAIL = [sys.executable, "-c", "from tokentrail.cli import main; main()"]


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


def tokentrail(*arguments: str, cwd: object = None, stdin: str | None = None, **environment: str) -> Ran:
    """Run a command with its output in pipes."""
    done = subprocess.run(
        [*TOKENTRAIL, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=cwd,
        env={**os.environ, **environment},
        input=stdin,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def in_process(*arguments: str, **environment: str) -> Ran:
    """Run a command here, with its output in pipes: quicker by half a second, where neither the process nor its end is the point."""
    ran = CliRunner(env=environment).invoke(cli, arguments)
    if ran.exception is not None and not isinstance(ran.exception, SystemExit):
        raise ran.exception
    return Ran(ran.exit_code, ran.stdout, ran.stderr)


def both_at_terminal(*arguments: str, columns: int = 80, **environment: str) -> Ran:
    """Run a command whose standard output and standard error are one terminal: `out` holds both."""
    return at_terminal(*arguments, columns=columns, errors=True, **environment)


def at_terminal(*arguments: str, columns: int = 80, errors: bool = False, **environment: str) -> Ran:
    """Run a command whose standard output (and standard error, with `errors`) is a terminal of `columns` columns."""
    reads, writes = pty.openpty()
    fcntl.ioctl(writes, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    given = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")} | environment
    with subprocess.Popen([*TOKENTRAIL, *arguments], stdout=writes, stderr=writes if errors else subprocess.PIPE, text=True, env=given) as process:
        os.close(writes)
        said = b""
        while piece := _read(reads):
            said += piece
        os.close(reads)
        return Ran(process.wait(60), said.decode().replace("\r\n", "\n"), process.stderr.read() if process.stderr is not None else "")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # EIO: nobody writes there any more
        return b""


def assert_one_sentence(ran: Ran, *said: str) -> None:
    """Exit code 2, an error of one line that says `said`, and no traceback."""
    assert ran.code == 2, ran
    assert "Traceback" not in ran.err, ran.err
    errors = [line for line in ran.err.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, ran.err
    assert ran.err.strip().splitlines()[-1] == errors[0], ran.err
    for each in said:
        assert each in errors[0]
