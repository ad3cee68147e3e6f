"""Imported by each Python interpreter that `tokentrail doctor -- COMMAND` starts: the application's interpreter runs the checks and ends.

A launcher runs on and replaces itself by the application's interpreter. `opentelemetry-instrument` puts its own `sitecustomize` first in PYTHONPATH,
so this folder is moved to the first place just before the replacement. Uses only the standard library, since tokentrail may not be installed there.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import sys
from collections.abc import Sequence
from importlib.machinery import PathFinder
from typing import Any, Final

HERE: Final = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - compared with texts of sys.path
REPORT: Final = "TOKENTRAIL_DOCTOR_REPORT"
LAUNCHERS: Final = frozenset({"opentelemetry-instrument", "ddtrace-run", "newrelic-admin"})
"""Python programs that replace themselves by the application's interpreter."""
WITH_VALUE: Final = ("-W", "-X", "--check-hash-based-pycs")


def _program(words: Sequence[str]) -> tuple[str, str]:
    """Returns how the interpreter was started: `-m`, `-c` or an empty text, and the module, code or script."""
    rest = iter(words[1:])
    for word in rest:
        if word in ("-m", "-c"):
            return word, next(rest, "")
        if word in WITH_VALUE:
            next(rest, None)
        elif not word.startswith("-"):
            return "", word
    return "", ""


def _without_here(paths: str) -> list[str]:
    return [path for path in paths.split(os.pathsep) if path and path != HERE]


def _run_next_sitecustomize() -> None:
    """Runs the `sitecustomize` that Python would have imported instead of this one."""
    spec = PathFinder.find_spec("sitecustomize", [path for path in sys.path if path != HERE])
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)


def _keep_first_in_path() -> None:
    """Makes this folder the first in the PYTHONPATH of the interpreter that replaces this one."""
    execv, execve = os.execv, os.execve

    def in_front(environment: Any) -> None:
        environment["PYTHONPATH"] = os.pathsep.join([HERE, *_without_here(environment.get("PYTHONPATH", ""))])

    def execv_in_front(path: Any, words: Any) -> None:
        in_front(os.environ)
        execv(path, words)

    def execve_in_front(path: Any, words: Any, environment: Any) -> None:
        environment = dict(environment)
        in_front(environment)
        execve(path, words, environment)

    os.execv, os.execve = execv_in_front, execve_in_front  # type: ignore[assignment]


class _Errors(logging.Handler):
    """Collects the errors that OpenTelemetry logs during its set-up."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self.messages.append(f"{record.getMessage()}: {type(error).__name__}: {error}" if error is not None else record.getMessage())


def _answer(report: str, kind: str, program: str) -> None:
    """Writes the report on the application's interpreter, instead of running the application."""
    rest = _without_here(os.environ.pop("PYTHONPATH", ""))
    if rest:
        os.environ["PYTHONPATH"] = os.pathsep.join(rest)
    errors = _Errors()
    logging.getLogger("opentelemetry").addHandler(errors)
    _run_next_sitecustomize()
    sys.path[:] = [path for path in sys.path if path != HERE]
    if program:  # as the interpreter itself does after this module
        sys.path.insert(0, os.path.dirname(os.path.abspath(program)) if not kind else os.getcwd())  # noqa: PTH100, PTH109, PTH120 - same
    try:
        from tokentrail.doctor.inside import findings_as_json  # noqa: PLC0415

        text = findings_as_json(errors.messages)
    except ImportError as error:
        sentence = f"{sys.executable} cannot import tokentrail ({error}): pip install tokentrail there; without it nothing is counted"
        text = json.dumps([{"what": "application", "state": "wrong", "sentence": sentence}])
    with open(f"{report}.new", "w", encoding="utf-8") as file:  # noqa: PTH123 - needs no more than os
        file.write(text)
    os.replace(f"{report}.new", report)  # noqa: PTH105 - same


def _begin() -> None:
    report = os.environ.get(REPORT)
    if report is None:
        return
    with open(f"{report}.begun", "w", encoding="utf-8"):  # noqa: PTH123 - same
        pass
    kind, program = _program(getattr(sys, "orig_argv", sys.argv))
    if not kind and os.path.basename(program) in LAUNCHERS:  # noqa: PTH119 - same
        _keep_first_in_path()
        _run_next_sitecustomize()
        return
    del os.environ[REPORT]
    code = 1
    try:
        _answer(report, kind, program)
        code = 0
    finally:
        if code:
            sys.excepthook(*sys.exc_info())
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


_begin()
