"""Queries as values: a file is a header of comments and one statement; only this module reads these files.

`questions/NAME.sql` is what people ask (`tokentrail query`), with names, parameters and columns to rely on; `queries/NAME.sql` is what commands need.

    -- title: What the query answers
    -- asked by: The callers
    -- parameter: days UInt16 = 7 | The meaning; a parameter without `= …` has to be given
    -- choices: step | hour, day, month: the only values of a parameter
    -- slot: grouping | A piece of SQL that the caller gives for {{grouping}}
    -- unit: The unit of the numbers; `no answer of its own` for a part of others
    -- column: calls | The meaning of the column, in the order of the answer; `-- columns: none` for a statement without an answer
    --
    -- Notes for developers of the query.

`{{queries.writers_heard}}` in a statement stands for that file's statement; parameters that the header does not list are described there. A line may
be repeated for a list, as in every `.sql` file (`tokentrail.clickhouse.sqlfiles.repeat`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from tokentrail.clickhouse import sqlfiles
from tokentrail.clickhouse.client import Client, Result
from tokentrail.clickhouse.literals import Parameter

if TYPE_CHECKING:
    from importlib.abc import Traversable

__all__ = ["Described", "Query", "QueryError", "Wanted", "answer", "names", "parse", "questions", "read", "run"]

_LINE: Final = re.compile(r"-- (title|asked by|parameter|choices|slot|unit|columns?): ?(.*)")
_WANTED: Final = re.compile(r"(?P<name>\w+) (?P<type>[^=|]+?) *(?:= *(?P<default>[^|]*?) *)?\| *(?P<text>.*)")
_DESCRIBED: Final = re.compile(r"(?P<name>\w+) *\| *(?P<text>.*)")
_INCLUDED: Final = re.compile(r"\{\{queries\.(\w+)\}\}")
_SLOT: Final = re.compile(r"\{\{(\w+)\}\}")
_PARAMETER: Final = re.compile(r"(?<!\{)\{(\w+):([^{}]+)\}")
_PART: Final = "no answer of its own"
_FOLDER: Final = resources.files(__package__) / "queries"
_QUESTIONS: Final = resources.files(__package__) / "questions"


class QueryError(ValueError):
    """An incomplete header, or parameters or slots that do not fit their query. One sentence."""


@dataclass(frozen=True, slots=True)
class Described:
    """A column or slot, and its meaning."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A parameter. `default` is None where the parameter has to be given; `choices` are its only values, empty for any value of the type."""

    name: str
    type: str
    default: str | None
    text: str
    choices: tuple[str, ...] = ()

    @property
    def value(self) -> Parameter:
        """The default, as a parameter for the engine."""
        if self.type.startswith("Array("):
            return [item for item in (self.default or "").split(",") if item]
        return int(self.default or 0) if re.match(r"U?Int", self.type) else self.default


@dataclass(frozen=True, slots=True)
class Query:
    """A query on the ledger."""

    name: str
    title: str
    asked_by: str
    unit: str
    parameters: tuple[Wanted, ...]
    slots: tuple[Described, ...]
    columns: tuple[Described, ...]
    notes: str
    sql: str

    @property
    def is_part(self) -> bool:
        """Whether the query is included by others, and is no statement of its own."""
        return self.unit == _PART

    def filled(self, slots: Mapping[str, str] | None = None) -> str:
        """Returns the statement with its slots filled in. Raises `QueryError` for an unknown or missing slot."""
        slots = slots or {}
        self._refuse_unknown("slot", slots, [slot.name for slot in self.slots])
        for slot in self.slots:
            if slot.name not in slots:
                raise QueryError(f"query {self.name}: slot {slot.name} is not filled")
        return _SLOT.sub(lambda match: slots[match[1]], self.sql)

    def given(self, parameters: Mapping[str, Parameter] | None = None) -> dict[str, Parameter]:
        """Returns all parameters, with the defaults of those that are not given. Raises `QueryError` for an unknown or missing parameter."""
        parameters = parameters or {}
        self._refuse_unknown("parameter", parameters, [wanted.name for wanted in self.parameters])
        for wanted in self.parameters:
            if wanted.default is None and wanted.name not in parameters:
                raise QueryError(f"query {self.name}: parameter {wanted.name} is not given")
            if wanted.choices and parameters.get(wanted.name, wanted.default) not in wanted.choices:
                raise QueryError(
                    f"query {self.name}: parameter {wanted.name} is {parameters[wanted.name]!r}: it is one of {', '.join(wanted.choices)}"
                )
        return {wanted.name: parameters.get(wanted.name, wanted.value) for wanted in self.parameters}

    def _refuse_unknown(self, kind: str, given: Mapping[str, object], known: list[str]) -> None:
        for name in given:
            if name not in known:
                raise QueryError(f"query {self.name} has no {kind} {name}: it has {', '.join(known) or 'none'}")


def names() -> list[str]:
    """Returns the names of all queries, sorted."""
    return sorted([*_names(_FOLDER), *_names(_QUESTIONS)])


