"""The journal's disk takes nothing more, and then does again: the application goes on, each refusal is named by number, and recording resumes.

In half of the rounds the application is killed amid the fault, where a refusal can be kept by then: in the name of a file.
"""

from __future__ import annotations

import errno
import os
import resource
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torture.application import Application
from torture.calls import NOBODY
from torture.shim import Control
from torture.small_disks import fill, small_disk
from torture.stage import Stage, parsed

SEGMENT = 256 << 10
PADDING = 12_000
BEFORE, AMID, AFTER = 15, 40, 20
RESUMES_S = 3.0
"""A writer tries again each second."""


@dataclass
class Ground:
    """One round: `journal` lies on a disk of its own where this user may mount one."""

    stage: Stage
    journal: Path
    control: Control
    application: Application
    left: Path | None = None


@dataclass(frozen=True)
class Fault:
    """`begin` makes the journal take nothing more, `heal` lets it again.

    `refuses`: calls must be refused meanwhile, else none may be. `kept`: what was refused survives a kill. `lost`: records on the disk are destroyed.
    """

    begin: Callable[[Ground], None]
    heal: Callable[[Ground], None]
    refuses: bool = True
    kept: bool = True
    options: str = "size=16m"
    settings: tuple[tuple[str, str], ...] = ()
    nobody: bool = False
    from_the_start: bool = False


def run(stage: Stage) -> None:
    """Plays a fault in each round, each healed once and, where that makes sense, once with a kill before."""
    plays = [(name, fault, killed) for name, fault in FAULTS.items() for killed in (False, True) if not killed or fault.kept]
    stage.folder.chmod(0o755)
    for number in stage.numbers(len(plays)):
        name, fault, killed = plays[(number - 1) % len(plays)]
        one_round(stage, number, f"{name}{', killed meanwhile' if killed else ''}", fault, killed=killed)
    stage.prove(expected=lambda finding: "refused by the journal" in finding)


def one_round(stage: Stage, number: int, name: str, fault: Fault, *, killed: bool) -> None:
    """Calls before, amid and after the fault, and accounts for each call."""
    disk = small_disk(stage, f"disk-{number}", fault.options)
    if disk is None:
        stage.outcome.skipped.append(f"{name}: only root may mount a small disk")
        return
    prefix, service = f"r{number}-", f"disks-{number}"
    journal, control, until = disk / "journal", Control(stage.folder / f"{number}.control"), stage.folder / f"{number}.until"
    control.path.chmod(0o666)
    settings = {"ship": "false", "journal_segment_bytes": SEGMENT, "service_name": service, **dict(fault.settings)}
    arguments = {"name": f"{prefix}a", "pause": 0.005, "padding": PADDING, "until": str(until)}
    call = "torture.calls:load"
    if fault.nobody:
        journal.mkdir()
        call, arguments = "torture.calls:of_nobody", arguments | {"folder": str(journal)}
    if fault.from_the_start:
        fault.begin(Ground(stage, journal, control, Application("", 0, Path())))
    application = stage.application(f"{prefix}a", journal, "", call, arguments=arguments, control=control, **settings)
    ground = Ground(stage, journal, control, application)
    application.says(BEFORE)
    if not fault.from_the_start:
        fault.begin(ground)
    application.says(len(application.lines) + AMID)
    resumed = 1 << 30
    if killed:
        application.kill()
    fault.heal(ground)
    if not killed:
        time.sleep(RESUMES_S)
        resumed = len(application.lines) + 1
        application.says(resumed + AFTER)
        until.touch()
        application.wait()
    words = stage.drain(journal, stage.endpoint)
    lines = application.lines
    said = parsed(lines, prefix)
    rows = stage.settled(said, prefix, deadline_s=3)
    refused = stage.refused(service)
    missing = said.keys() - rows.keys()
    stage.say(f"{name}: {len(said)} answers seen, {len(rows)} rows, {refused} refused by number")
    stage.outcome.refused += refused
    answered = {operation: tokens for operation, tokens in stage.answered(prefix).items() if operation not in missing}
    stage.outcome.count({operation: said[operation] for operation in said.keys() & rows.keys()}, answered, rows, where=name, unseen=1)
    unseen = killed + sum(line.startswith("failed ") for line in lines)  # a call that failed has a record too
    late = [operation for operation in list(said)[resumed:] if operation not in rows]
    for holds, sentence in (
        (not words, f"the journal is not drained: {words}"),
        (len(missing) <= refused <= len(missing) + unseen, f"{len(missing)} calls have no row, {refused} are named"),
        (bool(refused) == fault.refuses, f"{refused} calls were refused"),
        (not late, f"{len(late)} calls were refused after the fault was over"),
        (not any("Traceback" in line for line in lines), f"the application heard of it: {[line for line in lines if 'Error' in line][:1]}"),
    ):
        if not holds:
            stage.outcome.fail(f"round {number}, {name}: {sentence}")


