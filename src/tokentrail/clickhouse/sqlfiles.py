"""Reads and renders the project's `.sql` files, and splits them into statements.

Only this module replaces placeholders in double braces:

- `{{SEQ}}` an attribute's name from `tokentrail.semconv` as a literal, `{{SEQ.name}}` the same without quotes;
- `{{Operation.type}}`, `.words`, `.numbers` a vocabulary's Enum8 and the two lists that map a text to its number; `{{Origin.BRIDGED}}` one word as
  a literal;
- `{{bridge.no_calls}}` literals of `tokentrail.bridge.names`, listed in `lists.bridge_literals`;
- `{{each counts: $name,}}` the text once for every item of a list of `tokentrail.clickhouse.lists`: each on its own line if the placeholder has its
  own line, else side by side;
- `{{part NAME}}` on its own line: the text of `parts/NAME.sql`, which several files have in common;
- `{{on_cluster}}`, `{{replicated}}`, `{{local}}` clauses for a cluster, empty on a single server; `{{everywhere.NAME}}` the engine of a small table
  that has the same rows on every node;
- `{{digest.days}}` the number of what the sums by day are made by, see `digest`;
- `-- distributed: TABLE by EXPRESSION` on a cluster adds the Distributed table over `TABLE_local` at the file's end; a column added to `TABLE_local`,
  or a column comment changed there, is added or changed in the Distributed table too.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from string import Template

from tokentrail import semconv, vocabulary
from tokentrail.clickhouse import lists

__all__ = ["Target", "digest", "names", "read", "render", "repeat", "statements"]

_PART = re.compile(r"^\{\{part (\w+)\}\}\n", re.MULTILINE)
_PLACEHOLDER = re.compile(r"\{\{(\w+)(?:\.(\w+))?\}\}")
_EACH_LINE = re.compile(r"^( *)\{\{each (\w+): ((?:(?!\}\}).)*)\}\}\n", re.MULTILINE)
_EACH = re.compile(r"\{\{each (\w+): (.*?)\}\}")
_COLUMN = re.compile(r"ALTER TABLE (\w+)_local (ON CLUSTER '[^']*'\s+(?:ADD|COMMENT) COLUMN .+)", re.DOTALL)
_DISTRIBUTED = re.compile(r"^-- distributed: (\w+)(?: by (.+))?$", re.MULTILINE)
_PIECE = re.compile(r"'(?:[^'\\]|\\.|'')*'|--[^\n]*|;|[^'\-;]+|-", re.DOTALL)
_DIGESTED = {"days": ("usage", "usage_cost", "usage_day_sums")}
_CLUSTER_NAME = re.compile(r"[\w.{}-]+").fullmatch


@dataclass(frozen=True, slots=True)
class Target:
    """The target of a rendered file: a database, and the name of a cluster or none."""

    database: str
    cluster: str = ""

    def __post_init__(self) -> None:
        if self.cluster and not _CLUSTER_NAME(self.cluster):
            raise ValueError(f"{self.cluster!r} is no name of a cluster")

    @property
    def on_cluster(self) -> str:
        """The clause that runs a statement on every node; empty on a single server."""
        return f" ON CLUSTER '{self.cluster}'" if self.cluster else ""


def names(folder: str) -> list[str]:
    """Returns the names of a folder's files without `.sql`, sorted."""
    found = (entry.name for entry in resources.files(__package__).joinpath(folder).iterdir())
    return sorted(name.removesuffix(".sql") for name in found if name.endswith(".sql"))


@cache
def read(folder: str, name: str) -> str:
    """Returns a file's text, not rendered."""
    return resources.files(__package__).joinpath(folder).joinpath(f"{name}.sql").read_text(encoding="utf-8")


