"""What the bridge costs: an INSERT of spans with the bridge off and on, and the report over recorded rows alone and beside bridged rows.

    python benchmarks/bridge.py --rows 1000000 --bridged 100000

In CPU milliseconds of this process, the best of some turns. One span in ten states a call, as in a service that does other things too.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from collections.abc import Callable

from tokentrail import semconv
from tokentrail.clickhouse.client import Client, connect
from tokentrail.clickhouse.migrate import migrate
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.ledger.report import report

SPANS = f"""
INSERT INTO otel_traces (Timestamp, TraceId, SpanId, ParentSpanId, SpanName, SpanKind, ServiceName, ScopeName, SpanAttributes, Duration)
SELECT fromUnixTimestamp64Nano(toInt64(1795000000000000000 + number * 1000000)), lower(hex(sipHash128(intDiv(number, 10)))),
    lower(hex(sipHash64(number))), '', 'work', 'Client', 'shop', 'scope',
    if(number % 10 = 0,
        map('{semconv.INPUT_TOKENS}', toString(number % 4000), '{semconv.OUTPUT_TOKENS}', '7', '{semconv.REQUEST_MODEL}', 'gpt-4o'),
        map('http.request.method', 'GET', 'url.path', '/', 'server.address', 'db')), 1000000
FROM numbers({{first:UInt64}}, {{count:UInt64}})
"""
RECORDS = """
INSERT INTO usage_ledger (key_ts, key_hash, version, key_kind, key_head, event_ts, arrived_at, writer_id, seq, call, tenant_id, operation_name,
    token_type_name, provider, request_model, input_source, output_source, ended_name, calls, input_tokens, output_tokens, attempts,
    trace_id, span_id)
SELECT fromUnixTimestamp64Nano(toInt64(1795000000000000000 + number * 1000000), 'UTC') AS ts, reinterpretAsUInt128(sipHash128(number)), number,
    'automatic', concat('chat:t:', lower(hex(sipHash128(number, 1)))), ts, ts, lower(hex(MD5(toString(number % 50)))), number, number,
    concat('tenant-', toString(number % 200)), 'chat', 'llm', 'openai', 'gpt-4o', 'reported', 'reported', 'complete', 1, number % 4000, 7, 1,
    lower(hex(sipHash128(number, 2))), lower(hex(sipHash64(number, 3)))
FROM numbers({count:UInt64})
"""


def cpu_ms(task: Callable[[], object], turns: int = 5) -> float:
    """The least CPU time of a task, in milliseconds."""
    times = []
    for _ in range(turns):
        before = resource.getrusage(resource.RUSAGE_SELF)
        task()
        after = resource.getrusage(resource.RUSAGE_SELF)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times) * 1000


def inserting(client: Client, spans: int) -> Callable[[], None]:
    """Inserts so many spans, others each time."""
    first = iter(range(0, 10**9, spans))
    return lambda: client.command(SPANS, {"first": next(first), "count": spans})


def main() -> None:
    """Prints the costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--bridged", type=int, default=100_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        client = connect(f"chdb://{folder}?database=bench", create=True)
        target = Target("bench")
        migrate(client, target)
        print(f"{'':42}  off      on  (CPU ms)")
        for spans in (1, 5_000, 50_000):
            off = cpu_ms(inserting(client, spans))
            migrate(client, target, bridge=True)
            on = cpu_ms(inserting(client, spans))
            migrate(client, target, bridge=False)
            print(f"INSERT of {spans:6,} spans, {spans // 10:5,} calls            {off:7.0f} {on:7.0f}")
        for table in ("usage_ledger", "otel_traces", "bridge_spans"):
            client.command(f"TRUNCATE TABLE {table}")
        client.command(RECORDS, {"count": given.rows})
        alone = cpu_ms(lambda: report(client, ["tenant_id"]))
        migrate(client, target, bridge=True)
        for first in range(0, given.bridged * 10, 500_000):
            client.command(SPANS, {"first": first, "count": min(500_000, given.bridged * 10 - first)})
        beside = cpu_ms(lambda: report(client, ["tenant_id"]))
        print(f"report over {given.rows:,} recorded rows           {alone:7.0f}")
        print(f"report with {given.bridged:,} bridged rows beside them {'':5} {beside:7.0f}")
        client.close()


if __name__ == "__main__":
    main()
