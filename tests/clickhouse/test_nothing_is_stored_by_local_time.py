from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

PROGRAM = """
import sys
import chdb  # loaded by something else, and so in the time zone of the machine, as a server may be
from tests.support.ledger_rows import START_NS, claimed, usage
from tokentrail.clickhouse.client import connect
from tokentrail.clickhouse.migrate import migrate
from tokentrail.ledger.report import report
from tokentrail.ledger.times import parse_time
from tokentrail.clickhouse.sqlfiles import Target

client = connect(f"chdb://{sys.argv[1]}", create=True)
migrate(client, Target("tokentrail"))
late = 1_795_046_399 * 10**9  # 2026-11-18 23:59:59 UTC
client.insert_json("usage_landing", [usage(seq=1, ts=late), claimed("k", seq=2, ts=late)])
print(client.query("SELECT timezone()").rows[0][0])
print([(row["day"], row["calls"]) for row in report(client, ["day"], start=parse_time("2026-11-18"), end=parse_time("2026-11-19"))])
print(client.query("SELECT abs(dateDiff('second', max(arrived_at), now('UTC'))) < 3600 FROM usage").rows)
"""


def test_days_are_utc_wherever_the_engine_runs(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "data")],
        env={**os.environ, "TZ": "America/New_York", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.stdout.splitlines() == ["America/New_York", "[('2026-11-18', 2)]", "[(1,)]"], ran.stderr