def questions() -> list[str]:
    """Returns the names of the queries that people ask, sorted."""
    return sorted(_names(_QUESTIONS))


def _names(folder: Traversable) -> list[str]:
    return [entry.name.removesuffix(".sql") for entry in folder.iterdir() if entry.name.endswith(".sql")]


@cache
def read(name: str) -> Query:
    """Reads a query. Raises `QueryError` if the file does not have the form above."""
    folder = _QUESTIONS if name in questions() else _FOLDER
    return parse(name, (folder / f"{name}.sql").read_text(encoding="utf-8"))


def answer(client: Client, name: str, parameters: Mapping[str, Parameter] | None = None, slots: Mapping[str, str] | None = None) -> Result:
    """Runs a query and returns its rows."""
    query = read(name)
    return client.query(query.filled(slots), query.given(parameters))


def run(client: Client, name: str, parameters: Mapping[str, Parameter] | None = None, slots: Mapping[str, str] | None = None) -> None:
    """Runs a query without an answer."""
    query = read(name)
    client.command(query.filled(slots), query.given(parameters))


def parse(name: str, text: str) -> Query:
    """Parses a query from a file's text. Raises `QueryError` for the first error."""
    text = sqlfiles.repeat(text)
    entries, notes = _header(text)
    found = sqlfiles.statements(text)
    if len(found) != 1:
        raise QueryError(f"queries/{name}.sql: one statement, not {len(found)}")
    included = [read(each) for each in dict.fromkeys(_INCLUDED.findall(found[0]))]
    sql = _INCLUDED.sub(lambda match: read(match[1]).sql, found[0])
    wanted = _wanted(name, entries)
    inherited = {each.name: each for query in included for each in query.parameters}
    query = Query(
        name=name,
        title=_one(name, entries, "title"),
        asked_by=_one(name, entries, "asked by"),
        unit=_one(name, entries, "unit"),
        parameters=(*wanted, *(each for each in inherited.values() if each.name not in {own.name for own in wanted})),
        slots=tuple(Described(**_part(name, "slot", line, _DESCRIBED)) for line in entries.get("slot", [])),
        columns=tuple(Described(**_part(name, "column", line, _DESCRIBED)) for line in entries.get("column", [])),
        notes=notes,
        sql=sql,
    )
    if entries.get("columns", ["none"]) != ["none"] or bool(query.columns) == ("columns" in entries):
        raise QueryError(f"queries/{name}.sql: its header lists the columns, or says `columns: none`")
    _compare(name, "parameter", [(wanted.name, wanted.type) for wanted in query.parameters], _PARAMETER.findall(sql))
    _compare(name, "slot", [(slot.name, "") for slot in query.slots], [(slot, "") for slot in _SLOT.findall(sql)])
    return query


def _wanted(name: str, entries: dict[str, list[str]]) -> list[Wanted]:
    """Returns the parameters that a header lists, each with its choices."""
    described = [_part(name, "choices", line, _DESCRIBED) for line in entries.get("choices", [])]
    choices = {each["name"]: tuple(filter(None, (word.strip() for word in each["text"].split(",")))) for each in described}
    wanted = [_part(name, "parameter", line, _WANTED) for line in entries.get("parameter", [])]
    for each in choices.keys() - {found["name"] for found in wanted}:
        raise QueryError(f"queries/{name}.sql: its header has choices of a parameter {each}, and no such parameter")
    return [Wanted(**found, choices=choices.get(found["name"], ())) for found in wanted]


def _header(text: str) -> tuple[dict[str, list[str]], str]:
    """Parses the comments at the beginning. Returns the entries by their keys, and the other lines as notes."""
    entries: dict[str, list[str]] = {}
    notes = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        match = _LINE.fullmatch(line)
        if match:
            entries.setdefault(match[1], []).append(match[2].strip())
        else:
            notes.append(line[2:].strip())
    return entries, " ".join(filter(None, notes))


def _one(name: str, entries: dict[str, list[str]], key: str) -> str:
    if len(entries.get(key, [])) != 1 or not entries[key][0]:
        raise QueryError(f"queries/{name}.sql: its header has to say once: -- {key}: …")
    return entries[key][0]


def _part(name: str, key: str, line: str, form: re.Pattern[str]) -> dict[str, Any]:
    match = form.fullmatch(line)
    if match is None or not match["text"]:
        raise QueryError(f"queries/{name}.sql: «-- {key}: {line}» has no name and meaning, with | between them")
    return match.groupdict()


def _compare(name: str, kind: str, header: list[tuple[str, str]], used: list[tuple[str, str]]) -> None:
    if len(set(header)) != len(header):
        raise QueryError(f"queries/{name}.sql: its header has a {kind} twice")
    for one in (*header, *used):
        if one not in used or one not in header:
            where = "header and not in its statement" if one in header else "statement and not in its header"
            raise QueryError(f"queries/{name}.sql: the {kind} {' '.join(one).strip()} is in its {where}")
