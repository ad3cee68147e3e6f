"""What the names of meters say, by the patterns of `meters.toml`: the service, which tokens are counted, the model, the tier, the size of a unit."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Final

from tokentrail.toml_files import document

__all__ = ["Meter", "meter_of", "model_of", "service_of", "size_of", "words_of"]

_CAPITAL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=\d)(?=[A-Z][a-z])|(?<=[a-z])(?=\d+[a-z]\b)")
_BETWEEN: Final = re.compile(r"[\s\-_:/()|,]+")
_LONGEST: Final = 512
"""Characters of a name that are looked at."""


@dataclass(frozen=True, slots=True)
class Meter:
    """What a meter's name says: the counts that its tokens belong to (none if it counts no tokens of calls), whether of a batch, and the tier."""

    counts: tuple[str, ...]
    batch: bool
    tier: str


@dataclass(frozen=True, slots=True)
class _Rules:
    services: tuple[tuple[str, tuple[str, ...], re.Pattern[str]], ...]
    others: tuple[re.Pattern[str], ...]
    counts: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]
    tiers: tuple[tuple[re.Pattern[str], bool, str], ...]
    sizes: tuple[tuple[re.Pattern[str], int], ...]
    drops: tuple[re.Pattern[str], ...]
    names: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...]
    models: tuple[tuple[re.Pattern[str], str, str], ...]


@lru_cache(maxsize=1)
def _rules() -> _Rules:
    found: Mapping[str, Any] = document(resources.files(__package__).joinpath("meters.toml").read_text(encoding="utf-8"))
    pattern: Callable[[Mapping[str, Any]], re.Pattern[str]] = lambda each: re.compile(each["pattern"])  # noqa: E731 - one line of many below
    return _Rules(
        services=tuple((each["provider"], tuple(each["columns"]), re.compile(each["pattern"], re.IGNORECASE)) for each in found["service"]),
        others=tuple(pattern(each) for each in found["other"]),
        counts=tuple((pattern(each), tuple(each["counts"])) for each in found["count"]),
        tiers=tuple((pattern(each), each.get("batch", False), each.get("tier", "")) for each in found["tier"]),
        sizes=tuple((pattern(each), each["size"]) for each in found["size"]),
        drops=tuple(pattern(each) for each in found["drop"]),
        names=tuple((tuple(each["columns"]), pattern(each)) for each in found["name"]),
        models=tuple((pattern(each), each.get("provider", ""), each["name"]) for each in found["model"]),
    )


@lru_cache(maxsize=4096)
def words_of(name: str) -> str:
    """Returns the words of a name in lower case, one blank between them."""
    return " ".join(filter(None, _BETWEEN.split(_CAPITAL.sub(" ", name[:_LONGEST])))).lower()


def service_of(row: Callable[[str], str]) -> str | None:
    """Returns the provider of a row's service, "" where the row's own provider counts; None for a service that is none of language models."""
    for provider, columns, pattern in _rules().services:
        if any((value := row(column)) and pattern.search(value) for column in columns):
            return provider
    return None


@lru_cache(maxsize=4096)
def meter_of(name: str) -> Meter:
    """Reads a meter's name."""
    rules, words = _rules(), words_of(name)
    batch, tier = next(((is_batch, found) for pattern, is_batch, found in rules.tiers if pattern.search(words)), (False, ""))
    if any(pattern.search(words) for pattern in rules.others):
        return Meter((), batch, tier)
    return Meter(next((counts for pattern, counts in rules.counts if pattern.search(words)), ()), batch, tier)


def size_of(*texts: str) -> int | None:
    """Returns how many tokens a unit is, by the first text that says so; None if none does."""
    for text in texts:
        words = words_of(text)
        for pattern, size in _rules().sizes:
            if pattern.search(words):
                return size
    return None


def model_of(row: Callable[[str], str], meter: str, provider: str) -> str:
    """Returns the model of a row, by a column that names it, or by what is left of the meter's name."""
    for columns, pattern in _rules().names:
        for column in columns:
            if (value := row(column)) and (found := pattern.search(value)):
                return _named(found[1], "") if column != "x_Model" else found[1]
    return _named(_left_of(meter), provider)


@lru_cache(maxsize=4096)
def _left_of(meter: str) -> str:
    words = words_of(meter)
    for pattern in _rules().drops:
        words = pattern.sub(" ", words)
    return " ".join(words.split())


@lru_cache(maxsize=4096)
def _named(name: str, provider: str) -> str:
    found = words_of(name).replace(" ", "-")
    for pattern, only, replacement in _rules().models:
        if not only or only == provider:
            found = pattern.sub(replacement, found)
    return found
