"""Which column of a table of one's own is which field of a usage: by the column's name, and by a mapping file where names are not enough.

source = "billing"                       # in the keys, in place of the database and the table
[columns]
input_tokens = "prompt_toks"             # field = column; "" for none
key = ["tenant", "request_no"]           # what makes a row one, in place of the primary key
metadata = ["team", "request_no"]        # columns to keep as metadata; one JSON column is taken as it is
[values.operation]
RAG = "query"                            # the table's word = the ledger's
[constants]
provider = "openai"                      # a field's value where the table has no column
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tokentrail.compat.own_names import FIELDS, unit_of
from tokentrail.toml_files import FileError, document, known, read

__all__ = ["Mapped", "MappingFile", "mapped", "read_mapping"]

MORE: Final = ("cache_write_1h_tokens", "audio_input_tokens", "audio_output_tokens", "image_input_tokens", "image_output_tokens", "response_model")
OTHERS: Final = ("calls", "source", "ended", "error_type", "trace_id", "span_id", "stream", "service")
NAMES: Final = (*FIELDS, *MORE, *OTHERS)
KEY: Final = "key"
WORDS: Final = ("operation", "token_type", "provider", "model", "tenant_id", "source", "ended")


@dataclass(frozen=True, slots=True)
class MappingFile:
    """What a mapping file says."""

    source: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    key: Sequence[str] = ()
    metadata: Sequence[str] | None = None
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mapped:
    """The columns of one table: `columns` by field, `key` the columns that make a row one, `metadata` those that are kept, `unit` of a duration."""

    columns: Mapping[str, str]
    key: Sequence[str]
    metadata: Sequence[str]
    values: Mapping[str, Mapping[str, str]]
    constants: Mapping[str, str]
    unit: float = 1.0

    def names(self) -> list[str]:
        """Returns all columns, each once."""
        return list(dict.fromkeys([*self.columns.values(), *self.key, *self.metadata]))


def read_mapping(path: Path) -> MappingFile:
    """Reads a mapping file. Raises `FileError`, one sentence, for what does not fit."""
    return read(path, _parse)


def _parse(written: str) -> MappingFile:
    found = document(written)
    known("the file", found, ("source", "columns", "values", "constants"))
    columns = _table(found, "columns")
    known("[columns]", columns, (*NAMES, KEY))
    listed: dict[str, Any] = {name: columns.pop(name) for name in (KEY, "metadata") if name in columns}
    for name, column in columns.items():
        if not isinstance(column, str):
            raise FileError(f"[columns]: {name} is {column!r}: write the name of a column")
    values = _table(found, "values")
    known("[values]", values, WORDS)
    for name, words in values.items():
        if not isinstance(words, dict) or not all(isinstance(word, str) for word in words.values()):
            raise FileError(f"[values.{name}]: write the table's word = the ledger's, both as texts")
    constants = _table(found, "constants")
    known("[constants]", constants, NAMES)
    source = found.get("source", "")
    if not isinstance(source, str) or not all(isinstance(value, str) for value in constants.values()):
        raise FileError("source and [constants] are texts")
    return MappingFile(
        source=source,
        columns=columns,
        key=_names(listed, KEY) or (),
        metadata=_names(listed, "metadata"),
        values=values,
        constants=constants,
    )


def _table(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    table = found.get(name, {})
    if not isinstance(table, dict):
        raise FileError(f"{name} is a table: write [{name}]")
    return dict(table)


def _names(listed: Mapping[str, Any], name: str) -> list[str] | None:
    if name not in listed:
        return None
    given = [listed[name]] if isinstance(listed[name], str) else listed[name]
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise FileError(f"[columns]: {name} is {listed[name]!r}: write the name of a column, or a list of names")
    return [each for each in given if each]


def mapped(table: str, there: Iterable[str], primary_key: Sequence[str], file: MappingFile) -> Mapped:
    """Finds the columns of a table. Raises `FileError` for a column that is not there, and for a table without keys, times or counts."""
    names = list(there)
    lower = {name.lower(): name for name in reversed(names)}
    columns: dict[str, str] = {}
    for name in NAMES:
        if name in file.columns:
            if file.columns[name]:
                columns[name] = _existing(table, file.columns[name], names)
            continue
        found = next((lower[word] for word in FIELDS.get(name, (name,)) if word in lower), None)
        if found is not None and name not in file.constants:
            columns[name] = found
    own = columns.pop("metadata", "")
    kept = [_existing(table, each, names) for each in file.metadata] if file.metadata is not None else [own] * bool(own)
    key = [_existing(table, each, names) for each in file.key] or list(primary_key)
    if not key and "idempotency_key" not in columns:
        raise FileError(f"{table} has no primary key: say what makes a row one, with --key or [columns] key")
    if "timestamp" not in columns:
        raise FileError(f"{table} has no column that is known as a time: write [columns] timestamp = … in a mapping file. It has {', '.join(names)}")
    if not {"input_tokens", "output_tokens", "total_tokens"} & columns.keys():
        raise FileError(
            f"{table} has no column that is known as a count: write [columns] input_tokens = … in a mapping file. It has {', '.join(names)}"
        )
    return Mapped(columns, key, kept, file.values, file.constants, unit_of(columns.get("duration", "")))


def _existing(table: str, column: str, names: Sequence[str]) -> str:
    if column not in names:
        raise FileError(f"{table} has no column {column!r}: it has {', '.join(names)}")
    return column
