"""A million events wait while an application makes its calls: a sidecar ships them through the Collector as fast as ClickHouse takes them.

The whole pipeline (sidecar, Collector, ClickHouse) runs and stands still by turns, so that the application's calls beside it are compared with its
calls without it, in one run and under whatever else the machine does. All of them share this machine's cores.
"""

from __future__ import annotations

import bisect
import signal
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.support.processes import peak_kib
from torture.application import Application
from torture.calls import STAMP
from torture.stage import Stage, parsed, size_of

ROUNDS = 1
EVENTS = 1_000_000
PRODUCERS = 2
RECORDED_S = 900.0
DRAINED_S = 1800.0
RUNS_S, STANDS_S = 3.0, 1.5
SETTLES_S = 0.2
"""After each turn, calls are not compared for so long: requests are still under way."""
MOST_RATIO = 1.1
MAX_BYTES = 8 << 30
MOST_KIB = {"application": 200 << 10, "sidecar": 450 << 10, "Collector": 1800 << 10}
"""The Collector's limiter begins to refuse at 1,500 MiB of heap (TOKENTRAIL_COLLECTOR_MEMORY_MIB)."""


class Stoppable(Protocol):
    """A process that takes signals."""

    def send_signal(self, number: int) -> None:
        """Sends a signal."""


@dataclass
class Turns:
    """When the pipeline has run and stood still: moments of the monotonic clock in nanoseconds, beginning with a run."""

    moments: list[int] = field(default_factory=list)

    def ran_at(self, moment: int) -> bool | None:
        """Whether the pipeline ran then; None before the first turn and just after each."""
        turn = bisect.bisect_right(self.moments, moment)
        if turn == 0 or moment - self.moments[turn - 1] < SETTLES_S * 1e9:
            return None
        return turn % 2 == 1

    @property
    def ran_s(self) -> float:
        """For how long the pipeline ran."""
        ends = [*self.moments[1:], time.monotonic_ns()]
        return sum(end - begin for begin, end in zip(self.moments[::2], ends[::2], strict=False)) / 1e9


def run(stage: Stage) -> None:
    """Drains one backlog in each round."""
    for number in stage.numbers(ROUNDS):
        one_round(stage, number, stage.events or EVENTS)
    stage.prove()


def one_round(stage: Stage, number: int, events: int) -> None:
    """Records the events while nothing is shipped, then ships them beside an application, and counts."""
    prefix, tenant = f"w{number}-", f"backlog-{number}"
    journal, until = stage.folder / f"journal-{number}", stage.folder / f"{prefix}until"
    record(stage, journal, tenant, events)
    size = size_of(journal)
    stage.say(f"{events:,} events wait, {size / 1e6:,.0f} MB")
    endpoint = f"{stage.gateway.otlp_http_url}/v1/logs"
    arguments = {"name": f"{prefix}a", "pause": 0.002, "until": str(until), "stamped": True}
    application = stage.application(f"{prefix}a", journal, endpoint, arguments=arguments, ship="false", journal_max_bytes=MAX_BYTES)
    application.says(100)
    sidecar = stage.program(
        [sys.executable, "-m", "tokentrail", "journal", "ship", "--watch", "--interval", "0.2", "--dir", str(journal)],
        stage.environment(journal, endpoint),
        name="the sidecar",
    )
    turns = take_turns(stage, [sidecar, stage.gateway, stage.store], tenant, events)
    peaks = {"application": peak_kib(application.pid), "sidecar": peak_kib(sidecar.pid), "Collector": peak_kib(stage.gateway.pid)}
    until.touch()
    application.wait()
    sidecar.send_signal(signal.SIGTERM)
    sidecar.wait(60)
    words = stage.drain(journal, endpoint)
    said = parsed(application.lines, prefix)
    stage.outcome.count(said, stage.answered(prefix), stage.settled(said, prefix), where=f"beside a backlog {words}")
    rows, tokens = (int(value) for value in stage.store.query(f"SELECT count(), sum(input_tokens) FROM usage WHERE tenant_id = '{tenant}'")[0])
    expected = PRODUCERS * sum(each % 1000 for each in range(events // PRODUCERS))
    beside, without = (took(application, turns, ran=ran) for ran in (True, False))
    ratio = statistics.median(beside) / statistics.median(without) if beside and without else 0.0
    stage.outcome.notes.append(
        f"a backlog of {events:,} events ({size / 1e6:,.0f} MB) became {rows:,} rows in {turns.ran_s:.0f} s, {rows / turns.ran_s:,.0f} a second;"
        f" {len(beside):,} calls meanwhile took {ratio:.2f} times the {len(without):,} while the pipeline stood still (medians"
        f" {milliseconds(beside)} and {milliseconds(without)} ms); memory at most: "
        + ", ".join(f"{what} {peak / 1024:,.0f} MiB" for what, peak in peaks.items())
    )
    if (rows, tokens) != (events, expected):
        stage.outcome.fail(f"backlog: {rows} rows and {tokens} tokens, {events} and {expected} were recorded")
    if ratio > MOST_RATIO:
        stage.outcome.fail(f"backlog: calls took {ratio:.2f} times as long")
    for what, peak in peaks.items():
        if peak > MOST_KIB[what]:
            stage.outcome.fail(f"backlog: {peak:,} KiB of memory in the {what}")


def record(stage: Stage, journal: Path, tenant: str, events: int) -> None:
    """Records the events in processes that end without closing their journals."""
    settings = {"ship": "false", "journal_max_bytes": MAX_BYTES}
    share = {"name": tenant, "events": events // PRODUCERS}
    producers = [
        stage.application(f"{tenant}-{number}", journal, "", "torture.calls:backlog", arguments=share, **settings) for number in range(PRODUCERS)
    ]
    for producer in producers:
        producer.wait(RECORDED_S)


def take_turns(stage: Stage, pipeline: Sequence[Stoppable], tenant: str, events: int) -> Turns:
    """Lets the pipeline run and stand still by turns until all events are rows, or it is too late."""
    turns = Turns([time.monotonic_ns()])
    deadline = time.monotonic() + DRAINED_S
    while time.monotonic() < deadline:
        time.sleep(RUNS_S)
        if stage.store.number(f"SELECT count() FROM usage_ledger WHERE tenant_id = '{tenant}'") >= events:
            break
        for number, lasts in ((signal.SIGSTOP, STANDS_S), (signal.SIGCONT, 0.0)):
            for process in pipeline:
                process.send_signal(number)
            turns.moments.append(time.monotonic_ns())
            time.sleep(lasts)
    turns.moments.append(time.monotonic_ns())
    return turns


def took(application: Application, turns: Turns, *, ran: bool) -> list[int]:
    """Returns the times of the calls that began while the pipeline ran, or stood still."""
    stamps = [line.removeprefix(STAMP).split(":") for line in application.lines if line.startswith(STAMP)]
    return [int(lasted) for moment, lasted in stamps if turns.ran_at(int(moment)) is ran]


def milliseconds(times: list[int]) -> str:
    """Returns their median."""
    return f"{statistics.median(times) / 1e6:.2f}" if times else "-"
