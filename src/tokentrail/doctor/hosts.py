"""Finds servers whose calls are recorded under the SDK's name, because the provider is unknown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final

from tokentrail.clickhouse.client import ClickHouseError, connect
from tokentrail.doctor.finding import Finding
from tokentrail.journal import folder as layout
from tokentrail.journal.reader import read
from tokentrail.ledger.query import answer
from tokentrail.providers.lookup import is_named, place_of
from tokentrail.settings import Settings
from tokentrail.usage import Usage

__all__ = ["check_hosts"]

DAYS: Final = 7
MOST_RECORDS: Final = 100_000  # takes some seconds; enough to contain every host that is called regularly
MOST_HOSTS: Final = 1000
SHOWN: Final = 10

Calls = Counter[tuple[str, str, int]]
"""Calls by provider, address and port."""


def check_hosts(settings: Settings, dsn: str | None) -> Iterator[Finding]:
    """Yields findings on servers in the journal, and in the ledger's last days, that are neither in the tables of providers nor in `provider_hosts`.

    `dsn` is None if no ledger can be queried.
    """
    from tokentrail.instrumentation.registry import integrations  # noqa: PLC0415 - loads wrapt

    sdks = set(integrations())
    seen = _in_journal(Path(settings.journal_dir))
    for server, calls in _in_ledger(dsn).items() if dsn is not None else ():
        seen[server] = max(seen[server], calls)  # the journal's records may be in the ledger too
    unnamed = [(server, calls) for server, calls in seen.items() if server[0] in sdks and not is_named(server[1], server[2], settings.provider_hosts)]
    if seen and not unnamed:
        yield Finding("provider hosts", "ok", "who answers is known of every server that was called")
    unnamed.sort(key=lambda item: (-item[1], item[0]))
    for (sdk, address, port), calls in unnamed[:SHOWN]:
        place = place_of(address, port)
        yield Finding(
            "provider hosts",
            "note",
            f"{place}: {calls:,} {'call is' if calls == 1 else 'calls are'} recorded as {sdk}, after the SDK that was used; name who answers there: "
            f'TOKENTRAIL_PROVIDER_HOSTS="{place}=…"',
        )
    if len(unnamed) > SHOWN:
        yield Finding("provider hosts", "note", f"and {len(unnamed) - SHOWN:,} more; a pattern names several servers, as in *.internal=vllm")


def _in_journal(root: Path) -> Calls:
    """Counts the calls in the journal, shipped or not; reads only, without locks."""
    seen: Calls = Counter()
    with suppress(OSError):  # another check reports an unreadable journal
        records = (found.record for folder in layout.writer_folders(root) for found in read(folder, layout.Cursor(), live=True))
        for record in islice(records, MOST_RECORDS):
            if isinstance(record, Usage) and record.server_address and not record.call:  # an estimate is not another call
                seen[record.provider, record.server_address, record.server_port] += record.calls
    return seen


def _in_ledger(dsn: str) -> Calls:
    """Counts the calls of the ledger's last days; empty without a ledger, which another check reports."""
    try:
        client = connect(dsn)
    except ClickHouseError:
        return Counter()
    try:
        rows = answer(client, "hosts", {"days": DAYS, "most": MOST_HOSTS}).rows
    except ClickHouseError:
        return Counter()
    finally:
        client.close()
    return Counter({(provider, address, int(port)): int(calls or 0) for provider, address, port, calls in rows})
