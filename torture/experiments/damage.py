"""Journals are damaged, doubled, copied to other hosts and replayed: every intact record counts once, damage is named, and no total moves again.

In each round a killed application's journal is copied. One copy is damaged and shipped; then the other copies are, as from other hosts. At the end
everything that has landed lands again (torture/replays.py). Most calls were made a month ago, by clocks that were set back.
"""

from __future__ import annotations

import shutil
from typing import Any

from tokentrail.journal.folder import writer_folders
from torture.damages import DAMAGES, FOREIGN, places
from torture.replays import replay
from torture.shim import Control
from torture.stage import Stage, parsed

ROUNDS = 24
CALLS = 70
SERVICE = "damage"
DAY_NS = 86_400 * 10**9
DAYS_AGO = (30, 31, 32, 33, 0)
"""When the calls of each round were made; of today there are no sums by day."""


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
    control = Control(stage.folder / f"{number}.control")
    control.set(clock_offset=-DAYS_AGO[number % len(DAYS_AGO)] * DAY_NS)
    application = stage.application(f"{prefix}a", original, "", arguments=arguments, control=control, **settings)
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
    # what a file of garbage under a segment's name has held behind a killed writer, nobody knows: a record is named that may have been there
    doubtful = {max(operations.values(), default=0) + 1} if kind == FOREIGN else set()

    where = f"round {number}, {kind}"
    stage.drain(hosts[0], stage.endpoint)
    intact = {operation: tokens for operation, tokens in said.items() if operations.get(operation) not in gone}
    rows = stage.settled(intact, prefix, deadline_s=15)
    named = stage.numbers_named(service) - doubtful
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
    if stage.numbers_named(service) - doubtful:
        stage.outcome.fail(f"{where}: numbers are named as damaged that have arrived from another copy")
    stage.outcome.count(said, stage.answered(prefix), rows, where=where, unseen=1)
    stage.say(f"{where}: {len(gone)} of {len(operations)} records destroyed, {len(named)} named; {len(rows)} rows from all copies")
