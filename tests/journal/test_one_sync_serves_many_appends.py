"""`journal_fsync` in milliseconds: when syncs happen, that no append waits for one, and what becomes of their errors."""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.journal import Program, abandon, adopt, append, environment, shipper, usage, writer
from tests.support.otlp_receiver import Otlp
from tests.support.power_loss import Synced, record
from tests.support.waiting import wait_until
from tokentrail.journal import folder as layout
from tokentrail.journal import sync as sync_module
from tokentrail.journal import writer as writer_module
from tokentrail.journal.writer import Writer
from tokentrail.process import threads
from tokentrail.recording.runtime import Runtime
from tokentrail.settings import Settings

NEVER_COMES = 60_000
LATE = 2.0
"""Seconds by which a busy machine may be late."""


class Disk:
    """Records syncs; `slow()` makes those of segments wait, `error` makes them fail."""

    def __init__(self) -> None:
        self.synced: list[Synced] = []
        self.error = 0
        self.threads: list[int] = []
        self._go = threading.Event()
        self._go.set()
        self.waiting = 0
        self.slow_path = ".journal"
        self.quick = 0
        """A thread that never waits."""

    def before(self, path: str) -> None:
        if path.endswith(self.slow_path):
            self.threads.append(threading.get_native_id())
            self.waiting += 1
            assert threading.get_ident() == self.quick or self._go.wait(30)
            self.waiting -= 1
            if self.error:
                raise OSError(self.error, os.strerror(self.error))

    def slow(self) -> None:
        self._go.clear()

    def go(self) -> None:
        self._go.set()

    def segments(self) -> list[Synced]:
        """The syncs of segments."""
        return [one for one in self.synced if one.path.endswith(".journal")]

    def covers(self, path: Path) -> bool:
        """Whether the file was synced with the size that it has now."""
        return any(one.path == str(path) and one.size == path.stat().st_size for one in self.synced)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    disk = Disk()
    record(monkeypatch.setattr, disk.synced.append, disk.before)
    yield disk
    disk.go()


@pytest.fixture
def begin(root: Path) -> Iterator[Callable[..., Writer]]:
    begun: list[Writer] = []

    def starter(fsync: object, **options: Any) -> Writer:
        begun.append(writer(root, fsync=fsync, **options))
        return begun[-1]

    yield starter
    for one in begun:
        abandon(one)
        wait_until(lambda one=one: one.sync is None or not one.sync.thread, "its thread has ended", every_s=0.005)


def test_a_sync_follows_in_time_and_covers_all_appends(disk: Disk, begin: Callable[..., Writer]) -> None:
    service = begin(300)
    began = time.monotonic()
    append(service, 1)
    first = time.monotonic()
    append(service, 50)
    [one] = wait_until(disk.segments, "the sync", every_s=0.005)
    assert disk.covers(service.files.current)
    assert began + 0.3 <= one.began <= first + 0.3 + LATE, "not with the first append, and not much later than it may be"
    wait_until(lambda: disk.synced[1:], "the sync of names", every_s=0.005)


def test_the_names_of_files_and_folders_are_synced_too(disk: Disk, root: Path, begin: Callable[..., Writer]) -> None:
    service = begin(20)
    append(service, 1)
    names = wait_until(lambda: {one.path: one.names for one in disk.synced if one.names} if len(disk.synced) >= 4 else {}, "the names", every_s=0.005)
    assert service.writer_id in names[str(root)]
    assert service.files.current.name in names[str(service.folder)]
    assert root.name in names[str(root.parent)], "the journal's folder is new as well"


def test_no_append_waits_for_the_disk_and_none_is_forgotten(disk: Disk, begin: Callable[..., Writer]) -> None:
    service = begin(20)
    disk.slow()
    append(service, 1)
    wait_until(lambda: disk.waiting, "a sync is under way", every_s=0.005)
    appender = threading.Thread(target=append, args=(service, 100), daemon=True)
    appender.start()
    appender.join(10)
    assert not appender.is_alive(), "the append waits for the disk"
    disk.go()
    wait_until(lambda: disk.covers(service.files.current), "the next sync, of what was appended during the first one", every_s=0.005)
    assert threading.get_native_id() not in disk.threads


