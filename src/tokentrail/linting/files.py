"""Which files are looked at, what `[tool.tokentrail.lint]` of the nearest `pyproject.toml` says of them, and the comments that suppress a finding.

    [tool.tokentrail.lint]
    counts-nothing = ["services/agent"]      # files and folders that count nothing themselves, beside pyproject.toml
    exclude = ["tests", "*_pb2.py"]
    ignore = ["TT302"]

A file says so of itself in a comment: `# tokentrail: counts-nothing`. `# tokentrail: ignore[TT201]`, or `ignore` alone, suppresses the findings of
its line, and of the statement that ends there.
"""

from __future__ import annotations

import ast
import io
import os
import re
import stat
import tokenize
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

from tokentrail.linting.findings import findings
from tokentrail.linting.rules import RULES, Finding
from tokentrail.toml_files import FileError, document, known, read

__all__ = ["Chosen", "Looked", "look"]

NAMES: Final = ("counts-nothing", "exclude", "ignore", "select")
SKIPPED: Final = frozenset(("__pycache__", "node_modules", "build", "dist", "site-packages", "venv"))
MARK: Final = b"tokentrail:"
"""What each comment for these rules holds: other files' comments are not looked for."""
_IGNORE: Final = re.compile(r"#\s*tokentrail:\s*ignore(?:\[([^\]]*)\])?")
_COUNTS_NOTHING: Final = re.compile(r"#\s*tokentrail:\s*counts-nothing\b")


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is looked for, and where it counts nothing: of the options, and of a `pyproject.toml`. Paths are absolute."""

    counts_nothing: Sequence[Path] = ()
    exclude: Sequence[str] = ()
    rules: frozenset[str] = frozenset(RULES)
    root: Path | None = None


@dataclass(slots=True)
class Looked:
    """What came of it: the findings in order, how many files, and what could not be read, as sentences."""

    findings: list[Finding]
    files: int
    unread: list[str]


def look(paths: Iterable[Path], options: Chosen, *, config: Path | None = None) -> Looked:
    """Looks at files, and at all `.py` and `.pyi` files below folders. Raises `FileError` for a path that is not there, and for wrong settings."""
    looked = Looked([], 0, [])
    settings: dict[Path | None, Chosen] = {}
    seen: set[Path] = set()
    for given in paths:
        _check(given)
        found = config or _config_for(given.resolve())
        if found not in settings:
            settings[found] = _settings(found, options)
        for path in _files(given, settings[found]):
            whole = path.resolve()
            if whole not in seen:
                seen.add(whole)
                looked.files += 1
                _look_at(path, whole, settings[found], looked)
    looked.findings.sort()
    return looked


def _check(given: Path) -> None:
    try:
        mode = given.stat().st_mode
    except FileNotFoundError:
        raise FileError(f"there is no {given}") from None
    except OSError as error:
        raise FileError(f"{given} cannot be looked at: {error.strerror}") from None
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise FileError(f"{given} is neither a file nor a folder")


def _look_at(path: Path, whole: Path, chosen: Chosen, looked: Looked) -> None:
    try:
        source = path.read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the file's own escapes
            tree = ast.parse(source, str(path))
        comments = list(_comments(source))
        own = any(_COUNTS_NOTHING.match(text) for _line, text in comments)
        counts_nothing = own or any(whole == each or each in whole.parents for each in chosen.counts_nothing)
        lines = list(io.StringIO(source.decode(tokenize.detect_encoding(io.BytesIO(source).readline)[0]), newline=None))
        found = list(findings(tree, str(path), lines, counts_nothing=counts_nothing))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError) as error:
        place = f":{error.lineno}:{error.offset or 1}" if isinstance(error, SyntaxError) and error.lineno else ""
        looked.unread.append(f"{path}{place}: {_reason(error)}")
        return
    suppressed = {line: _numbers(match[1]) for line, text in comments if (match := _IGNORE.search(text))}
    for finding in found:
        is_suppressed = any(finding.rule in suppressed.get(line, ()) for line in (finding.line, finding.last_line))
        if finding.rule in chosen.rules and not is_suppressed:
            looked.findings.append(finding)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"it cannot be read: {error.strerror or type(error).__name__}"
    if isinstance(error, (RecursionError, MemoryError)):
        return "it cannot be read: it nests too deeply"
    return f"it is no Python: {getattr(error, 'msg', None) or error}"


def _comments(source: bytes) -> Iterator[tuple[int, str]]:
    if MARK not in source:
        return
    for token in tokenize.tokenize(io.BytesIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def _numbers(listed: str | None) -> frozenset[str]:
    return frozenset(RULES) if listed is None else frozenset(part.strip() for part in listed.split(","))


def _files(given: Path, chosen: Chosen) -> Iterator[Path]:
    if given.is_file():
        yield given
        return
    for folder, folders, names in os.walk(given):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and name not in SKIPPED and not _excluded(Path(folder, name), chosen)
        )
        for name in sorted(names):
            path = Path(folder, name)
            if name.endswith((".py", ".pyi")) and path.is_file() and not _excluded(path, chosen):
                yield path


def _excluded(path: Path, chosen: Chosen) -> bool:
    whole = path.resolve()
    inside = whole.relative_to(chosen.root).as_posix() if chosen.root and whole.is_relative_to(chosen.root) else path.as_posix()
    return any(fnmatch(path.name, pattern) or fnmatch(inside, pattern.rstrip("/")) for pattern in chosen.exclude)


def _config_for(path: Path) -> Path | None:
    folders = (path, *path.parents) if path.is_dir() else path.parents
    return next((folder / "pyproject.toml" for folder in folders if (folder / "pyproject.toml").is_file()), None)


def _settings(config: Path | None, options: Chosen) -> Chosen:
    if config is None:
        return options
    root = config.resolve().parent
    found: Mapping[str, Any] = read(config, _section)
    rules = frozenset(found.get("select", options.rules)) & options.rules - frozenset(found.get("ignore", ()))
    missing = [each for each in found.get("counts-nothing", ()) if not (root / each).exists()]
    if missing:
        raise FileError(f"{config}: [tool.tokentrail.lint] counts-nothing has {missing[0]!r}, and there is no such file or folder")
    return replace(
        options,
        counts_nothing=[*options.counts_nothing, *((root / each).resolve() for each in found.get("counts-nothing", ()))],
        exclude=[*options.exclude, *found.get("exclude", ())],
        rules=rules,
        root=root,
    )


def _section(written: str) -> Mapping[str, Any]:
    found: Any = document(written)
    for name in ("tool", "tokentrail", "lint"):
        found = found.get(name, {}) if isinstance(found, dict) else {}
    where = "[tool.tokentrail.lint]"
    if not isinstance(found, dict):
        raise FileError(f"{where} is a table")
    known(where, found, NAMES)
    for name, value in found.items():
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise FileError(f"{where}: {name} is {value!r}: write a list of texts")
        unknown = [each for each in value if name in ("ignore", "select") and each not in RULES]
        if unknown:
            raise FileError(f"{where}: {name} has {unknown[0]!r}: there are {', '.join(RULES)}")
    return found
