"""Two sidecars on one folder, one of them killed; and process ids that come again in namespaces."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys

from tests.support.waiting import wait_until
from tokentrail.journal.folder import writer_folders
from torture.stage import Stage, parsed

ROUNDS = 3


def run(stage: Stage) -> None:
    """Runs both in each round."""
    for number in stage.numbers(ROUNDS):
        two_sidecars(stage, number)
        same_process_ids(stage, number)
    stage.prove()


def two_sidecars(stage: Stage, number: int) -> None:
    """Three applications, one of which is killed, beside two sidecars, one of which is killed and started again."""
    rng = stage.rng(number)
    prefix, journal = f"s{number}-", stage.folder / f"journal-s{number}"
    journal.mkdir()
    sidecars = [stage.sidecar(journal, stage.endpoint) for _ in range(2)]
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