def test_without_work_the_thread_sleeps(disk: Disk, begin: Callable[..., Writer]) -> None:
    service = begin(20)
    append(service, 1)
    wait_until(lambda: len(disk.synced) >= 4, "the sync of the segment and of all names", every_s=0.005)
    [thread] = set(disk.threads)
    status = Path(f"/proc/self/task/{thread}/status")

    def wakes() -> int:
        return sum(int(line.split()[1]) for line in status.read_text().splitlines() if "ctxt_switches" in line)

    asleep = [wakes()]

    def calm() -> bool:
        asleep.append(wakes())
        return len(asleep) > 5 and asleep[-1] == asleep[-5]

    wait_until(calm, "1 s without a wake-up", every_s=0.25)
    count = len(disk.synced)
    append(service, 1)
    wait_until(lambda: disk.covers(service.files.current), "the next sync", every_s=0.005)
    assert len(disk.synced) == count + 1
    assert set(disk.threads) == {thread}


def test_a_segment_is_synced_before_the_next_one_is_used(disk: Disk, begin: Callable[..., Writer]) -> None:
    service = begin(NEVER_COMES, segment_bytes=4096)
    append(service, 40)
    *full, last = layout.segments(service.folder)
    assert len(full) > 1
    assert all(disk.covers(path) for path in full)
    assert not disk.covers(last)
    service.close()
    assert disk.covers(last)


@pytest.mark.parametrize("fsync", ["always", NEVER_COMES])
def test_a_closed_writer_is_synced_with_its_closing_record(disk: Disk, root: Path, begin: Callable[..., Writer], fsync: object) -> None:
    service = begin(fsync)
    append(service, 3)
    service.close()
    [segment] = layout.segments(service.folder)
    assert disk.covers(segment)
    names = {one.path: one.names for one in disk.synced if one.names}
    assert service.writer_id in names[str(root)]
    assert segment.name in names[str(service.folder)]


def test_closing_does_not_rely_on_the_names_that_the_thread_is_syncing(disk: Disk, root: Path, begin: Callable[..., Writer]) -> None:
    """The process may end next, and its threads with it."""
    service = begin(20)
    disk.slow_path, disk.quick = root.name, threading.get_ident()
    disk.slow()
    append(service, 1)
    wait_until(lambda: disk.waiting, "the thread is syncing the journal's folder", every_s=0.005)
    service.close()
    names = {one.path: one.names for one in disk.synced if one.names}
    assert service.writer_id in names[str(root)]
    assert layout.segments(service.folder)[0].name in names[str(service.folder)]
    disk.go()


def test_never_syncs_nothing(disk: Disk, begin: Callable[..., Writer]) -> None:
    service = begin("never", segment_bytes=4096)
    append(service, 40)
    service.close()
    assert disk.synced == []


def test_always_is_synced_when_append_returns(disk: Disk, begin: Callable[..., Writer]) -> None:
    service = begin("always")
    for _ in range(5):
        append(service, 1)
        assert disk.covers(service.files.current)
    assert set(disk.threads) == {threading.get_native_id()}


def test_a_file_that_is_being_synced_stays_open_until_then(disk: Disk, begin: Callable[..., Writer]) -> None:
    """Else its number may be another file's by then, the application's perhaps."""
    service = begin(20, segment_bytes=4096)
    append(service, 1)
    wait_until(lambda: len(disk.synced) >= 4, "the first sync is over", every_s=0.005)
    disk.slow()
    before = service.files.current
    append(service, 1)
    wait_until(lambda: disk.waiting, "a sync is under way", every_s=0.005)
    disk.quick = threading.get_ident()
    append(service, 40)
    assert len(layout.segments(service.folder)) > 1
    assert str(before) in open_files()
    disk.go()
    wait_until(lambda: str(before) not in open_files(), "the former segment is closed", every_s=0.005)
    assert service.refused == 0


def open_files() -> set[str]:
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        try:
            found.add(str(link.readlink()))
        except OSError:
            continue
    return found


