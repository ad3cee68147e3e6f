"""The named lists for repeated lines in `.sql` files: `{{each counts: $name,}}` is one line for every count.

An item is a mapping: `$name` the column, and the field of the record's JSON; `$comment` the column's comment, `$literal` the same as the inside of an
SQL literal.

The counts are those of `tokentrail.counts`: a new count needs a migration that adds its column (`make docs` writes the migration), and no other SQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from tokentrail.bridge import names
from tokentrail.counts import COUNTS, Count
from tokentrail.rates import RATES

__all__ = ["DIMENSIONS", "FILTERS", "Item", "bridge_literals", "lists", "metadata_value"]

Item = Mapping[str, str]


_SIZES: Final = (
    Count("input_chars", "", "Characters sent"),
    Count("output_chars", "", "Characters received"),
    Count("texts", "", "Number of texts sent"),
)
_FIRST: Final = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
    "image_input_tokens",
    "image_output_tokens",
)
"""The counts in the hash that distinguishes two sets of numbers of a claimed key, in the hash's order. Stored hashes never change, so this list must
not change."""
_WITHOUT_CONFLICT: Final = ("consumed_input_tokens", "consumed_output_tokens")
"""Counts that may differ between two sets of numbers without a conflict."""
_MAIN: Final = _FIRST[:5]
"""The counts that `key_conflicts` and `report` show."""

_CHECKED_TEXTS: Final = (  # each is hashed by itself: ClickHouse does so once for each word of a column's dictionary
    "tenant_id",
    "operation_name",
    "token_type_name",
    "provider",
    "request_model",
    "response_model",
    "ended_name",
    "service_name",
    "environment",
)
_FIRST_CHECKED: Final = tuple(count.name for count in COUNTS[:12])
_CHECKED: Final = ("calls", *_FIRST_CHECKED, "input_source", "output_source", "key_ts")
"""What the check of a record is made of, after the hashes of its texts and before the key's hash. Stored checks never change, nor may these lists."""

DIMENSIONS: Final = (
    "provider",
    "model",
    "tenant_id",
    "operation",
    "token_type",
    "service_name",
    "environment",
    "endpoint",
    "model_family",
    "request_model",
    "source",
    "ended",
    "error_type",
    "stream",
    "origin",
    "operation_id",
    "server_address",
    "tokenizer",
    "service_version",
)
"""The columns of the view `usage` by which questions may be asked."""
FILTERS: Final = (
    *DIMENSIONS,
    "operation_name",
    "response_model",
    "input_source",
    "output_source",
    "instrumentation",
    "key_kind",
    "writer_id",
)
"""The columns whose values may choose the usages of a question or report."""
BY_DAY: Final = (
    *(name for name in DIMENSIONS if name != "operation_id"),
    "operation_name",
    "gen_ai_operation",
    "response_model",
    "input_source",
    "output_source",
    "key_kind",
    "instrumentation",
    "attempts",
)
"""The columns of the view `usage` that the sums by day (`usage_daily`) have too."""
_AS_WORDS: Final = {"operation": "operation_name", "token_type": "token_type_name", "ended": "ended_name", "origin": "origin_name"}
_SUMMED_BY: Final = (
    *dict.fromkeys(_AS_WORDS.get(name, name) for name in BY_DAY if name != "source"),  # the weaker of input_source and output_source
    "currency",
    "cost_state",
    "price_source",
    "price_model",
)
"""The columns of the table `usage_days` by which usages are summed. Words of the vocabulary are stored as words, of which there may be new ones."""


def lists(counts: Sequence[Count] | None = None) -> dict[str, list[Item]]:
    """Returns every list by its name, built from `COUNTS` or other counts."""
    counts = COUNTS if counts is None else counts
    by_name = {count.name: count for count in counts}
    return {
        "counts": _items(counts),
        "sizes": _items(_SIZES),
        "first_counts": _items(by_name[name] for name in _FIRST),
        "later_counts": _items(count for count in counts if count.name not in (*_FIRST, *_WITHOUT_CONFLICT)),
        "main_counts": _items(by_name[name] for name in _MAIN),
        "checked_texts": [{"name": name} for name in _CHECKED_TEXTS],
        "checked": [{"name": name} for name in _CHECKED],
        "later_checked": _items(count for count in counts if count.name not in _FIRST_CHECKED),
        "rates": _items(RATES),
        "dimensions": [{"name": name} for name in DIMENSIONS],
        "filters": [{"name": name} for name in FILTERS],
        "metadata": [{"value": metadata_value("substring(each, 10)")}],
        "by_day": [{"name": name} for name in BY_DAY],
        "summed_by": [{"name": name} for name in _SUMMED_BY],
        "bridged": [_attributes(field, stated) for field, stated in {**names.FIELDS, **names.COUNTS}.items()],
        "bridge_totals": [_attributes(field, names.COUNTS[field]) for field in ("input_tokens", "output_tokens")],
        "bridged_counts": _items(by_name[name] for name in names.COUNTS),
        "bridge_kinds": [
            {"name": f"other_kind_{place}", "literal": _literal(name), "calls": _literals(names.CALLS)} for place, name in enumerate(names.KIND_NAMES)
        ],
    }


def metadata_value(key: str) -> str:
    """Returns the SQL of the value that the column `metadata` has under a key, an SQL expression: a text as it is, other values as JSON."""
    of = f"(metadata, {key})"
    return f"multiIf(JSONType{of} = 'String', JSONExtractString{of}, JSONType{of} = 'Null', '', JSONExtractRaw{of})"


def bridge_literals() -> Mapping[str, str]:
    """Returns the literals `{{bridge.no_calls}}`, … of the views that take spans and events of other instrumentations."""
    return {
        "no_calls": _literals(names.NO_CALLS),
        "server_side": _literals(names.SERVER_SIDE),
        "embeddings": _literal(names.EMBEDDINGS),
        "operations": f"[{_literals(names.OPERATIONS)}]",
        "operation_names": f"[{_literals(names.OPERATIONS.values())}]",
        "providers": f"[{_literals(names.PROVIDERS)}]",
        "provider_names": f"[{_literals(names.PROVIDERS.values())}]",
    }


def _attributes(field: str, stated: Iterable[str]) -> Item:
    """Returns a field and its attributes as elements of the map `given`: `$said`; and the texts that state nothing: `$unstated`."""
    said = ", ".join(f"given[{_literal(name)}]" for name in stated)
    return {"name": field, "said": said, "unstated": _literals(names.UNSTATED)}


def _literals(texts: Iterable[str]) -> str:
    return ", ".join(map(_literal, texts))


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _items(counts: Iterable[Count]) -> list[Item]:
    return [
        {
            "name": count.name,
            "comment": count.comment,
            "literal": count.comment.replace("'", "''"),
        }
        for count in counts
    ]
