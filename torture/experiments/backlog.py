"""A million events wait while applications make their calls, and go through the Collector as fast as ClickHouse takes them.

Three applications call at the same time: a sidecar ships the backlog in the folder of the first, the second ships one beside its own calls, the third
has no backlog. So the times of their calls are compared under one load. The pipeline (sidecar, Collector, ClickHouse) also runs and stands still by
turns, which tells what its use of this machine's cores costs a call; that comparison is judged only on a machine that does little else. Applications,
provider and sidecar share one core, as on one pod; Collector and ClickHouse have the others, as on other machines.
"""

from __future__ import annotations

import bisect
import os
import signal
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tests.support.processes import peak_kib
from torture.application import Application
from torture.calls import STAMP
from torture.stage import Stage, parsed, size_of

ROUNDS = 1
EVENTS = 1_000_000
SHARES = {"sidecar": (0.4, 0.4), "itself": (0.2,), "beside": ()}
"""Of the events, by application and dead writer."""
PAUSE_S = 0.02
RECORDED_S = 900.0
DRAINED_S = 60.0
SLOWEST = 600.0
"""Events a second, below which a backlog counts as one that does not move."""
RUNS_S, STANDS_S = 3.0, 1.5
SETTLES_S = 0.2
"""After each turn, calls are not compared for so long: requests are still under way."""
MOST_RATIO = 1.1
QUIET = 0.25
"""Turns are judged if no larger share of the cores works while the pipeline stands still: a busy machine crowds the pod's core with what the pipeline
drives from the others."""
MAX_BYTES = 8 << 30
MOST_MIB = {"application": 200, "application that ships": 200, "sidecar": 450, "Collector": 1800}
"""The Collector's limiter begins to refuse at 1,500 MiB of heap (TOKENTRAIL_COLLECTOR_MEMORY_MIB)."""


class Stoppable(Protocol):
    """A process that takes signals."""

    def send_signal(self, number: int) -> None:
        """Sends a signal."""


@dataclass
class Turns:
    """When the pipeline has run and stood still: moments of the monotonic clock in nanoseconds, beginning with a run."""

    moments: list[int] = field(default_factory=list)
    used: list[float] = field(default_factory=list)
    """Seconds that this machine's cores have worked in all at each moment."""

    def turn(self) -> None:
        """Notes that the pipeline runs or stands still from now on."""
        self.moments.append(time.monotonic_ns())
        self.used.append(cores_worked_s())

    def ran_at(self, moment: int) -> bool | None:
        """Whether the pipeline ran then; None before the first turn and just after each."""
        turn = bisect.bisect_right(self.moments, moment)
        if turn == 0 or moment - self.moments[turn - 1] < SETTLES_S * 1e9:
            return None
        return turn % 2 == 1

    @property
    def ran_s(self) -> float:
        """For how long the pipeline ran."""
        return sum(end - begin for begin, end in zip(self.moments[::2], self.moments[1::2], strict=False)) / 1e9

    @property
    def used_while_still(self) -> float:
        """The share of all cores that worked while the pipeline stood still."""
        lasted = sum(end - begin for begin, end in zip(self.moments[1::2], self.moments[2::2], strict=False)) / 1e9
        worked = sum(end - begin for begin, end in zip(self.used[1::2], self.used[2::2], strict=False))
        return worked / lasted / (os.cpu_count() or 1) if lasted else 0.0


def run(stage: Stage) -> None:
    """Drains one backlog in each round."""
    for number in stage.numbers(ROUNDS):
        compare(stage, *one_round(stage, number, stage.events or EVENTS))
    stage.prove()


def one_round(stage: Stage, number: int, events: int) -> tuple[dict[str, Application], Turns]:
    """Records the events while nothing is shipped, then ships them beside applications, and counts. Returns what is to be compared."""
    prefix, tenant = f"w{number}-", f"backlog-{number}"
    until, endpoint = stage.folder / f"{prefix}until", f"{stage.gateway.otlp_http_url}/v1/logs"
    journals = {name: stage.folder / f"journal-{number}-{name}" for name in SHARES}
    recorded, tokens = record(stage, journals, tenant, events)
    size = sum(size_of(journal) for journal in journals.values())
    stage.say(f"{recorded:,} events wait, {size / 1e6:,.0f} MB")
    applications = start_applications(stage, journals, endpoint, prefix, until)
    sidecar = stage.sidecar(journals["sidecar"], endpoint)
    pod = [sidecar.pid, stage.provider_process.pid, *(application.pid for application in applications.values())]
    share_out(pod, [stage.gateway.pid, stage.store.pid])
    turns = take_turns(stage, [sidecar, stage.gateway, stage.store], tenant, recorded)
    pids = (applications["sidecar"].pid, applications["itself"].pid, sidecar.pid, stage.gateway.pid)
    peaks = dict(zip(MOST_MIB, (peak_kib(pid) >> 10 for pid in pids), strict=True))
    until.touch()
    for application in applications.values():
        application.wait()
    sidecar.send_signal(signal.SIGTERM)
    sidecar.wait(60)
    words = "".join(stage.drain(journal, endpoint) for journal in journals.values())
    said = parsed([line for application in applications.values() for line in application.lines], prefix)
    stage.outcome.count(said, stage.answered(prefix), stage.settled(said, prefix), where=f"beside a backlog {words}")
    rows, found = (int(value) for value in stage.store.query(f"SELECT count(), sum(input_tokens) FROM usage WHERE tenant_id = '{tenant}'")[0])
    stage.outcome.notes.append(
        f"{recorded:,} events ({size / 1e6:,.0f} MB) became {rows:,} rows in {turns.ran_s:.0f} s, {rows / max(turns.ran_s, 1):,.0f} a second;"
        f" memory at most: {', '.join(f'{what} {peak:,} MiB' for what, peak in peaks.items())}"
    )
    if (rows, found) != (recorded, tokens):
        stage.outcome.fail(f"backlog: {rows} rows and {found} tokens, {recorded} and {tokens} were recorded")
    for what, peak in peaks.items():
        if peak > MOST_MIB[what]:
            stage.outcome.fail(f"backlog: {peak:,} MiB of memory in the {what}")
    return applications, turns


