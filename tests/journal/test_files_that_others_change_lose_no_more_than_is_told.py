"""Files that others cut, move, replace, extend or close while they are in use: what is written after that arrives, and what is gone is told."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.journal.test_torn_bytes_are_skipped_and_named import frames
from tests.support.journal import abandon, adopt, append, shipper, writer
from tests.support.otlp_receiver import Otlp
from tokentrail.journal import writer as writer_module
from tokentrail.journal.background import Background
from tokentrail.journal.folder import segments
from tokentrail.journal.writer import Writer
from tokentrail.settings import Settings


def cut(to: Callable[[Path], int]) -> Callable[[Path], object]:
    return lambda path: os.truncate(path, to(path))


def replaced(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(os.urandom(3000))
    other.rename(path)


CHANGES: dict[str, Callable[[Path], object]] = {
    "cut to nothing": cut(lambda _path: 0),
    "cut between two records": cut(lambda path: frames(path)[5][1]),
    "cut within a record": cut(lambda path: frames(path)[5][1] + 7),
    "cut within the last record": cut(lambda path: frames(path)[-1][0] + 30),
    "extended": cut(lambda path: path.stat().st_size + 100_000),
    "removed": Path.unlink,
    "moved": lambda path: path.rename(path.with_name("moved")),
    "replaced": replaced,
    "overwritten": lambda path: path.write_bytes(os.urandom(3000)),
}
KEPT = ("extended", "removed", "moved", "replaced")
"""What is still open holds all of it."""


@pytest.fixture(params=[0.0, 1e9], ids=["seen at once", "seen too late"])
def look_seconds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> float:
    monkeypatch.setattr(writer_module, "LOOK_SECONDS", request.param)
    return float(request.param)


@pytest.mark.usefixtures("look_seconds")
@pytest.mark.parametrize("change", [name for name in CHANGES if name not in ("removed", "moved", "replaced")])
@pytest.mark.parametrize("more", [3, 100], ids=["shorter than it was", "longer than it was"])
def test_what_is_written_after_that_arrives(root: Path, otlp: Otlp, change: str, more: int) -> None:
    service = writer(root)
    append(service, 20)
    ships = shipper(root, otlp)
    assert ships.ship_folder(service.folder, live=True).done
    [path] = segments(service.folder)
    CHANGES[change](path)
    append(service, more)
    assert ships.ship_folder(service.folder, live=True).done
    assert set(otlp.numbers(service.writer_id)) == set(range(1, 21 + more))
    service.close()
    assert adopt(root, otlp).done
    assert otlp.damaged(service.writer_id) == set()


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_gone_is_told_while_its_writer_lives(root: Path, otlp: Otlp, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    monkeypatch.setattr(writer_module, "LOOK_SECONDS", 0.0)
    said: list[str] = []
    service = Writer(root, {}, segment_bytes=1 << 20, max_bytes=1 << 30, complain=said.append)
    append(service, 10)
    ships = shipper(root, otlp)
    assert ships.ship_folder(service.folder, live=True).done
    append(service, 10)
    CHANGES[change](segments(service.folder)[0])
    append(service, 5)
    assert ships.ship_folder(service.folder, live=True).done
    gone = set() if change in KEPT else {20} if "last" in change else set(range(11, 21))
    assert set(otlp.numbers(service.writer_id)) == set(range(1, 26)) - gone
    assert otlp.damaged(service.writer_id, closed=False) == gone
    assert len([sentence for sentence in said if sentence.startswith("somebody")]) == 1
    abandon(service)


@pytest.fixture
def begin(root: Path, otlp: Otlp) -> Iterator[Callable[[], tuple[Writer, Background]]]:
    begun: list[Background] = []

    def start() -> tuple[Writer, Background]:
        service = writer(root)
        begun.append(Background(service, Settings(endpoint=otlp.url, ship_interval=30.0, adopt_interval=30.0), lambda _sentence: None))
        begun[-1].start()
        return service, begun[-1]

    yield start
    for background in begun:
        background.stop(5)


def test_flush_is_false_where_records_are_gone(otlp: Otlp, begin: Callable[[], tuple[Writer, Background]]) -> None:
    service, background = begin()
    append(service, 10)
    assert background.flush(5)
    time.sleep(0.3)  # a flush may have asked for one pass more than it needed, which would take number 11
    append(service, 1, metadata="m")
    os.truncate(segments(service.folder)[0], 0)
    append(service, 1)
    assert not background.flush(5)
    assert otlp.numbers(service.writer_id)[-1] == 12
    assert not background.flush(5), "number 11 does not come back"
    service.close()
    background.stop(5)
    assert not background.flush(5)
    assert otlp.damaged(service.writer_id) == {11}


def test_flush_is_true_where_all_of_a_cut_file_had_arrived(otlp: Otlp, begin: Callable[[], tuple[Writer, Background]]) -> None:
    service, background = begin()
    append(service, 10)
    assert background.flush(5)
    os.truncate(segments(service.folder)[0], 0)
    append(service, 30)
    assert background.flush(5)
    assert set(otlp.numbers(service.writer_id)) == set(range(1, 41))


def test_a_file_that_somebody_closed_is_left_for_another_one(root: Path, otlp: Otlp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As programs do that become daemons; the number is another file's soon."""
    monkeypatch.setattr(writer_module, "LOOK_SECONDS", 0.0)
    service = writer(root)
    append(service, 3)
    number = service.files.fd
    os.close(number)
    with (tmp_path / "other").open("w+b") as other:
        assert other.fileno() == number, "the lowest free number"
        append(service, 3)
        service.close()
        assert os.fstat(number).st_size == 0
    assert adopt(root, otlp).done
    assert otlp.numbers(service.writer_id) == [1, 2, 3, 4, 5, 6]
    assert otlp.damaged(service.writer_id) == set()


