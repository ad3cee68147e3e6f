"""Journals are damaged, doubled, copied to other hosts and replayed: every intact record counts once, damage is named, and no total moves again.

In each round a killed application's journal is copied. One copy is damaged and shipped; then the other copies are, as from other hosts. At the end
everything that has landed lands again: as it was, shuffled, in other batches, and a month later.
"""

from __future__ import annotations

import shutil
from contextlib import closing
from decimal import Decimal
from typing import Any

from tokentrail.clickhouse.client import connect
from tokentrail.journal.folder import writer_folders
from tokentrail.ledger.rollup import refresh
from tokentrail.prices.price import Price, PriceList
from tokentrail.prices.store import load
from torture.damages import DAMAGES, places
from torture.stage import Stage, parsed

ROUNDS = 24
CALLS = 70
SERVICE = "damage"
TOTALS = {
    "ledger": "SELECT count(), sum(calls), sum(input_tokens), sum(output_tokens), uniqExact(idempotency_key) FROM usage",
    "by day": "SELECT toDate(ts) AS day, provider, request_model, sum(calls), sum(input_tokens), sum(output_tokens) FROM usage GROUP BY ALL"
    " ORDER BY ALL",
    "sums by day": "SELECT sum(calls), sum(input_tokens), sum(output_tokens) FROM usage_daily",
    "cost": "SELECT count(), sum(cost) FROM usage_cost",
}
COLUMNS = "* EXCEPT (arrived_at)"
REPLAYS = {
    "all of it again": f"INSERT INTO usage_landing ({COLUMNS}) SELECT {COLUMNS} FROM usage_landing",
    "shuffled": f"INSERT INTO usage_landing ({COLUMNS}) SELECT {COLUMNS} FROM (SELECT DISTINCT {COLUMNS} FROM usage_landing) ORDER BY rand()",
    "in other batches": f"INSERT INTO usage_landing ({COLUMNS}) SELECT {COLUMNS} FROM (SELECT DISTINCT {COLUMNS} FROM usage_landing) ORDER BY rand()"
    " SETTINGS max_block_size = 37, min_insert_block_size_rows = 37, min_insert_block_size_bytes = 0, max_insert_threads = 1",
    "a month later": "INSERT INTO usage_landing SELECT DISTINCT * REPLACE (arrived_at + INTERVAL 1 MONTH AS arrived_at) FROM usage_landing",
}


def run(stage: Stage) -> None:
    """Damages a journal in each round, then replays everything."""
    kinds = list(DAMAGES)
    for number in stage.numbers(ROUNDS):
        one_round(stage, number, kinds[(number - 1) % len(kinds)])
    replay(stage)
    stage.prove(expected=lambda finding: "damaged in the journal" in finding)


def one_round(stage: Stage, number: int, kind: str) -> None:
    """Writes, copies, damages and ships one journal."""
    rng = stage.rng(number)
    prefix, service = f"r{number}-", f"{SERVICE}-{number}"
    original = stage.folder / f"journal-{number}"
    settings: dict[str, Any] = {"ship": "false", "journal_segment_bytes": 256 << 10, "service_name": service}
    arguments = {"name": f"{prefix}a", "calls": CALLS, "padding": rng.choice((0, 15_000)), "until": str(stage.folder / "never")}
    application = stage.application(f"{prefix}a", original, "", arguments=arguments, **settings)
    if rng.random() < 0.5:
        application.says(rng.randrange(20, CALLS - 5))
        application.kill()
    application.wait()
    said = parsed(application.lines, prefix)
    hosts = [shutil.copytree(original, stage.folder / f"{prefix}host-{host}") for host in range(3)]
    [folder] = writer_folders(hosts[0])
    found = places(folder)
    gone = DAMAGES[kind](folder, found, rng)
    operations = {place.operation: place.number for place in found if place.number}

    where = f"round {number}, {kind}"
    stage.drain(hosts[0], stage.endpoint)
    intact = {operation: tokens for operation, tokens in said.items() if operations.get(operation) not in gone}
    rows = stage.settled(intact, prefix, deadline_s=15)
    named = stage.numbers_named(service)
    unnamed = {number for number in gone if number not in named and number <= max((operations[operation] for operation in rows), default=0)}
    stage.outcome.refused += len(gone)
    for holds, sentence in (
        (intact.keys() <= rows.keys(), f"{len(intact.keys() - rows.keys())} intact records are not in the ledger"),
        (not unnamed, f"destroyed and not named: {sorted(unnamed)[:5]}"),
        (named <= gone, f"named and not destroyed: {sorted(named - gone)[:5]}"),
    ):
        if not holds:
            stage.outcome.fail(f"{where}: {sentence}")
    for host in hosts[1:]:
        words = stage.drain(host, stage.endpoint)
        if words:
            stage.outcome.fail(f"{where}: a copy is not drained: {words}")
    rows = stage.settled(said, prefix)
    if stage.numbers_named(service):
        stage.outcome.fail(f"{where}: numbers are named as damaged that have arrived from another copy")
    stage.outcome.count(said, stage.answered(prefix), rows, where=where, unseen=1)
    stage.say(f"{where}: {len(gone)} of {len(operations)} records destroyed, {len(named)} named; {len(rows)} rows from all copies")


def replay(stage: Stage) -> None:
    """Lands everything again in several ways, and looks whether a total moves."""
    with closing(connect(f"{stage.store.url}/tokentrail")) as client:
        load(client, PriceList("own", (Price("openai", "gpt", ("gpt-4o-mini.*",), {"input": [(-1, Decimal(2))], "output": [(-1, Decimal(3))]}),)))
        refresh(client)
        before = {what: stage.store.query(sql) for what, sql in TOTALS.items()}
        for how, sql in REPLAYS.items():
            for _ in range(3 if how == "all of it again" else 1):
                stage.store.query(sql)
            refresh(client)
            after = {what: stage.store.query(sql) for what, sql in TOTALS.items()}
            for what in TOTALS:
                if after[what] != before[what]:
                    stage.outcome.fail(f"replayed {how}: {what} was {before[what][:2]} and is {after[what][:2]}")
            stage.say(f"replayed {how}: {before['ledger'][0][0]} rows, cost {before['cost'][0][1]}")
