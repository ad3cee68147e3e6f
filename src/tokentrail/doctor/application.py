"""Starts the application's interpreter like the application, and runs the checks there instead of the program."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tokentrail.doctor.finding import Finding
from tokentrail.doctor.inside import SDKS

__all__ = ["CannotAsk", "ask_application"]

INJECTED: Final = Path(__file__).parent / "injected"
BEGIN_SECONDS: Final = 30.0
"""Time until a Python interpreter must have begun; a command without a Python interpreter is stopped."""
ANSWER_SECONDS: Final = 120.0
POLL_SECONDS: Final = 0.02
_PYTHON = re.compile(r"python[0-9.]*|pypy[0-9.]*").fullmatch
_ISOLATED = re.compile(r"-[A-Za-z]*[IES][A-Za-z]*").fullmatch


class CannotAsk(Exception):  # noqa: N818 - a sentence for the command line
    """The command does not start a Python interpreter that can run the checks: one sentence."""


def ask_application(command: Sequence[str], sdks: Sequence[str] = ()) -> list[Finding]:
    """Returns the findings of the interpreter that the command starts, under the command's environment. Raises `CannotAsk`."""
    shown = " ".join(command)
    if shutil.which(command[0]) is None:
        raise CannotAsk(f"{command[0]} is no command that can be started: give the one that starts the application, as in `python app.py`.")
    if _PYTHON(Path(command[0]).name):
        for word in command[1:]:
            if not word.startswith("-") or word in ("-c", "-m"):
                break
            if _ISOLATED(word):
                raise CannotAsk(f"`{shown}` cannot be asked: with {word} Python does not read PYTHONPATH, and the program itself would run.")
    with tempfile.TemporaryDirectory(prefix="tokentrail-doctor-") as folder:
        report = Path(folder) / "report"
        path = os.pathsep.join(filter(None, (str(INJECTED), os.environ.get("PYTHONPATH", ""))))
        environment = os.environ | {"PYTHONPATH": path, "TOKENTRAIL_DOCTOR_REPORT": str(report), SDKS: ",".join(sdks)}
        with (Path(folder) / "output").open("w+b") as output:
            process = subprocess.Popen(  # noqa: S603 - the user's own command
                command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
            try:
                _wait(process, report, shown)
            finally:
                _end(process)
            output.seek(0)
            output_lines = output.read().decode("utf-8", "replace").strip().splitlines()
        if not report.exists():
            last = f": {output_lines[-1]}" if output_lines else ""
            raise CannotAsk(f"`{shown}` ended with exit code {process.returncode} and started no Python interpreter that could be asked{last}")
        return [Finding(**found) for found in json.loads(report.read_text(encoding="utf-8"))]


def _wait(process: subprocess.Popen[bytes], report: Path, shown: str) -> None:
    """Waits until there is a report or the command has ended. Raises `CannotAsk` when the time is up."""
    began = time.monotonic()
    while process.poll() is None and not report.exists():
        waited = time.monotonic() - began
        if waited > BEGIN_SECONDS and not report.with_name("report.begun").exists():
            raise CannotAsk(f"`{shown}` started no Python interpreter that could be asked within {BEGIN_SECONDS:.0f} seconds, and was stopped.")
        if waited > ANSWER_SECONDS:
            raise CannotAsk(f"`{shown}` gave no answer within {ANSWER_SECONDS:.0f} seconds, and was stopped.")
        time.sleep(POLL_SECONDS)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the remaining processes of the command."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            process.wait(0.5 if number == signal.SIGTERM else 2.0)
        except subprocess.TimeoutExpired:
            try:
                os.killpg(process.pid, number)
            except ProcessLookupError:
                return
    process.wait()
