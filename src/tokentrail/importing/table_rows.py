"""A row of a table of one's own as a record, by the mapping of its columns. Every value is a text, as the database writes it, or None."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, Final

from tokentrail.compat.own_names import provider_name
from tokentrail.compat.own_values import completed
from tokentrail.counts import COUNTS
from tokentrail.idempotency import claimed_key, escape
from tokentrail.importing.mapping import Mapped
from tokentrail.importing.record import NotTaken, Record
from tokentrail.importing.selection import Selection, taken
from tokentrail.importing.values import nested, seconds, text, time_ns, whole
from tokentrail.vocabulary import parse_ended, parse_operation, parse_source, parse_token_type

if TYPE_CHECKING:
    from tokentrail.importing.postgres import Table

__all__ = ["record_of", "rows_of"]

HEX: Final = {"trace_id": 32, "span_id": 16}
_PARSERS: Final[Mapping[str, Any]] = {"operation": parse_operation, "token_type": parse_token_type, "source": parse_source, "ended": parse_ended}
_USUAL: Final = {"token_type": "llm", "source": "reported", "ended": "complete"}
_COUNTS: Final = tuple(count.name for count in COUNTS)
UNLISTED: Final = "an operation that the vocabulary lacks, kept as it is"
TOTAL_ALONE: Final = "a total alone, of which no half is known: kept as metadata total_tokens"


def rows_of(table: Table, mapped: Mapped, source: str, selection: Selection) -> Iterator[Record | NotTaken]:
    """Yields the records of a table, and the reasons of rows that are none."""
    rows = table.rows(mapped.names(), mapped.columns["timestamp"], selection.zone_name, selection.since, selection.until)
    return taken(lambda row: record_of(row, mapped, source, selection.zone), rows)


def record_of(row: Mapping[str, str | None], mapped: Mapped, source: str, zone: tzinfo) -> Record:
    """Makes a record of a row. `source` names database and table in the key. Raises `NotTaken` for a row that is malformed."""
    return _Row(row, mapped).record(source, zone)


class _Row:
    def __init__(self, row: Mapping[str, str | None], mapped: Mapped) -> None:
        self._row = row
        self._mapped = mapped
        self._notes: list[str] = []

    def record(self, source: str, zone: tzinfo) -> Record:
        token_type = self.word("token_type")
        metadata = self.metadata()
        counts = self.counts(token_type, metadata)
        return Record(
            key=claimed_key(self.text("idempotency_key") or self.key(source)),
            ts=time_ns(self.value("timestamp"), zone),
            counts=counts,
            tenant_id=self.text("tenant_id"),
            operation=self.word("operation") or ("vector_search" if token_type == "embedding" else "chat"),  # noqa: S105 - a kind of token
            token_type=token_type,
            provider=provider_name(self.text("provider")),
            request_model=self.text("model"),
            response_model=self.text("response_model"),
            source=self.word("source"),
            ended=self.word("ended"),
            stream=self.text("stream").lower() in ("t", "true", "1"),
            duration_ns=seconds(self.value("duration"), self._mapped.unit),
            trace_id=self.hex("trace_id"),
            span_id=self.hex("span_id"),
            metadata=metadata,
            notes=self._notes,
            calls=self.calls(),
            operation_id=self.text("operation_id"),
            response_id=self.text("response_id"),
            endpoint=self.text("endpoint"),
            error_type=self.text("error_type"),
            service=self.text("service"),
        )

    def value(self, name: str) -> str | None:
        column = self._mapped.columns.get(name)
        return self._row[column] if column is not None else self._mapped.constants.get(name)

    def text(self, name: str) -> str:
        given = text(self.value(name))
        return self._mapped.values.get(name, {}).get(given, given)

    def word(self, name: str) -> str:
        """Returns a word of the vocabulary, in whatever case the table has it. An operation that is none is kept; other words are malformed then."""
        given = self.text(name)
        for form in (given, given.lower()):
            try:
                return str(_PARSERS[name](form).value) if given else _USUAL.get(name, "")
            except ValueError:
                continue
        if name != "operation":
            raise NotTaken(f"{name} is no word of the vocabulary (say which with [values.{name}] in a mapping file)", fault=True)
        self._notes.append(UNLISTED)
        return given

    def key(self, source: str) -> str:
        parts = [self._row[column] for column in self._mapped.key]
        if not parts or None in parts:
            raise NotTaken("the row has no key", fault=True)
        return f"postgres:{escape(source)}:{':'.join(escape(str(part)) for part in parts)}"

    def calls(self) -> int:
        """Returns the number of calls that the row sums up; 1 where the table does not say."""
        stated = whole(self.value("calls"), "calls")
        return 1 if stated is None else stated

    def hex(self, name: str) -> int:
        given = self.text(name).replace("-", "").lower()
        try:
            return int(given, 16) if 0 < len(given) <= HEX[name] else 0
        except ValueError:
            return 0

    def metadata(self) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for column in self._mapped.metadata:
            value = self._row[column]
            inner = nested(value)
            if inner and len(self._mapped.metadata) == 1:
                kept |= inner
            elif value is not None:
                kept[column] = inner or value
        return kept

    def counts(self, token_type: str, metadata: dict[str, Any]) -> dict[str, int | None]:
        counts = {name: whole(self.value(name), name) for name in _COUNTS if self.value(name) is not None}
        total = whole(self.value("total_tokens"), "total_tokens")
        if total is None:
            return counts
        halves = completed(counts.get("input_tokens"), counts.get("output_tokens"), total, token_type)
        if halves == (None, None):
            metadata["total_tokens"] = total
            self._notes.append(TOTAL_ALONE)
        return counts | dict(zip(("input_tokens", "output_tokens"), halves, strict=True))
