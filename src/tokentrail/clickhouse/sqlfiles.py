"""The project's `.sql` files: reading, filling in, and splitting them into statements.

What stands in double braces is filled in here and nowhere else:

- `{{SEQ}}` an attribute's name from `tokentrail.semconv` as a literal, `{{SEQ.name}}` the same without quotes;
- `{{Operation.type}}`, `.words`, `.numbers` a vocabulary's Enum8 and the two lists that map a text to it;
- `{{on_cluster}}`, `{{replicated}}`, `{{local}}` what a cluster needs, empty on a single server;
- `{{queries.writers_heard}}` in a query: another file of `queries/`, in its place;
- `-- distributed: TABLE by EXPRESSION` on a cluster adds the Distributed table over `TABLE_local` at the file's end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

from tokentrail import semconv, vocabulary

__all__ = ["Target", "names", "query", "read", "render", "statements"]

_PLACEHOLDER = re.compile(r"\{\{(\w+)(?:\.(\w+))?\}\}")
_QUERY = re.compile(r"\{\{queries\.(\w+)\}\}")
_DISTRIBUTED = re.compile(r"^-- distributed: (\w+)(?: by (.+))?$", re.MULTILINE)
_PIECE = re.compile(r"'(?:[^'\\]|\\.|'')*'|--[^\n]*|;|[^'\-;]+|-", re.DOTALL)
_CLUSTER_NAME = re.compile(r"[\w.{}-]+").fullmatch


@dataclass(frozen=True, slots=True)
class Target:
    """What a migration is rendered for: a database, and the name of a cluster or none."""

    database: str
    cluster: str = ""

    def __post_init__(self) -> None:
        if self.cluster and not _CLUSTER_NAME(self.cluster):
            raise ValueError(f"{self.cluster!r} is no name of a cluster")


def names(folder: str) -> list[str]:
    """The names of a folder's files without `.sql`, sorted."""
    found = (entry.name for entry in resources.files(__package__).joinpath(folder).iterdir())
    return sorted(name.removesuffix(".sql") for name in found if name.endswith(".sql"))


@cache
def read(folder: str, name: str) -> str:
    """A file's text as it stands in the package."""
    return resources.files(__package__).joinpath(folder).joinpath(f"{name}.sql").read_text(encoding="utf-8")


@cache
def query(name: str) -> str:
    """A file of `queries/` as one statement, without its comments."""
    (statement,) = statements(read("queries", name))
    return _QUERY.sub(lambda match: query(match[1]), statement)


def render(text: str, target: Target) -> str:
    """Fill in a migration's or definition's text. Raises `ValueError` for what it does not know."""

    def fill(match: re.Match[str]) -> str:
        name, part = match.groups()
        if name.isupper():
            value = str(getattr(semconv, name))
            return value if part == "name" else f"'{value}'"
        if name in vocabulary.__all__:
            return _words(getattr(vocabulary, name), part)
        return _setting(name, target)

    filled = _PLACEHOLDER.sub(fill, text)
    return filled + _distributed_tables(filled, target) if target.cluster else filled


def statements(text: str) -> list[str]:
    """A file's statements without comments; semicolons and dashes inside literals are left alone."""
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
    raise ValueError(f"{kind.__name__}.{part} is not known in SQL files")


def _setting(name: str, target: Target) -> str:
    single, clustered = {
        "on_cluster": ("", f" ON CLUSTER '{target.cluster}'"),
        "replicated": ("", "Replicated"),
        "local": ("", "_local"),
        # The key alone makes a record count once. Dropping a whole block because it came before would keep a repeat from healing what a failed view
        # or a deleted row has left out: on servers before 25.x a block that landing knows reaches no view at all.
        "no_block_deduplication": ("non_replicated_deduplication_window = 0", "replicated_deduplication_window = 0"),
        # one group of replicas over all shards: what was applied is the same everywhere
        "applied_engine": (
            "MergeTree",
            f"ReplicatedMergeTree('/clickhouse/tokentrail/{target.database}/migrations', '{{shard}}-{{replica}}')",
        ),
    }.get(name, (None, None))
    value = clustered if target.cluster else single
    if value is None:
        raise ValueError(f"{{{{{name}}}}} is not known in SQL files")
    return value


def _distributed_tables(filled: str, target: Target) -> str:
    return "".join(
        f"\nCREATE TABLE IF NOT EXISTS {table} ON CLUSTER '{target.cluster}' AS {table}_local\n"
        f"ENGINE = Distributed('{target.cluster}', '{target.database}', '{table}_local'{', ' + by if by else ''});\n"
        for table, by in _DISTRIBUTED.findall(filled)
    )
