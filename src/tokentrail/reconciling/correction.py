"""Corrections: reversing entries, never an edit. A record of its own, with what the ledger lacks or has too much of, goes the way of all records.

The entry is written into the finding's history before it is sent, and its key follows from the finding: a process that is killed in between, and a
second run, send the same record, which counts once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timezone
from typing import Any, Final

import msgspec

from tokentrail.clickhouse.client import Client
from tokentrail.counts import COUNTS
from tokentrail.idempotency import claimed_key, idempotency_key, nanoseconds
from tokentrail.importing.known import known
from tokentrail.instrumentation.contract import Answer, Request
from tokentrail.ledger.dimensions import METADATA
from tokentrail.reconciling.cells import REQUESTS
from tokentrail.reconciling.counted import holds
from tokentrail.reconciling.finding import Finding
from tokentrail.reconciling.states import Known
from tokentrail.recording.assemble import assemble
from tokentrail.tracking.metadata import metadata_text
from tokentrail.usage import Usage
from tokentrail.vocabulary import Operation

__all__ = ["SERVICE", "CannotCorrectError", "Entry", "arrived_entries", "described", "entry_of", "read_entry"]

SERVICE: Final = "tokentrail-reconcile"
"""The service of entries, where no service holds the bill's project or key."""
MOST: Final = 10**12
"""Of one record: the ledger takes no larger count."""
_KINDS: Final = ("token_type", "endpoint")
_FIRST_YEAR: Final = 2020
_COUNTS: Final = tuple(count.name for count in COUNTS)


class CannotCorrectError(ValueError):
    """A finding that no entry corrects, and why, in one sentence."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A reversing entry: the usage, and the service and environment that it counts for (empty: the settings')."""

    usage: Usage
    service: str = SERVICE
    environment: str = ""

    @property
    def text(self) -> str:
        """The entry as the history keeps it."""
        usage = msgspec.to_builtins(self.usage)
        return json.dumps({"usage": usage, "service": self.service, "environment": self.environment}, ensure_ascii=False)


def read_entry(text: str) -> Entry:
    """Reads an entry from a finding's history."""
    said = json.loads(text)
    return Entry(msgspec.convert(said["usage"], Usage), said["service"], said["environment"])


def entry_of(finding: Finding, number: int, *, tenant: str, why: str) -> Entry:
    """Makes the entry after which the ledger says what the bill states. `number` tells the corrections of one finding apart, `tenant` pays for it.

    Raises `CannotCorrectError` for a finding without tokens or requests.
    """
    place = finding.place
    counts = {figure.measure: int(figure.difference) for figure in finding.figures if figure.measure in _COUNTS}
    requests = finding.figure(REQUESTS)
    calls = 0 if requests is None else int(requests.difference)
    _refuse(finding, counts, calls)
    held = dict(finding.held)
    tenant_id = held.pop("tenant_id", tenant)
    service, environment = held.pop("service_name", SERVICE), held.pop("environment", "")
    operation_id, token_type, endpoint = (held.pop(name, "") for name in ("operation_id", "token_type", "endpoint"))
    metadata, cut = metadata_text(
        {"finding": finding.id, "bill": place.source, "why": why} | {name.removeprefix(METADATA): value for name, value in held.items()}
    )
    ts = nanoseconds(place.starts.astimezone(timezone.utc))
    key = claimed_key(idempotency_key(Operation.INTERNAL, tenant_id, "correction", finding.id, str(number), timestamp=ts))
    usage = assemble(
        Request(
            provider=place.provider,
            endpoint=endpoint,
            gen_ai_operation="embeddings" if token_type == "embedding" else "chat",  # noqa: S105 - a kind of token
            token_type=token_type or "llm",
            model=place.model,
        ),
        Answer(model=place.model),
        None,
        key=key.text,
        key_kind=key.kind.value,
        key_time=key.time,
        ts=ts,
        tenant_id=tenant_id,
        operation=Operation.INTERNAL.value,
        operation_id=operation_id,
        metadata=metadata,
        metadata_cut=cut,
        calls=calls,
        corrects_key=f"finding:{finding.id}",
        measured=False,
    )
    # a half that the bill does not differ in is not unknown: the entry adds nothing to it
    return Entry(msgspec.structs.replace(usage, **counts, input_source="reported", output_source="reported"), service, environment)


def _refuse(finding: Finding, counts: Mapping[str, int], calls: int) -> None:
    cannot_hold = [name for name in finding.held if not holds(name) and name not in _KINDS]
    if cannot_hold:
        raise CannotCorrectError(
            f"finding {finding.id} is about usages with a certain {cannot_hold[0]} alone (--where), which an entry cannot state: compare without it"
        )
    if finding.place.has_interval and finding.place.starts.year < _FIRST_YEAR:
        raise CannotCorrectError(f"finding {finding.id} is about a time before {_FIRST_YEAR}, which the ledger does not take")
    if not finding.place.has_interval:
        raise CannotCorrectError(f"finding {finding.id} is no difference from a bill: what is missing inside is shipped, replayed or built anew")
    if not counts and not calls:
        raise CannotCorrectError(
            f"finding {finding.id} is one of money alone: costs follow from tokens and prices, so correct the price list (tokentrail prices load), "
            "or explain it"
        )
    if any(abs(value) > MOST for value in (*counts.values(), calls)):
        raise CannotCorrectError(f"finding {finding.id} differs by more than {MOST:,}: the ledger takes no such count")


def arrived_entries(client: Client, findings: Iterable[Known]) -> frozenset[str]:
    """Returns the ids of the findings whose last correction's entry is in the ledger."""
    entries = {each.id: read_entry(each.entry).usage for each in findings if each.entry}
    there = known(client, list(entries.values()))
    return frozenset(finding for finding, usage in entries.items() if usage.key in there)


def described(entry: Entry) -> dict[str, Any]:
    """Returns the numbers of an entry, for people and programs."""
    usage = entry.usage
    return {"calls": usage.calls} | {name: getattr(usage, name) for name in _COUNTS if getattr(usage, name) is not None}
