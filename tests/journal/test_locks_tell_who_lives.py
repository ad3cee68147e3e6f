"""A lock says that its holder lives, and only that: not that somebody looked, not that the file was there a moment ago."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from tests.support.forked import exit_code_of_child
from tests.support.journal import abandon, adopt, append, writer
from tests.support.otlp_receiver import Otlp
from tokentrail.journal.folder import ALIVE, Lock, is_alive, writer_folders


def test_a_lock_has_one_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first = Lock.take(path)
    assert first is not None
    assert Lock.take(path) is None
    assert exit_code_of_child(lambda: Lock.take(path) is None) == 0
    first.close()
    first.close()
    assert exit_code_of_child(lambda: Lock.take(path) is not None) == 0
    assert Lock.take(path) is not None, "given back by the kernel"


def test_a_forked_child_closes_and_never_unlocks(tmp_path: Path) -> None:
    """Closing the last open file of a lock frees it, closing a copy does not; unlocking a copy would."""
    path = tmp_path / "lock"
    lock = Lock.take(path)
    assert lock is not None

    def closes_twice() -> bool:
        lock.close()
        return not lock.holds()

    assert exit_code_of_child(closes_twice) == 0
    assert Lock.take(path) is None
    assert lock.holds()


@pytest.mark.parametrize("replaced", [True, False])
def test_a_file_that_is_removed_while_it_is_locked_is_nobodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replaced: bool) -> None:
    """Another adopter removes the file after we opened it and before we lock it: our lock would keep nobody out."""
    path = tmp_path / "lock"
    flock = fcntl.flock

    def too_late(fd: int, how: int) -> None:
        path.unlink()
        if replaced:
            path.touch()
        flock(fd, how)

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", too_late)
        assert Lock.take(path) is None
    assert Lock.take(path) is not None


def test_a_folder_that_is_gone_has_no_lock(tmp_path: Path) -> None:
    assert Lock.take(tmp_path / "gone" / "lock") is None
    assert not is_alive(tmp_path / "gone")
    assert writer_folders(tmp_path / "gone") == []


def test_looking_whether_it_lives_disturbs_nobody(root: Path) -> None:
    service = writer(root)
    append(service, 1)
    running = True

    def look() -> None:
        while running:
            assert is_alive(service.folder)

    lookers = [threading.Thread(target=look) for _ in range(3)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(200):
            assert Lock.take(service.folder / ALIVE) is None
    finally:
        running = False
        for looker in lookers:
            looker.join()
    abandon(service)
    assert not is_alive(service.folder)


def test_many_adopters_at_once_ship_each_folder_once(root: Path, otlp: Otlp) -> None:
    dead = [writer(root) for _ in range(12)]
    for one in dead:
        append(one, 3)
        abandon(one)
    failures: list[object] = []

    def race() -> None:
        try:
            while writer_folders(root):
                if not adopt(root, otlp).done:
                    failures.append("not done")
        except Exception as error:
            failures.append(error)

    racers = [threading.Thread(target=race) for _ in range(6)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(60)
    assert failures == []
    assert list(root.iterdir()) == []
    for one in dead:
        assert otlp.numbers(one.writer_id) == [1, 2, 3]
        assert len(otlp.closings(one.writer_id)) == 1


@pytest.mark.slow
def test_a_fork_never_falls_between_opening_a_lock_and_knowing_it(root: Path) -> None:
    """Threads take and give back locks while others fork: a child that lives on must hold none."""
    root.mkdir()
    paths = [root / f"lock-{number}" for number in range(3)]
    running = True

    def take(path: Path) -> None:
        while running:
            lock = Lock.take(path)
            if lock is not None:
                lock.close()

    takers = [threading.Thread(target=take, args=(path,)) for path in paths]
    for taker in takers:
        taker.start()
    read, write = os.pipe()
    born, tell = os.pipe()
    children = []
    try:
        for _ in range(40):
            pid = os.fork()
            if pid == 0:
                os.close(write)
                os.write(tell, b"x")
                os.read(read, 1)  # until the parent has seen that the locks are free
                os._exit(0)
            children.append(pid)
            os.read(born, 1)
        running = False
        for taker in takers:
            taker.join()
        assert all(Lock.take(path) is not None for path in paths), "a child holds a lock"
    finally:
        running = False
        os.close(write)
        for pid in children:
            os.waitpid(pid, 0)
