"""Writes the lines that spell every count, from `tokentrail.counts`: `python scripts/counts_code.py` (a test fails when one of them is stale).

Such lines stand between two comments, `# every count (KIND), …` and `# every count, end`. They are written out because a loop would cost calls on the
application's path, and because type checkers and editors read them. A count without a column gets a migration that adds it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from tokentrail.counts import COUNTS, Count

SOURCE = Path(__file__).parent.parent / "src" / "tokentrail"
MIGRATIONS = SOURCE / "clickhouse" / "migrations"


def _span_attributes(counts: Sequence[Count]) -> Iterator[str]:
    for count in counts:
        if count.kind != "processed":
            yield f"if usage.{count.name}{'' if count.kind == 'subset' else ' is not None'}:"
            yield f"    attributes[semconv.{count.name.upper()}] = usage.{count.name}"


def _checks(counts: Sequence[Count]) -> Iterator[str]:
    for place, count in enumerate(counts):
        yield f"{'and ' if place else ''}type(answer.{count.name}) in WHOLE"


def _bits(counts: Sequence[Count]) -> Iterator[str]:
    for place, count in enumerate(counts):
        yield f"{'| ' if place else ''}(answer.{count.name} or 0)"


KINDS: dict[str, Callable[[Sequence[Count]], Iterable[str]]] = {
    "attributes": lambda counts: [f'{count.name.upper()}: Final = "{count.attribute}"' for count in counts],
    "fields": lambda counts: [f"{count.name}: int | None = None" for count in counts],
    "numbers": lambda counts: [f"{count.name}: Number | None = None" for count in counts],
    "taken": lambda counts: [f"{count.name}=answer.{count.name}," for count in counts],
    "checks": _checks,
    "bits": _bits,
    "span": _span_attributes,
}
_REGION = re.compile(
    r"""
    ^(?P<begin>(?P<indent>[ ]*)\#[ ]every[ ]count[ ]\((?P<kind>\w+)\)[^\n]*\n)
    (?P<lines>.*?)
    ^(?P<end>[ ]*\#[ ]every[ ]count,[ ]end)$
    """,
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)


def written(text: str, counts: Sequence[Count] = COUNTS) -> str:
    """A file's text with the lines of its regions as the counts want them."""

    def region(match: re.Match[str]) -> str:
        lines = "".join(f"{match['indent']}{line}\n" for line in KINDS[match["kind"]](counts))
        return f"{match['begin']}{lines}{match['end']}"

    return _REGION.sub(region, text)


def stale(counts: Sequence[Count] = COUNTS) -> dict[Path, str]:
    """The files whose lines are not as the counts want them, and the texts that they should have; the migration that is missing among them."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text("utf-8")
        if (wanted := written(text, counts)) != text:
            found[path] = wanted
    columns = "\n".join(path.read_text("utf-8") for path in MIGRATIONS.glob("*.sql"))
    missing = [count for count in counts if not re.search(rf"\b{count.name}\b", columns)]
    if missing:
        number = max(int(path.name[:4]) for path in MIGRATIONS.glob("[0-9]*.sql")) + 1
        found[MIGRATIONS / f"{number:04d}_{'_and_'.join(count.name for count in missing)}.sql"] = _migration(missing)
    return found


def _migration(counts: Sequence[Count]) -> str:
    """New columns: of what is read from a record, and of the ledger. Views follow by their definitions."""
    lines = ["-- Counts that usages state since this version."]
    for count in counts:
        comment = count.comment.replace("'", "''")
        lines += [
            "",
            f"ALTER TABLE usage_parsed{{{{on_cluster}}}} ADD COLUMN IF NOT EXISTS {count.name} Nullable(Int64);",
            f"ALTER TABLE usage_ledger{{{{local}}}}{{{{on_cluster}}}} ADD COLUMN IF NOT EXISTS {count.name} Nullable(Int64)",
            f"    COMMENT '{comment}' CODEC(T64, ZSTD(1));",
            f"ALTER TABLE usage_days{{{{on_cluster}}}} ADD COLUMN IF NOT EXISTS {count.name} Nullable(Int64)",
            f"    COMMENT '{comment}' CODEC(T64, ZSTD(1));",
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for path, text in stale().items():
        path.write_text(text, "utf-8")
        print(path.relative_to(SOURCE))
