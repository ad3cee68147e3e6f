"""Two sidecars on one folder, process ids that come again in namespaces, and a backlog of a million events beside an application that works."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.support.waiting import wait_until
from tokentrail.journal.folder import size_of, writer_folders
from tokentrail.local.child import Child
from torture.application import Application
from torture.stage import Stage, parsed

ROUNDS = 3
EVENTS = int(os.environ.get("TORTURE_EVENTS", "1000000"))
PRODUCERS = 2
DRAINED_S = 900.0
MOST_RATIO = 1.1
MOST_RESIDENT_KIB = 300 * 1024
MAX_BYTES = 8 << 30


def run(stage: Stage) -> None:
    """Runs each of them; the backlog once, or as often as rounds are asked for."""
    for number in stage.numbers(ROUNDS):
        two_sidecars(stage, number)
        same_process_ids(stage, number)
    backlog(stage)
    stage.prove()


def sidecar(stage: Stage, journal: Path) -> Child:
    """Starts `tokentrail journal ship --watch`."""
    command = [sys.executable, "-m", "tokentrail", "journal", "ship", "--watch", "--interval", "0.05", "--dir", str(journal)]
    return stage.program(command, stage.environment(journal, stage.endpoint), name="a sidecar")


def two_sidecars(stage: Stage, number: int) -> None:
    """Three applications, one of which is killed, beside two sidecars, one of which is killed and started again."""
    rng = stage.rng(number)
    prefix, journal = f"s{number}-", stage.folder / f"journal-s{number}"
    journal.mkdir()
    sidecars = [sidecar(stage, journal) for _ in range(2)]
    applications = [
        stage.application(f"{prefix}{which}", journal, stage.endpoint, arguments={"name": f"{prefix}{which}", "pause": 0.005}, ship="false")
        for which in range(3)
    ]
    for application in applications:
        application.says(rng.randrange(20, 60))
    sidecars[0].kill()
    applications[0].kill()
    sidecars[0].start()
    for application in applications[1:]:
        application.says(len(application.lines) + 30)
        application.send_signal(signal.SIGTERM)
        application.wait()
    waited = True
    try:
        wait_until(lambda: not writer_folders(journal), "an empty journal", deadline_s=90)
    except AssertionError:
        waited = False
    for one in sidecars:
        one.send_signal(signal.SIGTERM)
        one.wait(30)
    if not waited:
        stage.outcome.fail(f"two sidecars, round {number}: the journal is not drained")
    said = parsed([line for application in applications for line in application.lines], prefix)
    rows = stage.settled(said, prefix)
    stage.outcome.count(said, stage.answered(prefix), rows, where=f"two sidecars, round {number}", unseen=3)
    stage.say(f"two sidecars: {len(said)} answers seen, {len(rows)} rows")


def same_process_ids(stage: Stage, number: int) -> None:
    """Processes of namespaces of their own that share a folder: each of them is process 1, the dead and the living ones."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "--pid", "--fork", "true"], capture_output=True, check=False).returncode != 0:
        stage.outcome.skipped.append("process ids that come again: this user may not make namespaces")
        return
    prefix, journal = f"n{number}-", stage.folder / f"journal-n{number}"
    code = "import os; from torture.calls import load; os.write(1, b'pid %d\\n' % os.getpid()); load({name!r}, calls={calls}, pause=0.02)"
    programs = []
    for which, calls in enumerate((0, 0, 60)):
        command = ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-c", code.format(name=f"{prefix}{which}", calls=calls)]
        programs.append(stage.program(command, stage.environment(journal, stage.endpoint), name=f"process 1 of namespace {which}"))
    for program in programs[:2]:
        wait_until(lambda program=program: len(program.lines) > 20, "calls in a namespace", deadline_s=120)  # type: ignore[misc]
        program.kill()
    programs[2].wait(120)
    pids = {line for program in programs for line in program.lines if line.startswith("pid ")}
    words = stage.drain(journal, stage.endpoint)
    said = parsed([line for program in programs for line in program.lines], prefix)
    rows = stage.settled(said, prefix)
    stage.outcome.count(said, stage.answered(prefix), rows, where=f"process ids, round {number} {words}", unseen=2)
    if pids != {"pid 1"}:
        stage.outcome.fail(f"the processes were {pids}")
    stage.say(f"equal process ids: {len(said)} answers seen, {len(rows)} rows")


def backlog(stage: Stage) -> None:
    """Records a million events while nothing is shipped; then two applications work, one of which adopts and ships them all beside its calls."""
    journal = stage.folder / "journal-backlog"
    settings = {"ship": "false", "journal_max_bytes": str(MAX_BYTES), "service_name": "backlog"}
    share = {"name": "backlog", "events": EVENTS // PRODUCERS}
    producers = [
        stage.application(f"producer-{number}", journal, stage.endpoint, "torture.calls:backlog", arguments=share, **settings)
        for number in range(PRODUCERS)
    ]
    for producer in producers:
        producer.wait(DRAINED_S)
    size = size_of(journal)
    stage.say(f"{EVENTS:,} events are recorded, {size / 1e6:,.0f} MB")
    until = stage.folder / "backlog.until"
    pair = [
        stage.application(
            name, folder, stage.endpoint, arguments={"name": name, "pause": 0.01, "until": str(until)}, journal_max_bytes=str(MAX_BYTES)
        )
        for name, folder in (("backlog-ships", journal), ("backlog-beside", stage.folder / "journal-beside"))
    ]
    began, resident = time.monotonic(), 0
    deadline = began + DRAINED_S
    counted = "SELECT count() FROM usage WHERE tenant_id = 'backlog'"
    while stage.store.number(counted) < EVENTS and time.monotonic() < deadline:
        resident = max(resident, pair[0].resident_kib)
        time.sleep(2.0)
    took = time.monotonic() - began
    until.touch()
    for application in pair:
        application.wait()
    said = parsed([line for application in pair for line in application.lines], "backlog-")
    words = "".join(stage.drain(folder, stage.endpoint) for folder in (journal, stage.folder / "journal-beside"))
    stage.outcome.count(said, stage.answered("backlog-"), stage.settled(said, "backlog-"), where=f"beside a backlog {words}")
    rows, tokens = (int(value) for value in stage.store.query("SELECT count(), sum(input_tokens) FROM usage WHERE tenant_id = 'backlog'")[0])
    expected = PRODUCERS * sum(number % 1000 for number in range(EVENTS // PRODUCERS))
    ratio = median(pair[0]) / max(1, median(pair[1]))
    stage.outcome.notes.append(
        f"a backlog of {EVENTS:,} events ({size / 1e6:,.0f} MB) became {rows:,} rows in {took:.0f} s; calls meanwhile took {ratio:.2f} times those"
        f" of the application beside, memory at most {resident:,} KiB"
    )
    if (rows, tokens) != (EVENTS, expected):
        stage.outcome.fail(f"backlog: {rows} rows and {tokens} tokens, {EVENTS} and {expected} were recorded")
    if ratio > MOST_RATIO:
        stage.outcome.fail(f"backlog: calls took {ratio:.2f} times as long")
    if resident > MOST_RESIDENT_KIB:
        stage.outcome.fail(f"backlog: {resident} KiB of memory")


def median(application: Application) -> int:
    """Returns the median time of the application's calls."""
    return next((int(line.split()[1]) for line in application.lines if line.startswith("took ")), 0)