def record(stage: Stage, journals: dict[str, Path], tenant: str, events: int) -> tuple[int, int]:
    """Records events in processes that end without closing their journals. Returns how many, and their input tokens."""
    producers = []
    for name, shares in SHARES.items():
        for number, share in enumerate(shares):
            options: dict[str, Any] = {"arguments": {"name": tenant, "events": int(events * share)}, "journal_max_bytes": MAX_BYTES}
            producers.append(stage.application(f"{tenant}-{name}-{number}", journals[name], "", "torture.calls:backlog", ship="false", **options))
    for producer in producers:
        producer.wait(RECORDED_S)
    counts = [int(events * share) for shares in SHARES.values() for share in shares]
    return sum(counts), sum(each % 1000 for count in counts for each in range(count))


def start_applications(stage: Stage, journals: dict[str, Path], endpoint: str, prefix: str, until: Path) -> dict[str, Application]:
    """Starts the applications, which call until a file is there."""
    started = {}
    for name, journal in journals.items():
        arguments = {"name": f"{prefix}{name}", "pause": PAUSE_S, "until": str(until), "stamped": True}
        ship = "true" if name == "itself" else "false"
        started[name] = stage.application(f"{prefix}{name}", journal, endpoint, arguments=arguments, ship=ship, journal_max_bytes=MAX_BYTES)
    for application in started.values():
        application.says(20)
    return started


def share_out(of_the_pod: list[int], elsewhere: list[int]) -> None:
    """Gives the first core to the processes of the pod, and all others to the rest; where there is only one core, they share it."""
    first, *others = sorted(os.sched_getaffinity(0))
    for pids, cores in ((of_the_pod, [first]), (elsewhere, others or [first])):
        for pid in pids:
            for thread in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setaffinity(int(thread.name), cores)


def take_turns(stage: Stage, pipeline: Sequence[Stoppable], tenant: str, events: int) -> Turns:
    """Lets the pipeline run and stand still by turns until all events are rows, or it is too late."""
    turns = Turns()
    turns.turn()
    deadline = time.monotonic() + DRAINED_S + events / SLOWEST
    while time.monotonic() < deadline:
        time.sleep(RUNS_S)
        if stage.store.number(f"SELECT count() FROM usage_ledger WHERE tenant_id = '{tenant}'") >= events:
            break
        for number, lasts in ((signal.SIGSTOP, STANDS_S), (signal.SIGCONT, 0.0)):
            for process in pipeline:
                process.send_signal(number)
            turns.turn()
            time.sleep(lasts)
    turns.turn()
    return turns


def compare(stage: Stage, applications: dict[str, Application], turns: Turns) -> None:
    """Compares the applications' calls while the pipeline ran, and the calls of the one without a backlog by turns."""
    ran = {name: times(application, turns, ran=True) for name, application in applications.items()}
    still = times(applications["beside"], turns, ran=False)
    beside = statistics.median(ran["beside"])
    for name, does in (("sidecar", "whose backlog a sidecar ships"), ("itself", "that ships a backlog beside them")):
        ratio = statistics.median(ran[name]) / beside
        stage.outcome.notes.append(
            f"{len(ran[name]):,} calls of an application {does} took {ratio:.2f} times those of one without (medians; {beside / 1e6:.2f} ms)"
        )
        if ratio > MOST_RATIO:
            stage.outcome.fail(f"backlog: calls of an application {does} took {ratio:.2f} times as long")
    if not still:
        return
    ratio, used = beside / statistics.median(still), turns.used_while_still
    stage.outcome.notes.append(
        f"calls took {ratio:.2f} times as long while the pipeline ran as while it stood still; {used:.0%} of the cores worked then, load"
        f" {os.getloadavg()[0]:.1f}"
    )
    if used <= QUIET and ratio > MOST_RATIO:
        stage.outcome.fail(f"backlog: calls took {ratio:.2f} times as long while the pipeline ran, on a quiet machine")


def times(application: Application, turns: Turns, *, ran: bool) -> list[int]:
    """Returns the nanoseconds of the calls that began while the pipeline ran, or stood still."""
    stamps = [line.removeprefix(STAMP).split(":") for line in application.lines if line.startswith(STAMP)]
    return [int(lasted) for moment, lasted in stamps if turns.ran_at(int(moment)) is ran]


def cores_worked_s() -> float:
    """Returns the seconds that all cores have worked since this machine's start."""
    user, nice, system, _idle, _waiting, *interrupts = (int(ticks) for ticks in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")
