"""What `tokentrail verify` costs over a month: CPU seconds of the whole proof, and of each query that it reads the ledger by.

    python benchmarks/verify.py --rows 10000000

Over the calls of `month.py`, of 50 processes; what arrived is stated as the views state it, with the check of each record. Goal: at most 3 s of CPU
for 10 million usages.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from month import cpu, ledger

from tokentrail.clickhouse import sqlfiles
from tokentrail.clickhouse.client import Client
from tokentrail.ledger.query import answer, read
from tokentrail.ledger.verify import verify

COUNTED = re.compile(r"groupBitmapState\(\s*(seq \* 1024 \+ .*?, 1023\))\)", re.DOTALL)
"""The number and check of a row, as the query compared_rows reads them from the ledger."""


def hear(client: Client, parts: int = 30) -> None:
    """State that all rows arrived, a day's as one delivery of each process, and that the processes ended."""
    stated = COUNTED.search(sqlfiles.repeat(read("compared_rows").sql))
    if stated is None:
        raise SystemExit("compared_rows no longer has the check of a row as this benchmark knows it")
    client.command(f"""
        INSERT INTO deliveries (writer_id, seqs, calls, seq_checks, statements, first_heard, last_heard, service_name)
        SELECT writer_id, groupBitmapState(seq), groupBitmapState(call), groupBitmapState({stated[1]}),
            [('closing', max(max(seq)) OVER (PARTITION BY writer_id), '', '', '')], min(arrived_at), max(arrived_at), 'service'
        FROM usage_ledger GROUP BY writer_id, toDate(key_ts) AS day ORDER BY day LIMIT {parts * 50}""")


def main() -> None:
    """Fill a ledger, verify it twice, print what the second time took."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=10_000_000)
    options.add_argument("--folder", type=Path, help="where the ledger is kept, and found again")
    asked = options.parse_args()
    with ledger(asked.rows, folder=asked.folder) as client:
        if not client.query("SELECT count() FROM deliveries").rows[0][0]:
            hear(client)
        print(f"{asked.rows:,} rows: {'; '.join(verify(client).findings) or 'verified'}")
        for name in ("conservation", "compared_rows", "lost_keys", "unstated_keys", "writers", "days_different"):
            before = cpu()
            answer(client, name)
            print(f"{name:20} {cpu() - before:7.3f} CPU s", flush=True)
        before = cpu()
        verify(client)
        print(f"{'verify':20} {cpu() - before:7.3f} CPU s")


if __name__ == "__main__":
    main()
