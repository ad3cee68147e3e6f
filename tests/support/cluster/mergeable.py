"""A shard's half of a query. An initiator asks for states that it can merge, under names of its own; chDB can only finish what it begins.

So the query is written anew: each aggregate function becomes its state, named as the plan names it. This is done on texts, for the queries of this project.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from tests.support.cluster.wire import parts

_SELECT = re.compile(r"\s*(?:WITH .*? )?SELECT (?:DISTINCT )?(.*?) FROM ", re.DOTALL)
_COLUMN = re.compile(r"__table1\.\w+")
_KEYS = re.compile(r" GROUP BY (.*?)(?: WITH TOTALS| HAVING .*| ORDER BY .*| LIMIT .*| SETTINGS .*)?$", re.DOTALL)
_AFTER_GROUPING = re.compile(r" (?:HAVING|ORDER BY|LIMIT) .*$", re.DOTALL)
_ALIAS = re.compile(r" AS `(?!__table)(?:[^`\\]|\\.)*`")
_SUFFIXES = "If|OrNull|OrDefault|Array|Map|Merge|State|Distinct|Simple"

Explain = Callable[[str], str]


def quoted(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


class Mergeable:
    """Writes queries anew. `aggregates` are the names of all aggregate functions."""

    def __init__(self, aggregates: Sequence[str]) -> None:
        self._call = re.compile(rf"\b((?:{'|'.join(sorted(aggregates, key=len, reverse=True))})(?:{_SUFFIXES})*)\(")

    def rewrite(self, sql: str, explain: Explain) -> str:
        """The same query, up to the states that an initiator merges. `explain` gives a query's plan with headers."""
        select = _SELECT.match(sql)
        if select is None:
            raise ValueError(f"no SELECT is seen in {sql[:80]}")
        listed = parts(select[1])
        plain = _plain(listed)
        if "GROUP BY" not in sql and plain is not None:
            return sql[: select.start(1)] + ", ".join(plain) + sql[select.end(1) :]
        grouped = _KEYS.search(sql)
        keys = parts(grouped[1]) if grouped else []
        names = list(_names(explain(sql)))
        calls = list(dict.fromkeys(self._calls(_ALIAS.sub("", sql))))  # an alias repeats the text of the call that it names
        if len(names) != len(keys) + len(calls):
            raise ValueError(f"the plan names {names}, seen were {keys} and {calls}")
        states = [f"{_state(function)}({arguments})" for function, arguments in calls]
        selected = [f"{what} AS {quoted(name)}" for what, name in zip([*keys, *states], names, strict=True)]
        return "SELECT " + ", ".join(selected) + _AFTER_GROUPING.sub("", sql[select.end(1) :])

    def _calls(self, sql: str) -> Iterator[tuple[str, str]]:
        for hit in self._call.finditer(sql):
            end, depth = hit.end(), 1
            while depth:
                depth += {"(": 1, ")": -1}.get(sql[end], 0)
                end += 1
            yield hit[1], sql[hit.end() : end - 1]


def _plain(listed: list[str]) -> list[str] | None:
    """Columns under the initiator's names; None if anything else is selected."""
    found = []
    for item in listed:
        column, _, _ = item.rpartition(" AS ")
        name = column.replace("`", "")
        if not _COLUMN.fullmatch(name):
            return None
        found.append(f"{column} AS {quoted(name)}")
    return list(dict.fromkeys(found))


def _state(function: str) -> str:
    return function if function.endswith("State") else f"{function}State"


def _names(plan: str) -> Iterator[str]:
    """The columns that come out of a plan's aggregation."""
    lines = iter(plan.split("\n"))
    for line in lines:
        if line.strip().startswith("Aggregating"):
            break
    for line in lines:
        stripped = line.strip()
        if stripped.startswith(("Keys:", "Aggregates:")):
            return
        if name := stripped.removeprefix("Header: "):
            yield _without_type(name)


def _without_type(line: str) -> str:
    """A header's line is a name, a space and a type: the first space that stands in no brackets and quotes parts them."""
    depth, quote = 0, ""
    for position, sign in enumerate(line):
        if quote:
            quote = "" if sign == quote else quote
        elif sign == "'":
            quote = sign
        elif sign in "([":
            depth += 1
        elif sign in ")]":
            depth -= 1
        elif sign == " " and not depth:
            return line[:position]
    return line
