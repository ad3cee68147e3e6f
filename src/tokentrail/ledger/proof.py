"""The proof that a tenant is gone: every column of every table that can hold text is searched, and what states the tenant is told from mere mentions.

A tenant *stands* in a row that states it (`ledger.places`): after an erasure there is none. A *mention* is the same text as a word of its own
anywhere else: in metadata, a log's message, a claimed key, or by chance, as with a tenant that is called like a model. A person has to judge these.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.literals import identifier
from tokentrail.ledger.places import Table, places, tables
from tokentrail.ledger.query import answer
from tokentrail.ledger.removal import Removal, hashes, rows_of

__all__ = ["Proof", "prove"]

_TEXT: Final = ("String", "JSON", "Object", "Dynamic", "Variant")
"""Words in the types that can hold text."""
_BEFORE: Final = r"(?:^|\\[ntrbf]|[^\pL\pN_.-])"
_AFTER: Final = r"(?:$|[^\pL\pN_.-])"


@dataclass(frozen=True, slots=True)
class Proof:
    """What a search for a tenant has found."""

    tables: int
    columns: int
    """How many columns were searched."""
    standing: Mapping[str, int]
    """By table: the rows that state the tenant, from before the moment of the erasure."""
    mentions: Mapping[str, Mapping[str, int]]
    """By table and column: the rows in which the same text stands otherwise."""

    @property
    def gone(self) -> bool:
        """Whether no row states the tenant."""
        return not self.standing


def prove(client: Client, tenant: str, until: str) -> Proof:
    """Searches all tables for a tenant's rows from before a moment. Reads every text that is stored: takes its time in a large database."""
    found = tables(client)
    removal = Removal(hashes(client, [tenant]), until)
    standing = {place.table.name: rows for place in places(found) if (rows := rows_of(client, place, removal))}
    searched = [(table, [name for name, kind in table.columns.items() if any(word in kind for word in _TEXT)]) for table in found]
    forms = _forms(tenant)
    asked = {"forms": forms, "pattern": _BEFORE + "(?:" + "|".join(map(re.escape, forms)) + ")" + _AFTER}
    mentions = {}
    for table, names in searched:
        if not names:
            continue
        ((rows,),) = answer(client, "removal_mentions", asked, {"table": table.name, "texts": _texts(table, names)}).rows
        if there := {name: int(number) for name, number in zip(names, rows or (), strict=False) if number}:
            mentions[table.name] = there
    return Proof(len(found), sum(len(names) for _, names in searched), standing, mentions)


def _texts(table: Table, names: list[str]) -> str:
    def text(name: str) -> str:
        column = identifier(name)
        return f"ifNull(CAST({column}, 'Nullable(String)'), '')" if "Nullable" in table.columns[name] else f"CAST({column}, 'String')"

    return "[" + ", ".join(map(text, names)) + "]"


def _forms(tenant: str) -> list[str]:
    """Returns a text as it may be written: as it is, in JSON, in JSON within JSON, in a map or list, in an address."""
    in_json = {json.dumps(tenant)[1:-1], json.dumps(tenant, ensure_ascii=False)[1:-1]}
    twice = {json.dumps(form)[1:-1] for form in in_json}
    in_lists = {form.replace("\\", "\\\\").replace("'", "\\'") for form in (tenant, *in_json)}
    return sorted({tenant, *in_json, *twice, *in_lists, quote(tenant, safe="")})
