"""Over HTTP, as against a server: a ledger is exported and imported by the commands, a tenant is erased, and old usages expire."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.ledger_rows import closing, usage
from tokentrail.clickhouse.client import connect
from tokentrail.embedded.process import ServerProcess
from tokentrail.ledger.verify import verify

pytest.importorskip("pyarrow", reason="pyarrow (tokentrail[parquet]) is not installed")

BY_TENANT = "SELECT tenant_id, sum(calls), sum(input_tokens) FROM usage GROUP BY tenant_id ORDER BY tenant_id"


def test_the_commands_do_what_they_say(start: Callable[..., ServerProcess], tmp_path: Path) -> None:
    server = start()
    here = connect(server.addresses.dsn)

    def run(*words: str) -> str:
        command = [str(Path(sys.executable).parent / "tokentrail"), *words]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert ran.returncode == 0, ran.stderr + ran.stdout
        return ran.stdout

    there_dsn = f"{server.addresses.http}/there"
    here.insert_json("usage_landing", [*(usage(seq=seq, tenant=f"t{seq % 3}") for seq in range(1, 31)), closing(30)])
    run("export", "ledger", "--to", str(tmp_path / "archive"), "--dsn", server.addresses.dsn)
    run("migrate", "--dsn", there_dsn)
    there = connect(there_dsn)
    for _ in range(2):
        run("import", "ledger", str(tmp_path / "archive"), "--dsn", there_dsn)
        assert there.query(BY_TENANT).rows == here.query(BY_TENANT).rows == [("t0", 10, 100), ("t1", 10, 100), ("t2", 10, 100)]
        assert verify(there).findings == []
    assert "no row states the tenant" in run("erase", "--tenant", "t1", "--why", "a test", "--yes", "--dsn", there_dsn)
    run("import", "ledger", str(tmp_path / "archive"), "--dsn", there_dsn)
    assert there.query(BY_TENANT).rows == [("t0", 10, 100), ("t2", 10, 100)]
    run("retention", "set", "--everyone", "--days", "1", "--dsn", there_dsn)
    run("retention", "set", "--tenant", "t2", "--days", "0", "--dsn", there_dsn)
    run("retention", "run", "--dsn", there_dsn)
    assert there.query(BY_TENANT).rows == [("t2", 10, 100)]
    assert verify(there).findings == []
    here.close()
    there.close()
