"""Applications are killed at any instant under load: by SIGKILL from outside, and by the shim within one call on a file of the journal.

Records are padded until twenty of them fill a segment, so appends rotate all the time. Within a batch all applications share one journal, in which
the living ones adopt what the dead have left; the command that drains it is killed as well. Of each killed process the ledger may lack, or have, the
calls in flight, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torture.application import Application
from torture.shim import Control
from torture.stage import Stage, parsed

ROUNDS = 100
BATCH = 10
WAYS = ("under load", "under load", "within a step", "within a step", "within a step", "at its end", "while it forks")
SHIPS_KILLED = 4
FORKED = 2
SMALLEST_SEGMENT = 256 << 10


@dataclass
class Round:
    """One application, and how many of its answers it may not have seen."""

    name: str
    application: Application
    unseen: int


@dataclass
class Batch:
    """The rounds that share one journal."""

    journal: Path
    prefix: str
    rounds: list[Round] = field(default_factory=list)


def run(stage: Stage) -> None:
    """Kills an application in each round, and a few commands at the end of each batch."""
    endpoint = f"{stage.gateway.otlp_http_url}/v1/logs"
    batch = Batch(Path(), "")
    numbers = stage.numbers(ROUNDS)
    counted: dict[str, int] = {}
    for number in numbers:
        if not batch.rounds:
            batch = Batch(stage.folder / f"journal-{number}", f"b{number}-")
        way = kill_one(stage, batch, number, endpoint)
        counted[way] = counted.get(way, 0) + 1
        if len(batch.rounds) == BATCH or number == numbers[-1]:
            check(stage, batch, number, endpoint)
            batch.rounds = []
    stage.prove()
    ways = ", ".join(f"{way}: {times}" for way, times in sorted(counted.items()))
    stage.outcome.notes.append(f"killed {ways}; commands that ship: {SHIPS_KILLED} in each batch of {BATCH} rounds")


def kill_one(stage: Stage, batch: Batch, number: int, endpoint: str) -> str:
    """Starts one application and kills it. Returns the way."""
    rng = stage.rng(number)
    way = rng.choice(WAYS)
    name = f"{batch.prefix}r{number}"
    threads = rng.choice((1, 2, 3))
    settings: dict[str, Any] = {"ship": rng.choice(("true", "false")), "journal_segment_bytes": SMALLEST_SEGMENT}
    padding = rng.choice((0, 8000, 15000))
    control = Control(stage.folder / f"{name}.control")
    unseen = threads
    if way == "while it forks":
        unseen = 2 + FORKED
        arguments = {"name": name, "children": FORKED, "calls": rng.randrange(1, 6), "padding": padding}
        application = stage.application(name, batch.journal, endpoint, "torture.calls:forks", arguments=arguments, control=control, **settings)
        application.says(rng.randrange(2, 60))
        application.kill_in_any_order(rng)
    elif way == "at its end":
        control.set(kill_at=rng.randrange(1, 40), kill_half=rng.randrange(2))
        arguments = {"name": name, "calls": rng.randrange(1, 4), "padding": padding}
        application = stage.application(name, batch.journal, endpoint, "torture.calls:ends_itself", arguments=arguments, control=control, **settings)
        application.wait()
    else:
        if way == "within a step":
            control.set(kill_at=rng.randrange(1, 250), kill_half=rng.randrange(2))
        arguments = {"name": name, "threads": threads, "padding": padding}
        application = stage.application(name, batch.journal, endpoint, arguments=arguments, control=control, **settings)
        if way == "within a step":
            application.wait(90.0)
        application.says(rng.randrange(1, 80))
        application.kill()
    batch.rounds.append(Round(f"{name}-", application, unseen))
    return way


def check(stage: Stage, batch: Batch, number: int, endpoint: str) -> None:
    """Kills some commands that drain the journal, drains it, and compares."""
    rng = stage.rng(10**6 + number)
    for killed in range(SHIPS_KILLED):
        control = Control(stage.folder / f"{batch.prefix}ship-{killed}.control")
        control.set(kill_at=rng.randrange(1, 60), kill_half=rng.randrange(2))
        stage.ship(batch.journal, endpoint, control=control).wait()
    words = stage.drain(batch.journal, endpoint)
    said = parsed([line for one in batch.rounds for line in one.application.lines])
    if words:
        stage.outcome.fail(f"rounds to {number}: the journal is not drained: {words}")
    rows = stage.settled(said, batch.prefix)
    answered = stage.answered(batch.prefix)
    for one in batch.rounds:
        parts = [{operation: held for operation, held in part.items() if operation.startswith(one.name)} for part in (said, answered, rows)]
        stage.outcome.count(*parts, where=f"round {one.name}", unseen=one.unseen)  # type: ignore[arg-type]
    stage.say(f"round {number}: {len(said)} answers seen, {len(rows)} rows")
