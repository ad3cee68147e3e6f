"""One's own thresholds: a TOML file with a table for each condition that differs from the defaults.

runbooks = "https://wiki.example/tokentrail"     # where the pages stand, if not in the package: NAME.md is added

[error_share]
percent = 5              # a parameter of the question condition_error_share (tokentrail query condition_error_share --describe)
services = ["shop"]      # of these alone
hold = 10                # minutes for which the condition is true before the alert fires
severity = "ticket"      # or page

[cache_share_drop]
off = true
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, get_args

from tokentrail import toml_files
from tokentrail.alerts.conditions import BY_NAME, CONDITIONS, Condition, Severity
from tokentrail.clickhouse.literals import Parameter
from tokentrail.ledger.query import QueryError
from tokentrail.ledger.values import parse_parameters
from tokentrail.toml_files import FileError, known
from tokentrail.wording import did_you_mean

__all__ = ["Chosen", "Thresholds", "parse", "read"]

_OWN: Final = ("hold", "severity", "off")
_RUNBOOKS: Final = "runbooks"
_WINDOWS: Final = ("minutes", "hours", "days")
_LONGEST_HOLD: Final = 7 * 24 * 60


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a file states of one condition."""

    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    hold: int | None = None
    severity: Severity | None = None
    off: bool = False


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What a file states. Without a file all conditions are on, with the defaults of their questions."""

    chosen: Mapping[str, Chosen] = field(default_factory=dict)
    runbooks: str = ""

    def of(self, condition: Condition) -> Chosen:
        """Returns what is chosen for a condition, with defaults for all that the file leaves out."""
        chosen = self.chosen.get(condition.name, Chosen())
        hold = condition.hold if chosen.hold is None else chosen.hold
        return Chosen(chosen.parameters, hold, chosen.severity or condition.severity, chosen.off)

    def on(self) -> list[Condition]:
        """Returns the conditions that are not turned off."""
        return [condition for condition in CONDITIONS if not self.of(condition).off]


def read(path: Path) -> Thresholds:
    """Reads a file. Raises `FileError`, one sentence, for a file that cannot be read or used."""
    return toml_files.read(path, parse)


def parse(text: str) -> Thresholds:
    """Parses a file's text."""
    document = toml_files.document(text)
    runbooks = document.pop(_RUNBOOKS, "")
    if not isinstance(runbooks, str):
        raise FileError(f"{_RUNBOOKS} is {runbooks!r}: write the address of the pages' folder")
    return Thresholds({name: _chosen(name, given) for name, given in document.items()}, runbooks.rstrip("/"))


def _chosen(name: str, given: Any) -> Chosen:
    if name not in BY_NAME:
        raise FileError(f"there is no condition {name!r}.{did_you_mean(name, BY_NAME)} There are {', '.join(BY_NAME)}")
    if not isinstance(given, dict):
        raise FileError(f"{name} is a table: write [{name}]")
    condition = BY_NAME[name]
    known(name, given, (*condition.settable, *_OWN))
    hold, severity, off = given.get("hold"), given.get("severity"), given.get("off", False)
    if hold is not None and (type(hold) is not int or not 0 <= hold <= _LONGEST_HOLD):
        raise FileError(f"{name}: hold is {hold!r}: whole minutes from 0 to {_LONGEST_HOLD}")
    if severity is not None and severity not in get_args(Severity):
        raise FileError(f"{name}: severity is {severity!r}: one of {', '.join(get_args(Severity))}")
    if not isinstance(off, bool):
        raise FileError(f"{name}: off is {off!r}: true or false")
    texts = {key: _texts(name, key, value) for key, value in given.items() if key not in _OWN}
    try:
        parameters = parse_parameters(condition.query, texts)
    except QueryError as error:
        raise FileError(str(error).rstrip(".")) from None
    for window in _WINDOWS:
        if parameters.get(window) == 0:
            raise FileError(f"{name}: {window} is 0, and nothing is ever found: write a length from 1 on, or off = true")
    return Chosen(parameters, hold, severity, off)


def _texts(name: str, key: str, value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    for each in values:
        if isinstance(each, bool) or not isinstance(each, (str, int)):
            shown = each if isinstance(each, Decimal) else repr(each)
            raise FileError(f"{name}: {key} is {shown}: a whole number, a text or a list of texts")
    return [str(each) for each in values]
