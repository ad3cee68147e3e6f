"""Clocks go back, leap a year, stand still in two processes at once, or sleep: keys stay unique, and nothing is lost in silence.

A record whose time lies more than a day after its arrival is not believed. The record is then in quarantine, with its reason, and the table counts it
as refused.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from torture.application import Application
from torture.shim import Control
from torture.stage import Stage, parsed

SECOND = 10**9
HOUR, DAY, YEAR = 3600 * SECOND, 86_400 * SECOND, 365 * 86_400 * SECOND
BEFORE, AFTER = 25, 40
QUARANTINED = "SELECT DISTINCT JSONExtractString(Body, 'operation_id') FROM usage_landing WHERE Body IN (SELECT Body FROM quarantine)"
MOST_PARTITIONS = 16

Clock = Callable[[list[Control], list[Application]], None]


def run(stage: Stage) -> None:
    """Moves the clocks of two processes in each round."""
    names = list(CLOCKS)
    for number in stage.numbers(len(names)):
        name = names[(number - 1) % len(names)]
        one_round(stage, number, name, CLOCKS[name])
    stage.prove(expected=lambda finding: "in quarantine" in finding)
    keys, rows, partitions = stage.store.query(
        "SELECT uniqExact(idempotency_key, writer_id, seq), count(), uniqExact(toYYYYMM(ts)) FROM usage WHERE operation_id != ''"
    )[0]
    stage.outcome.notes.append(f"{rows} rows have {keys} identities and lie in {partitions} months")
    if keys != rows or int(partitions) > MOST_PARTITIONS:
        stage.outcome.fail(f"{rows} rows have {keys} identities and lie in {partitions} months")


def one_round(stage: Stage, number: int, name: str, move: Clock) -> None:
    """Runs two processes whose clocks are moved amid their calls."""
    prefix = f"r{number}-"
    journal = stage.folder / f"journal-{number}"
    controls = [Control(stage.folder / f"{prefix}{which}.control") for which in ("a", "b")]
    until = stage.folder / f"{prefix}until"
    applications = []
    for which, control in zip("ab", controls, strict=True):
        arguments = {"name": f"{prefix}{which}", "threads": 2, "pause": 0.01, "until": str(until)}
        applications.append(stage.application(f"{prefix}{which}", journal, stage.endpoint, arguments=arguments, control=control))
    for application in applications:
        application.says(BEFORE)
    move(controls, applications)
    for application in applications:
        application.says(len(application.lines) + AFTER)
    until.touch()
    for application in applications:
        application.wait()
    words = stage.drain(journal, stage.endpoint)
    said = parsed([line for application in applications for line in application.lines], prefix)
    rows = stage.settled(said, prefix, deadline_s=5)
    quarantined = {operation for (operation,) in stage.store.query(QUARANTINED) if operation.startswith(prefix)}
    silent = said.keys() - rows.keys() - quarantined
    if silent or words:
        stage.outcome.fail(f"{name}: {len(silent)} calls are neither in the ledger nor in quarantine; {words}")
    stage.outcome.refused += len(quarantined)
    kept = {operation: tokens for operation, tokens in said.items() if operation not in quarantined}
    answered = {operation: tokens for operation, tokens in stage.answered(prefix).items() if operation not in quarantined}
    stage.outcome.count(kept, answered, rows, where=name)
    stage.say(f"{name}: {len(said)} answers seen, {len(rows)} rows, {len(quarantined)} in quarantine")


def moved(*offsets: int) -> Clock:
    """Returns what sets both clocks off by each of these nanoseconds in turn."""

    def move(controls: list[Control], applications: list[Application]) -> None:
        for offset in offsets:
            for control in controls:
                control.set(clock_offset=offset)
            applications[0].says(len(applications[0].lines) + 10)

    return move


def frozen(controls: list[Control], _applications: list[Application]) -> None:
    """Stops both clocks at the same nanosecond."""
    now = time.time_ns()
    for control in controls:
        control.set(clock_frozen=now)


def suspended(controls: list[Control], applications: list[Application]) -> None:
    """Stops both processes; the wall clock has gone on for some hours when they continue, and the monotonic one has not."""
    for application in applications:
        application.send_signal(signal.SIGSTOP)
    for control in controls:
        control.set(clock_offset=5 * HOUR)
    time.sleep(1.0)
    for application in applications:
        application.send_signal(signal.SIGCONT)


CLOCKS: dict[str, Clock] = {
    "back an hour": moved(-HOUR),
    "forward an hour and back": moved(HOUR, 0),
    "a day back": moved(-DAY),
    "forward a year": moved(YEAR),
    "forward a year and back": moved(YEAR, 0),
    "back to 1971": moved(-55 * YEAR),
    "to and fro": moved(-HOUR, HOUR, -SECOND, 2 * SECOND, -DAY, 0),
    "frozen equal in two processes": frozen,
    "suspended for hours": suspended,
}
