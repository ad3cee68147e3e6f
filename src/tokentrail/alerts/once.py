"""A question that is a part of several conditions' questions is asked once a check: the conditions then read its rows, and not the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from tokentrail.clickhouse.client import Client, Result
from tokentrail.clickhouse.literals import Parameter, text_literal
from tokentrail.ledger.query import Query, answer, read

__all__ = ["LONGEST", "Once"]

LONGEST: Final = 200_000
"""Letters of the rows in a statement; ClickHouse takes statements of 262,144. What is longer is asked of the ledger again."""


class Once:
    """The answers of such questions, for one check."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._answers: dict[tuple[str, str], Result] = {}

    def ask(self, query: Query, shared: str, parameters: Mapping[str, Parameter]) -> Result:
        """Asks a question of which the question `shared` is a part."""
        given = query.given(parameters)
        sql = query.filled()
        part = read(shared)
        own = {wanted.name: given[wanted.name] for wanted in part.parameters}
        key = (shared, repr(own))
        if key not in self._answers:
            self._answers[key] = answer(self.client, shared, own)
        rows = _rows(self._answers[key])
        return self.client.query(sql.replace(f"({part.filled()})", rows) if rows else sql, given)


def _rows(found: Result) -> str:
    """Returns rows as a subquery; nothing where there are none, or too many. No table function: those ask for a grant that readers need not have."""
    rows = ", ".join(f"({', '.join(map(_literal, row))})" for row in found.rows)
    if not rows or len(rows) > LONGEST:
        return ""
    kinds = text_literal(f"Array(Tuple({', '.join(found.types)}))")
    columns = ", ".join(f"each.{place} AS {name}" for place, name in enumerate(found.columns, 1))
    return f"(SELECT {columns} FROM (SELECT arrayJoin(CAST([{rows}], {kinds})) AS each))"


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_literal, value))}]"
    return text_literal(f"{value:f}" if isinstance(value, Decimal) else str(value))