def render(text: str, target: Target) -> str:
    """Renders a migration's or definition's text. Raises `ValueError` for an unknown placeholder."""

    def fill(match: re.Match[str]) -> str:
        name, part = match.groups()
        if name.isupper():
            value = str(getattr(semconv, name))
            return value if part == "name" else f"'{value}'"
        if name in vocabulary.__all__:
            return _words(getattr(vocabulary, name), part)
        if name == "bridge" and part in literals:
            return literals[part]
        if name == "everywhere" and part is not None:
            return _everywhere(part, target)
        if name == "digest" and part in _DIGESTED:
            return str(digest(part))
        return _setting(name, target)

    literals = lists.bridge_literals()
    whole = _PART.sub(lambda match: read("parts", match[1]), text)
    filled = _PLACEHOLDER.sub(fill, repeat(whole))
    return filled + _distributed_tables(filled, target) if target.cluster else filled


def digest(name: str) -> int:
    """Returns a number that changes with the definitions by which something stored is made. Known: `days`, the sums by day."""
    texts = [render(read("definitions", each), Target("")) for each in _DIGESTED[name]]
    return int.from_bytes(hashlib.sha256("".join(texts).encode()).digest()[:8], "big")


def repeat(text: str) -> str:
    """Replaces each `{{each LIST: …}}` by its text for every item of the list.

    Raises `ValueError` for an unknown list, `KeyError` for an unknown part of an item.
    """
    known = lists.lists()

    def filled(name: str, template: str) -> list[str]:
        if name not in known:
            raise ValueError(f"{{{{each {name}}}}} is not known in SQL files: the lists are {', '.join(known)}")
        return [Template(template).substitute(item) for item in known[name]]

    text = _EACH_LINE.sub(lambda match: "".join(f"{match[1]}{line}\n" for line in filled(match[2], match[3])), text)
    return _EACH.sub(lambda match: "".join(filled(match[1], match[2])), text)


def statements(text: str) -> list[str]:
    """Splits a file into statements without comments; semicolons and dashes inside literals are kept."""
    parts = [""]
    for piece in _PIECE.findall(text):
        if piece == ";":
            parts.append("")
        elif not piece.startswith("--"):
            parts[-1] += piece
    return [part.strip() for part in parts if part.strip()]


def _words(kind: type[vocabulary.Word], part: str | None) -> str:
    if part == "type":
        return vocabulary.clickhouse_enum(kind)
    if part == "words":
        return "[" + ", ".join(f"'{word.value}'" for word in kind) + "]"
    if part == "numbers":
        return "[" + ", ".join(str(word.number) for word in kind) + "]"
    if part is not None and part in kind.__members__:
        return f"'{kind[part].value}'"
    raise ValueError(f"{kind.__name__}.{part} is not known in SQL files")


def _setting(name: str, target: Target) -> str:
    single, clustered = {
        "on_cluster": (target.on_cluster, target.on_cluster),
        "replicated": ("", "Replicated"),
        "local": ("", "_local"),
        # The key alone makes a record count once. Deduplication of whole blocks would keep a repeated block from restoring rows that a failed view or
        # a deletion has left out: on servers before 25.x a block that the landing table has seen reaches no view at all.
        "no_block_deduplication": ("non_replicated_deduplication_window = 0", "replicated_deduplication_window = 0"),
    }.get(name, (None, None))
    value = clustered if target.cluster else single
    if value is None:
        raise ValueError(f"{{{{{name}}}}} is not known in SQL files")
    return value


def _everywhere(table: str, target: Target) -> str:
    """Returns the engine of a table that has the same rows on every node: on a cluster one group of replicas over all shards."""
    replicated = f"ReplicatedMergeTree('/clickhouse/tokentrail/{target.database}/{table}', '{{shard}}-{{replica}}')"
    return replicated if target.cluster else "MergeTree"


def _distributed_tables(filled: str, target: Target) -> str:
    made = "".join(
        f"\nCREATE TABLE IF NOT EXISTS {table} ON CLUSTER '{target.cluster}' AS {table}_local\n"
        f"ENGINE = Distributed('{target.cluster}', '{target.database}', '{table}_local'{', ' + by if by else ''});\n"
        for table, by in _DISTRIBUTED.findall(filled)
    )
    changed = filter(None, map(_COLUMN.fullmatch, statements(filled)))
    return made + "".join(f"\nALTER TABLE {match[1]} {match[2]};\n" for match in changed)
