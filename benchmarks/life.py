"""What moving and erasing data takes: export, import, erasure and the proof, on a ledger of so many usages, with the peak of memory of each.

    python benchmarks/life.py [--usages 1000000]

The engine runs in the process that is measured, so the peak is that of engine and command together.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

FILL = """
INSERT INTO usage_ledger (key_ts, key_hash, version, key_kind, key_head, event_ts, arrived_at, writer_id, seq, call, tenant_id, operation_name,
    token_type_name, provider, request_model, input_source, output_source, ended_name, calls, input_tokens, output_tokens, trace_id, response_id)
SELECT toDateTime64('2026-08-01 00:00:00', 9, 'UTC') + number * 7 AS key_ts, reinterpretAsUInt128(sipHash128(number)), 1, 'automatic',
    'chat:t:x', key_ts, now64(3),
    lower(hex(sipHash128(number % 20))), intDiv(number, 20) + 1, intDiv(number, 20) + 1, concat('tenant-', toString(number % 50)), 'chat', 'llm',
    'openai', 'gpt-4o-mini', 'reported', 'reported', 'complete', 1, number % 5000, number % 700,
    lower(hex(sipHash128(number, 't'))), toString(rand64())
FROM numbers({usages})
"""
HEARD = """
INSERT INTO deliveries (writer_id, seqs, calls, quarantined, statements, first_heard, last_heard)
SELECT writer_id, groupBitmapState(seq), groupBitmapState(call), groupBitmapStateIf(seq, false), [('closing', max(seq), '', '', '')],
    now64(3), now64(3)
FROM usage_ledger GROUP BY writer_id
"""
STEP = """
import json, resource, sys, time
from pathlib import Path
from tokentrail.archive.exporting import export_ledger
from tokentrail.archive.importing import import_ledger
from tokentrail.clickhouse.client import connect
from tokentrail.clickhouse.migrate import migrate
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.ledger.erasure import erase
from tokentrail.ledger.verify import verify

folder, what = Path(sys.argv[1]), sys.argv[2]
name = "there" if what == "import" else "here"
client = connect(f"chdb://{folder / name}", create=True)
migrate(client, Target("tokentrail"))
if what == "fill":
    client.command(sys.argv[3]); client.command(sys.argv[4])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began = time.process_time()
if what == "export":
    export_ledger(client, folder / "archive")
if what == "import":
    import_ledger(client, folder / "archive")
if what == "erase":
    assert erase(client, "tenant-7", "benchmark").proof.gone
spent = time.process_time() - began
found = client.query("SELECT sum(calls), sum(input_tokens), sum(output_tokens) FROM usage").rows[0]
print(json.dumps({"cpu_s": round(spent, 1), "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10, "before_mb": before >> 10,
    "total": [int(each) for each in found], "verify": verify(client).findings[:3]}))
"""


def main() -> None:
    """Runs the steps, each in a process of its own, and prints what each took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--usages", type=int, default=1_000_000)
    usages = parser.parse_args().usages
    with tempfile.TemporaryDirectory() as folder:
        for what in ("fill", "export", "import", "erase"):
            given = [FILL.format(usages=usages), HEARD] if what == "fill" else []
            ran = subprocess.run([sys.executable, "-c", STEP, folder, what, *given], stdout=subprocess.PIPE, text=True, check=True)
            took = json.loads(ran.stdout.splitlines()[-1])
            if what == "fill":
                continue
            print(f"{what:<7} {took['cpu_s']:7.1f} s of CPU   {took['peak_mb']:6,} MB at the peak   {took['total']}   {took['verify'] or 'verified'}")
            if what == "export":
                size = sum(path.stat().st_size for path in (Path(folder) / "archive").iterdir())
                print(f"        {size / usages:7.1f} bytes a usage in the archive")


if __name__ == "__main__":
    main()
