"""Two shards, engine processes that are joined by native TCP: every answer must be the single node's.

What applications have recorded lands through both nodes, in copies and batches, while a shard is killed amid inserts. Copies that lie on the wrong
shard, as under a wrong sharding key, must be noticed. Sharding, sending and reading are the engine's own; the embedded engine replicates nothing, and
what is to run ON CLUSTER is run on both nodes.
"""

from __future__ import annotations

import json
import random
from contextlib import closing
from typing import Any

from tests.support.cluster.nodes import Nodes, two_nodes
from tokentrail.clickhouse.client import ClickHouseError, Client, connect
from tokentrail.clickhouse.migrate import migrate
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.ledger.query import read
from tokentrail.ledger.report import report
from tokentrail.ledger.verify import verify
from torture.stage import Stage, parsed

ROUNDS = 3
DATABASE = "torture"
FOREGROUND: dict[str, Any] = {"distributed_foreground_insert": "1"}  # as collector-config/gateway.yaml says it
BATCH = 40
TRIES = 6
ANSWERS = {
    "totals": "SELECT sum(calls), sum(input_tokens), sum(output_tokens), count(), uniqExact(idempotency_key) FROM usage",
    "every row": "SELECT operation_id, calls, input_tokens, output_tokens, writer_id, seq, ts FROM usage ORDER BY ALL",
    "compared rows": read("compared_rows").sql,
    "lost keys": read("lost_keys").sql,
    "conflicts": read("conflicts").sql,
    "quarantine": "SELECT reason, count() FROM (SELECT reason, digest FROM quarantine FINAL) GROUP BY reason ORDER BY reason",
}


def run(stage: Stage) -> None:
    """Kills a shard in each round, and compares in the end."""
    with two_nodes() as nodes, closing(connect(f"{stage.store.url}/tokentrail")) as single:
        client: Any = nodes.client(**FOREGROUND)
        migrate(client, Target(DATABASE, "shards"))
        for number in stage.numbers(ROUNDS):
            one_round(stage, number, nodes, client, single)
        notice_wrong_key(stage, nodes)


def one_round(stage: Stage, number: int, nodes: Nodes, client: Any, single: Client) -> None:
    """Records calls, lands them on the single node and on the cluster, and compares all answers."""
    rng = stage.rng(number)
    prefix, journal = f"r{number}-", stage.folder / f"journal-{number}"
    arguments = {"name": f"{prefix}a", "threads": 2, "calls": 60}
    application = stage.application(f"{prefix}a", journal, stage.endpoint, arguments=arguments, ship="false")
    if number % 2:
        application.says(80)
        application.kill()
    application.wait()
    words = stage.drain(journal, stage.endpoint)
    said = parsed(application.lines, prefix)
    stage.settled(said, prefix)
    rows = [json.loads(row[0]) for row in single.query("SELECT formatRowNoNewline('JSONEachRow', *) FROM usage_landing").rows]
    killed = land(nodes, client, rows, rng)
    for at in (0, 1):
        node: Any = nodes.client(at, DATABASE)
        for what, sql in ANSWERS.items():
            if node.query(sql).rows != single.query(sql).rows:
                stage.outcome.fail(f"round {number}: {what} at node {at} is not the single node's")
        if report(node, ["tenant_id", "model"]) != report(single, ["tenant_id", "model"]):
            stage.outcome.fail(f"round {number}: the report at node {at} is not the single node's")
        if sorted(verify(node).findings) != sorted(verify(single).findings):
            stage.outcome.fail(f"round {number}: verify at node {at} does not say what the single node says")
    held = {operation: row for operation, row in rows_of(client).items() if operation.startswith(prefix)}
    stage.outcome.count(said, stage.answered(prefix), held, where=f"round {number} {words}", unseen=2)
    stage.say(f"round {number}: {len(said)} answers seen, {len(held)} rows; {len(rows)} records landed, a shard was killed {killed} times")


def rows_of(client: Any) -> dict[str, tuple[int, int, int]]:
    """Returns the rows of the cluster's ledger by operation."""
    found = client.query("SELECT operation_id, sum(calls), sum(input_tokens), sum(output_tokens) FROM usage WHERE error_type = '' GROUP BY ALL").rows
    return {str(operation): (int(calls), int(tokens_in), int(tokens_out)) for operation, calls, tokens_in, tokens_out in found}


def land(nodes: Nodes, client: Any, rows: list[dict[str, Any]], rng: random.Random) -> int:
    """Inserts the rows and copies of a third of them in any order, through both nodes by turns. Returns how often a shard was killed meanwhile."""
    copies = rows + rng.sample(rows, len(rows) // 3)
    rng.shuffle(copies)
    balanced: Any = nodes.balanced(DATABASE, **FOREGROUND)
    batches = [copies[start : start + BATCH] for start in range(0, len(copies), BATCH)]
    kill_before = set(rng.sample(range(len(batches)), min(2, len(batches))))
    for number, batch in enumerate(batches):
        if number in kill_before:
            nodes.kill(1)
        insert(nodes, client if number in kill_before else balanced, batch)
    return len(kill_before)


def insert(nodes: Nodes, client: Any, batch: list[dict[str, Any]]) -> None:
    """Inserts one batch until it is stored; a shard that was killed comes back after the first refusal."""
    client.use(DATABASE)
    for _ in range(TRIES):
        try:
            client.insert_json("usage_landing", batch)
        except ClickHouseError:
            nodes.start()
        else:
            return
    raise RuntimeError("a batch was refused again and again")


def notice_wrong_key(stage: Stage, nodes: Nodes) -> None:
    """Spreads copies of one record over the shards by chance, and looks whether `verify` or the sums show that."""
    client: Any = nodes.client(0, DATABASE, **FOREGROUND)
    before = rows_of(client)
    local: list[Any] = [nodes.client(at, DATABASE) for at in (0, 1)]
    held = [int(node.query("SELECT count() FROM usage_landing_local").rows[0][0]) for node in local]
    source = local[0] if held[0] else local[1]
    rows = [json.loads(row[0]) for row in source.query("SELECT formatRowNoNewline('JSONEachRow', *) FROM usage_landing_local LIMIT 20").rows]
    (local[1] if held[0] else local[0]).insert_json("usage_landing_local", rows)
    after = rows_of(client)
    doubled = sum(after[operation][0] - before[operation][0] for operation in before)
    findings = verify(client).findings
    stage.outcome.notes.append(f"copies on the wrong shard: {doubled} calls count twice; verify says {findings[:1] or 'nothing'}")
    if doubled and not findings:
        stage.outcome.fail(f"{doubled} calls count twice on a cluster with a wrong sharding key, and verify finds nothing")
