"""Thirty days of calls in a ledger, for the benchmarks that ask about them: 1 % copies, 200 tenants, 40 models, one price for all.

The sums by day are built for all days but the last, which stands for the present one: nobody sums a day that is not over.
"""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

from tokentrail.clickhouse.client import Client, connect
from tokentrail.clickhouse.migrate import migrate
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.ledger import rollup
from tokentrail.prices.files import parse
from tokentrail.prices.store import load

DAY = 86_400 * 10**9
DAYS = 30
FIRST = datetime(2026, 10, 2, tzinfo=timezone.utc)
START = int(FIRST.timestamp()) * 10**9
"""The first moment, in nanoseconds since 1970."""
END = FIRST + timedelta(days=DAYS)
PRICES = '[[price]]\nprovider = "*"\nmodel = "*"\ninput = "1"\noutput = "4"\n'

ROWS = """
INSERT INTO usage_ledger (key_ts, key_hash, version, key_kind, key_head, event_ts, arrived_at, writer_id, seq, call, tenant_id,
    operation_name, token_type_name, endpoint, provider, request_model, response_model, input_source, output_source, ended_name, calls,
    input_tokens, output_tokens, attempts)
SELECT
    fromUnixTimestamp64Nano(toInt64({start:Int64} + (number - {first:UInt64}) * {step:Int64}), 'UTC') AS ts,
    reinterpretAsUInt128(sipHash128(number)), number,
    'automatic',
    concat('chat:t', toString(number % 200), ':', lower(hex(sipHash128(number, 1)))), ts, ts, lower(hex(MD5(toString(number % 50)))),
    intDiv(number, 50) + 1, intDiv(number, 50) + 1,
    concat('tenant-', toString(sipHash64(number, 2) % 200)), 'chat', 'llm', 'chat', concat('provider-', toString(sipHash64(number, 3) % 8)),
    concat('model-', toString(sipHash64(number, 3) % 40)), concat('model-', toString(sipHash64(number, 3) % 40), '-2026'), 'reported', 'reported',
    'complete', 1, sipHash64(number, 4) % 4000, sipHash64(number, 5) % 800, 1
FROM numbers({first:UInt64}, {count:UInt64})
"""


def fill(client: Client, rows: int, *, rollup_too: bool = True) -> None:
    """Inserts a day after the other, a hundredth of each twice; before the last day the days so far are summed."""
    batch = rows // DAYS
    for day in range(DAYS):
        if rollup_too and day == DAYS - 1:
            rollup.refresh(client)
        given = {"start": START + day * DAY, "step": DAY // batch, "first": day * batch}
        client.command(ROWS, given | {"count": batch})
        client.command(ROWS, given | {"count": batch // 100})


@contextmanager
def ledger(rows: int, *, prices: bool = True, folder: Path | None = None) -> Iterator[Client]:
    """A month's ledger, which is gone afterwards; one in a `folder` stays, and is found again."""
    with tempfile.TemporaryDirectory() as made:
        place = folder or Path(made) / "ledger"
        is_there = place.exists()
        client = connect(f"chdb://{place}", create=not is_there)
        try:
            if not is_there:
                migrate(client, Target("tokentrail"))
                if prices:
                    load(client, parse(PRICES))
                fill(client, rows)
            yield client
        finally:
            client.close()


def cpu() -> float:
    """CPU seconds of this process so far, in which the engine runs."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
