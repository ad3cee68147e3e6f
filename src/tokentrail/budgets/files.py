"""Files of budgets. TOML.

timezone = "Europe/Madrid"          # of budgets that state none; left out: UTC

[[budget]]
name = "acme"
per = "month"                       # day, week (from Monday), month, quarter, year
money = "500"                       # or tokens = 20_000_000
currency = "EUR"                    # of money; left out: USD
tenant = "acme"                     # or a list; so are operation, provider, model, service, environment; what is left out is not looked at
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokentrail import toml_files
from tokentrail.budgets.budget import Budget, budget
from tokentrail.toml_files import FileError, known, tables, text

__all__ = ["parse", "read"]


def read(path: Path) -> Sequence[Budget]:
    """Reads a file of budgets. Raises `FileError`, one sentence, for a file that cannot be read or used."""
    return toml_files.read(path, parse)


def parse(written: str) -> Sequence[Budget]:
    """Parses a file of budgets. Raises `FileError`, one sentence, for what does not fit."""
    document = toml_files.document(written)
    known("the file", document, ("budget", "timezone"))
    zone = text("the file", "timezone", document.get("timezone", "UTC"))
    found = [budget(f"budget {number}", given, zone=zone) for number, given in enumerate(tables(document, "budget"), 1)]
    if not found:
        raise FileError("there is no [[budget]]")
    seen: dict[str, int] = {}
    for number, each in enumerate(found, 1):
        if seen.setdefault(each.name, number) != number:
            raise FileError(f"budgets {seen[each.name]} and {number} are both named {each.name}")
    return found