def fails(field: str, number: int) -> tuple[Callable[[Ground], None], Callable[[Ground], None]]:
    """Returns a fault of the shim: calls fail with this error."""
    return lambda ground: ground.control.set(**{field: number}), lambda ground: ground.control.set(**{field: 0})


def take_room(ground: Ground) -> None:
    """Fills the disk."""
    ground.left = fill(ground.journal.parent)


def give_room(ground: Ground) -> None:
    """Empties the disk."""
    if ground.left is not None:
        ground.left.unlink()


def take_inodes(ground: Ground) -> None:
    """Takes all inodes."""
    ground.left = ground.journal.parent / "many"
    ground.left.mkdir()
    try:
        for number in range(10_000):
            (ground.left / str(number)).touch()
    except OSError:
        return


def give_inodes(ground: Ground) -> None:
    """Gives them back."""
    shutil.rmtree(ground.journal.parent / "many")


def limit(which: int, size: Callable[[Ground], int]) -> tuple[Callable[[Ground], None], Callable[[Ground], None]]:
    """Returns a fault that limits the running process."""

    def begin(ground: Ground) -> None:
        resource.prlimit(ground.application.pid, which, (size(ground), resource.prlimit(ground.application.pid, which)[1]))

    def heal(ground: Ground) -> None:
        if ground.application.running:
            hard = resource.prlimit(ground.application.pid, which)[1]
            resource.prlimit(ground.application.pid, which, (hard, hard))

    return begin, heal


def open_files(ground: Ground) -> int:
    """Returns the lowest limit that the process has reached already."""
    return sum(1 for _ in Path(f"/proc/{ground.application.pid}/fd").iterdir())


def take_rights(ground: Ground) -> None:
    """Gives the folder and all in it to root alone."""
    for path in (ground.journal, *ground.journal.iterdir()):
        os.chown(path, 0, 0)
        path.chmod(0o700)


def give_rights(ground: Ground) -> None:
    """Gives the folder back."""
    for path in (ground.journal, *ground.journal.iterdir()):
        os.chown(path, NOBODY, NOBODY)


def delete(ground: Ground) -> None:
    """Removes the whole journal: what was open is written again by its writer."""
    shutil.rmtree(ground.journal, ignore_errors=True)


def nothing(_ground: Ground) -> None:
    """Does nothing."""


FAULTS = {
    "disk full": Fault(take_room, give_room),
    "no inodes": Fault(take_inodes, give_inodes, options="size=16m,nr_inodes=60"),
    "quota": Fault(*fails("write_error", errno.EDQUOT)),
    "read-only": Fault(*fails("write_error", errno.EROFS)),
    "input/output error": Fault(*fails("write_error", errno.EIO)),
    "RLIMIT_FSIZE below a record": Fault(*limit(resource.RLIMIT_FSIZE, lambda _: 8 << 10)),
    "RLIMIT_FSIZE of some records": Fault(*limit(resource.RLIMIT_FSIZE, lambda _: 64 << 10), refuses=False),
    "RLIMIT_NOFILE": Fault(*limit(resource.RLIMIT_NOFILE, open_files), kept=False),
    "rights lost": Fault(take_rights, give_rights, kept=False, nobody=True),
    "folder deleted": Fault(delete, nothing, refuses=False, kept=False, settings=(("journal_segment_bytes", str(8 << 20)),)),
    "no locks": Fault(*fails("lock_error", errno.ENOLCK), refuses=False, kept=False, from_the_start=True),
    "sync errors, always": Fault(*fails("sync_error", errno.EIO), settings=(("journal_fsync", "always"),)),
    "sync errors, every 5 ms": Fault(*fails("sync_error", errno.EIO), refuses=False, settings=(("journal_fsync", "5"),)),
}
