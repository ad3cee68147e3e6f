"""What exactness costs: the 30-day report over the view `usage`, beside the same report over the same rows without deduplication (a wrong answer).

    python benchmarks/report_query.py --rows 10000000

Both are timed in turns within one run, in CPU seconds of this process: compare the ratio, not the seconds. 1 % of the rows arrive twice.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
from collections.abc import Callable

from tokentrail.clickhouse import sqlfiles
from tokentrail.clickhouse.client import Client, connect
from tokentrail.clickhouse.migrate import migrate
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.ledger.query import read
from tokentrail.ledger.report import MEASURES

DAY = 86_400 * 10**9
START = 1_793_491_200 * 10**9  # 2026-11-01
BY = "provider, model, tenant_id, day"

ROWS = """
INSERT INTO usage_ledger (key_ts, key_hash, version, key_kind, key_head, event_ts, arrived_at, writer_id, seq, call, tenant_id,
    operation_name, token_type_name, endpoint, provider, request_model, response_model, input_source, output_source, ended_name, calls,
    input_tokens, output_tokens, attempts)
SELECT
    fromUnixTimestamp64Nano(toInt64({start:Int64} + number * {step:Int64}), 'UTC') AS ts, reinterpretAsUInt128(sipHash128(number)), number,
    'automatic',
    concat('chat:t', toString(number % 200), ':', lower(hex(sipHash128(number, 1)))), ts, ts, lower(hex(MD5(toString(number % 50)))), number, number,
    concat('tenant-', toString(sipHash64(number, 2) % 200)), 'chat', 'llm', 'chat', concat('provider-', toString(sipHash64(number, 3) % 8)),
    concat('model-', toString(sipHash64(number, 3) % 40)), concat('model-', toString(sipHash64(number, 3) % 40), '-2026'), 'reported', 'reported',
    'complete', 1, sipHash64(number, 4) % 4000, sipHash64(number, 5) % 800, 1
FROM numbers({first:UInt64}, {count:UInt64})
"""


def fill(client: Client, rows: int) -> None:
    """Thirty inserts in the order of time, a hundredth of each repeated with the next."""
    batch = rows // 30
    for first in range(0, batch * 30, batch):
        given = {"start": START, "step": 30 * DAY // rows}
        client.command(ROWS, given | {"first": first, "count": batch})
        client.command(ROWS, given | {"first": first, "count": batch // 100})


def without_deduplication(client: Client) -> None:
    """The same rows in a plain MergeTree, and a view on them that is `usage` but for FINAL."""
    client.command("CREATE TABLE plain_ledger AS usage_ledger ENGINE = MergeTree PARTITION BY toYYYYMM(key_ts) ORDER BY (key_ts, key_hash)")
    client.command("INSERT INTO plain_ledger SELECT * FROM usage_ledger")
    text = sqlfiles.render(sqlfiles.read("definitions", "usage"), Target("tokentrail"))
    (view,) = sqlfiles.statements(text.replace("VIEW usage\n", "VIEW plain_usage\n").replace("usage_ledger FINAL", "plain_ledger"))
    client.command(view)


def reporting(client: Client, view: str) -> Callable[[], float]:
    """The report's own query over a view; the function returns the CPU seconds that one run takes."""
    text = read("report").filled({"dimensions": f"{BY}, ", "grouping": f"GROUP BY {BY}", "order": "", "relation": view, "money": ""})
    sums = ", ".join(f"sum({name})" for name in MEASURES)
    given = {"from": "2026-11-01 00:00:00", "to": "2026-12-01 00:00:00", "tenants": []}

    def run() -> float:
        before = cpu()
        client.query(f"SELECT count(), {sums} FROM ({text})", given)
        return cpu() - before

    return run


def cpu() -> float:
    """CPU seconds of this process so far, in which the engine runs."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Fill, time in turns, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        client = connect(f"chdb://{folder}", create=True)
        migrate(client, Target("tokentrail"))
        fill(client, asked.rows)
        without_deduplication(client)
        exact, wrong = reporting(client, "usage"), reporting(client, "plain_usage")
        exact(), wrong()  # once without the clock: files are read and dictionaries are warm
        pairs = [(exact(), wrong()) for _ in range(asked.rounds)]
        ((size, rows),) = client.query(
            "SELECT sum(bytes_on_disk), sum(rows) FROM system.parts WHERE active AND database = currentDatabase() AND table = 'usage_ledger'"
        ).rows
        client.close()
    print(f"rows {rows:,}, {size / rows:.1f} bytes a row (without trace, span and response ids)")
    print(f"exact   {statistics.median(pair[0] for pair in pairs):.2f} CPU s")
    print(f"without {statistics.median(pair[1] for pair in pairs):.2f} CPU s")
    print(f"ratio   {statistics.median(pair[0] / pair[1] for pair in pairs):.2f} (goal: at most 1.10)")


if __name__ == "__main__":
    main()
