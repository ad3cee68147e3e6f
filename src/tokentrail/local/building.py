"""Runs long external steps (a compiler, pip) with a line of progress, a log file, a deadline, and the end of the output if a step fails."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tokentrail.local.cache import Progress, Unavailable
from tokentrail.local.child import Child

NICENESS = 5
"""A long step yields the processor to the user's other programs, above all to the first part of the demo."""
POLL_S = 0.1


def run_step(
    what: str,
    command: Sequence[str],
    *,
    log: Path,
    progress: Progress,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    deadline_s: float = 7200.0,
) -> Unavailable | None:
    """Runs a command to its end. Returns None if the command succeeded, else the reason. Raises GivenUp, with no process left running."""
    progress(f"{what} …")
    began = time.monotonic()
    step = Child(what, command, environment=environment, folder=folder, log=log)
    try:
        step.start()
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PGRP, step.pid, NICENESS)
        while step.running:
            progress.pause(POLL_S)
            if time.monotonic() - began > deadline_s:
                return Unavailable(what, f"{what} was not done after {deadline_s:.0f} s; its last words: {step.last_words()}")
    except OSError as error:
        return Unavailable(what, f"{command[0]} does not start ({error})")
    finally:
        step.kill()
    if step.code != 0:
        return Unavailable(what, f"{what} ended with code {step.code}; its last words: {step.last_words()}")
    return None


def install_wheels(what: str, requirements: Sequence[str], target: Path, *, log: Path, progress: Progress) -> Unavailable | None:
    """Installs pinned wheels, without dependencies, into a separate folder. Never compiles, and leaves no copy in the installer's cache.

    A requirement may have `--hash=sha256:…` as in a requirements file; then all requirements must have one.
    """
    listed = target.with_suffix(".requirements.txt")
    listed.write_text("".join(f"{requirement}\n" for requirement in requirements), "utf-8")
    common = ["install", "--no-deps", "--only-binary=:all:", "--target", str(target), "--requirement", str(listed)]
    if importlib.util.find_spec("pip") is not None:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *common, "--no-compile", "--no-cache-dir", "--quiet"]
    elif (uv := shutil.which("uv")) is not None:
        command = [uv, "pip", *common, "--python", sys.executable, "--no-cache", "--quiet"]
    else:
        return Unavailable(what, f"neither pip (for {sys.executable}) nor uv is installed")
    return run_step(what, command, log=log, progress=progress, deadline_s=900.0)