@pytest.mark.parametrize("spoil", [bytes, os.urandom, lambda size: b"\xff" * size], ids=["zeros", "noise", "ones"])
@pytest.mark.parametrize("acknowledged", [0, 5])
def test_a_journal_without_one_good_byte_names_its_writer(root: Path, otlp: Otlp, spoil: Callable[[int], bytes], acknowledged: int) -> None:
    dead = writer(root)
    if acknowledged:
        append(dead, acknowledged)
        assert shipper(root, otlp).ship_folder(dead.folder, live=True).done
    append(dead, 10)
    abandon(dead)
    [path] = segments(dead.folder)
    path.write_bytes(spoil(path.stat().st_size))
    assert adopt(root, otlp).done
    assert otlp.damaged(dead.writer_id) == {acknowledged + 1}, "how many there were, nobody knows"
    assert list(root.iterdir()) == []


def test_what_is_acknowledged_before_all_of_it_is_spoiled_is_not_missing(root: Path, otlp: Otlp) -> None:
    dead = writer(root)
    append(dead, 10)
    assert shipper(root, otlp).ship_folder(dead.folder, live=True).done
    abandon(dead)
    [path] = segments(dead.folder)
    path.write_bytes(bytes(path.stat().st_size))
    assert adopt(root, otlp).done
    assert otlp.damaged(dead.writer_id) == set()


def test_a_file_that_was_begun_for_a_record_which_never_came_is_no_damage(root: Path, otlp: Otlp) -> None:
    dead = writer(root)
    append(dead, 1)
    abandon(dead)
    [path] = segments(dead.folder)
    os.truncate(path, frames(path)[0][1] + 9)
    assert adopt(root, otlp).done
    assert otlp.damaged(dead.writer_id) == set()


def test_a_first_file_that_is_cut_to_nothing_is_told(root: Path, otlp: Otlp, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next file's header says that numbers were given before; they were not acknowledged, for the first file is still there."""
    monkeypatch.setattr(writer_module, "LOOK_SECONDS", 0.0)
    service = writer(root)
    append(service, 3)
    os.truncate(segments(service.folder)[0], 0)
    append(service, 1)
    assert shipper(root, otlp).ship_folder(service.folder, live=True).done
    assert otlp.damaged(service.writer_id, closed=False) == {1, 2, 3}
    abandon(service)