def test_closing_during_a_sync_leaves_neither_file_nor_thread(disk: Disk, begin: Callable[..., Writer]) -> None:
    service = begin(20)
    disk.slow()
    append(service, 1)
    wait_until(lambda: disk.waiting, "a sync is under way", every_s=0.005)
    [thread] = disk.threads
    closer = threading.Thread(target=service.close, daemon=True)
    closer.start()
    wait_until(lambda: disk.waiting == 2, "the closing writer syncs too: the sync under way began before the closing record", every_s=0.005)
    disk.go()
    closer.join(10)
    [segment] = layout.segments(service.folder)
    assert disk.covers(segment)
    wait_until(lambda: str(segment) not in open_files(), "the segment is closed", every_s=0.005)
    wait_until(lambda: not Path(f"/proc/self/task/{thread}").exists(), "the thread has ended", every_s=0.005)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_an_error_is_counted_and_logged_and_harms_no_append(
    disk: Disk, root: Path, otlp: Otlp, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    settings = Settings(ship=False, exit_timeout=0, spans=False, metrics="none").with_(journal_dir=str(root), journal_fsync=20)
    disk.error = number
    with caplog.at_level(logging.WARNING, "tokentrail"), Runtime(settings).in_place() as runtime:
        for count in range(1, 4):
            assert runtime.journal.append(usage(count)) == count
            wait_until(lambda count=count: runtime.diagnostics.internal_errors.get("journal.sync", 0) >= count, "the error is counted", every_s=0.005)
        disk.error = 0
        assert runtime.journal.append(usage(4)) == 4
        wait_until(disk.segments, "the next sync goes well", every_s=0.005)
        assert runtime.diagnostics.internal_errors == {"journal.sync": 3}
        wait_until(lambda: [one for one in disk.synced if one.path == str(root)], "the names that failed before", every_s=0.005)
    [said] = [one.getMessage() for one in caplog.records]
    assert said.endswith(f"cannot be synced to disk: {os.strerror(number)} (1 so far); its last records may not survive power loss")
    assert adopt(root, otlp).done
    [writer_id] = otlp.writers()
    assert otlp.numbers(writer_id) == [1, 2, 3, 4]


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_always_refuses_what_it_cannot_sync_and_ships_none_of_it(
    disk: Disk, begin: Callable[..., Writer], root: Path, otlp: Otlp, number: int
) -> None:
    """Each number is one of both: on disk, or refused. The file that could not be synced takes the next record."""
    service = begin("always")
    assert append(service, 3) == [1, 2, 3]
    disk.error = number
    assert append(service, 3) == [-4, -5, -6]
    disk.error = 0
    assert append(service, 2) == [7, 8]
    assert len(layout.segments(service.folder)) == 1
    service.close()
    assert adopt(root, otlp).done
    assert otlp.numbers(service.writer_id) == [1, 2, 3, 7, 8]
    assert otlp.refused(service.writer_id) == {4, 5, 6}


def test_a_new_file_that_cannot_be_synced_keeps_no_refused_record(
    disk: Disk, begin: Callable[..., Writer], root: Path, otlp: Otlp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The current file cannot grow, the next one is begun, and its first sync fails."""
    service = begin("always")
    assert append(service, 2) == [1, 2]
    real, left = writer_module.write, [True]

    def full_once(fd: int, data: bytes) -> int:
        if left and left.pop():
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        return real(fd, data)

    monkeypatch.setattr(writer_module, "write", full_once)
    disk.error = errno.EIO
    assert append(service, 1) == [-3]
    disk.error = 0
    assert append(service, 1) == [4]
    service.close()
    assert adopt(root, otlp).done
    assert otlp.numbers(service.writer_id) == [1, 2, 4]
    assert otlp.refused(service.writer_id) == {3}


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EOPNOTSUPP, errno.EACCES])
def test_a_file_system_that_syncs_no_folders_takes_records(begin: Callable[..., Writer], monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def fails(_folder: Path) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(sync_module, "sync_folder", fails)
    assert append(begin("always"), 3) == [1, 2, 3]


def test_an_error_at_rotation_or_close_harms_nothing_either(disk: Disk, begin: Callable[..., Writer]) -> None:
    errors: list[OSError] = []
    service = begin(NEVER_COMES, segment_bytes=4096, on_sync_error=errors.append)
    disk.error = errno.EIO
    assert append(service, 40) == list(range(1, 41))
    rotated = len(layout.segments(service.folder)) - 1
    assert len(errors) == rotated > 1
    service.close()
    assert len(errors) == rotated + 1
    assert {error.errno for error in errors} == {errno.EIO}


def test_an_error_of_always_refuses_the_record(disk: Disk, begin: Callable[..., Writer]) -> None:
    service = begin("always")
    assert append(service, 1) == [1]
    disk.error = errno.EIO
    assert append(service, 1) == [-2]
    disk.error = 0
    assert append(service, 1) == [3]


def test_where_no_thread_can_be_started_the_append_syncs(disk: Disk, begin: Callable[..., Writer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "start_native", lambda *_: 0)
    service = begin(NEVER_COMES)
    append(service, 1)
    assert disk.covers(service.files.current)
    monkeypatch.undo()


def test_a_thread_that_an_error_ended_is_started_again(disk: Disk, begin: Callable[..., Writer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "start_native", lambda run: threading.Thread(target=quietly, args=(run,), daemon=True).start() or 1)
    service = begin(20)
    real = sync_module.sync_file

    def fails(_fd: int) -> None:
        append(service, 1)  # asks the thread that is about to end for the next sync
        raise ZeroDivisionError

    monkeypatch.setattr(sync_module, "sync_file", fails)
    append(service, 1)
    wait_until(lambda: not service.sync.thread, "the thread has ended", every_s=0.005)
    monkeypatch.setattr(sync_module, "sync_file", real)
    append(service, 1)
    wait_until(lambda: disk.covers(service.files.current), "the next append's sync", every_s=0.005)


def quietly(run: Callable[[], object]) -> None:
    try:
        run()
    except ZeroDivisionError:
        return


@pytest.mark.parametrize("cursor_survives", [True, False])
def test_records_that_were_shipped_unsynced_are_not_missing_after_power_loss(root: Path, otlp: Otlp, cursor_survives: bool) -> None:
    """The Collector has more than the disk then. The adopter sends what it finds once more and closes; nothing is told to be damaged."""
    left = writer(root)
    append(left, 10)
    synced = left.files.size
    append(left, 20)
    assert shipper(root, otlp).ship_folder(left.folder, live=True).done
    abandon(left)
    os.truncate(left.files.current, synced)
    if not cursor_survives:
        (left.folder / "cursor").unlink()
    assert adopt(root, otlp).done
    assert set(otlp.numbers(left.writer_id)) == set(range(1, 31))
    [closing] = otlp.closings(left.writer_id)
    assert closing["last_seq"] == (30 if cursor_survives else 10)
    assert not closing["damaged"]


GREEN = """
import gevent.monkey; gevent.monkey.patch_all()
import gevent, os, sys, time
from gevent.monkey import get_original
sleep, real, fail = get_original("time", "sleep"), os.fdatasync, []
def slowly(fd):
    os.write(1, b"syncing\\n")
    sleep(0.5)
    if fail: raise OSError(5, "as planned")
    real(fd)
    os.write(1, b"synced\\n")
os.fdatasync = slowly
from tests.support.journal_load import one, tell
from tokentrail.process.current import current
def ticks():
    while True:
        os.write(1, b"tick\\n")
        gevent.sleep(0.02)
gevent.spawn(ticks)
tell(*one())
gevent.sleep(0.8)
fail.append(True)
tell(*one())
gevent.sleep(0.8)
fail.clear()
assert current.runtime.diagnostics.internal_errors == {}, "a native thread must not log beside gevent"
tell(*one())
assert current.runtime.diagnostics.internal_errors == {"journal.sync": 1}
"""


def test_beside_gevent_the_hub_goes_on_during_a_sync(root: Path, start: Callable[..., Program]) -> None:
    pytest.importorskip("gevent")
    program = start(GREEN, environment(root, ship="false", journal_fsync=20))
    assert program.end() == 0, program.errors
    began, ended = program.lines.index("syncing"), program.lines.index("synced")
    assert program.lines[began:ended].count("tick") > 5
    assert program.errors.count("cannot be synced to disk: as planned") == 1
