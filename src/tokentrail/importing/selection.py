"""What is taken of all records, and what is said of those that do not say it themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone, tzinfo
from fnmatch import fnmatchcase
from typing import Any, Final

from tokentrail.compat.own_names import provider_name
from tokentrail.idempotency import nanoseconds
from tokentrail.importing.record import NotTaken, Record
from tokentrail.vocabulary import parse_operation

__all__ = ["Selection", "taken"]

_FORMAT: Final = "%Y-%m-%d %H:%M:%S.%f"
UNNAMED: Final = "without a provider: --provider says who answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The options of an import that concern each record. `since` and `until` are UTC, in ClickHouse's notation; `until` is excluded."""

    since: str | None = None
    until: str | None = None
    zone: tzinfo = timezone.utc
    zone_name: str = "UTC"
    tenant: str = ""
    operation: str = ""
    service: str = ""
    providers: Sequence[tuple[str, str]] = ()

    @classmethod
    def of(cls, *, operation: str, providers: Sequence[str], **others: Any) -> Selection:
        """Makes a selection of options. Raises `ValueError` for a word that is no operation, and for a provider without a name."""
        pairs = []
        for given in providers:
            pattern, separator, name = given.rpartition("=")
            if separator and not pattern.strip():
                raise ValueError(f"--provider {given!r} has no pattern before its =: write NAME, or PATTERN=NAME")
            if not name.strip():
                raise ValueError(f"--provider {given!r} names nobody: write NAME, or PATTERN=NAME")
            pairs.append((pattern.strip().lower() or "*", provider_name(name)))
        return cls(operation=parse_operation(operation).value if operation else "", providers=pairs, **others)

    def chosen(self, rows: Iterable[Record | NotTaken]) -> Iterator[Record | NotTaken]:
        """Yields the rows: records outside the range of time are not taken, others get what they do not say."""
        first, last = (_ns(text) if text else None for text in (self.since, self.until))
        for row in rows:
            if isinstance(row, NotTaken):
                yield row
            elif (first is not None and row.ts < first) or (last is not None and row.ts >= last):
                yield NotTaken("outside --from and --to")
            else:
                yield self._completed(row)

    def _completed(self, record: Record) -> Record:
        changes: dict[str, Any] = {}
        if self.operation:
            changes["operation"] = self.operation
        if not record.tenant_id and self.tenant:
            changes["tenant_id"] = self.tenant
        provider = record.provider or self._provider(record.response_model or record.request_model)
        if provider != record.provider:
            changes["provider"] = provider
        if not provider:
            changes["notes"] = [*record.notes, UNNAMED]
        return replace(record, **changes) if changes else record

    def _provider(self, model: str) -> str:
        return next((name for pattern, name in self.providers if fnmatchcase(model.lower(), pattern)), "")


def _ns(text: str) -> int:
    return nanoseconds(max(datetime.strptime(text, _FORMAT).replace(tzinfo=timezone.utc), datetime(2020, 1, 1, tzinfo=timezone.utc)))


def taken(make: Callable[[Any], Record], rows: Iterable[Any]) -> Iterator[Record | NotTaken]:
    """Yields a record of each row, or the reason why there is none."""
    for row in rows:
        try:
            yield make(row)
        except NotTaken as reason:
            yield reason
