"""Numbers whose frames are torn are told as damaged, also where the writer closed itself, and where only its closing record knows of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journal.test_torn_bytes_are_skipped_and_named import frames, overwrite
from tests.support.journal import abandon, adopt, append, shipper, writer
from tests.support.otlp_receiver import Otlp, cut, numbers_of
from tests.support.waiting import wait_until
from tokentrail.journal import folder as layout
from tokentrail.journal.background import Background
from tokentrail.journal.folder import segments
from tokentrail.journal.reader import summarize
from tokentrail.settings import Settings


def zero(path: Path, numbers: set[int]) -> None:
    for start, end, number in frames(path):
        if number in numbers:
            overwrite(path, start, bytes(end - start))


def damaged(otlp: Otlp, writer_id: str) -> set[int]:
    return {number for closing in otlp.closings(writer_id) for number in numbers_of(closing["damaged"])}


@pytest.mark.parametrize("torn", [{5, 6}, {19, 20}, {1}, set(range(1, 21))], ids=["middle", "after the last number heard", "first", "all"])
def test_in_the_journal_of_a_writer_that_closed_itself(root: Path, otlp: Otlp, torn: set[int]) -> None:
    service = writer(root)
    append(service, 20)
    service.close()
    [path] = segments(service.folder)
    zero(path, torn)
    assert adopt(root, otlp).done
    assert set(otlp.numbers(service.writer_id)) == set(range(1, 21)) - torn
    assert damaged(otlp, service.writer_id) == torn
    assert max(closing["last_seq"] for closing in otlp.closings(service.writer_id)) == 20


def test_by_the_writers_own_shipper(root: Path, otlp: Otlp) -> None:
    """Torn while it ran, in a file that is long acknowledged and removed when the writer ends."""
    otlp.policy = lambda _received: cut()
    service = writer(root, segment_bytes=4096)
    append(service, 60)
    paths = segments(service.folder)
    torn = {frames(paths[0])[3][2], frames(paths[1])[-1][2]}
    for path in paths[:2]:
        zero(path, torn)
    otlp.policy = Otlp().policy
    background = Background(service, Settings(endpoint=otlp.url, ship_interval=0.02), lambda _sentence: None)
    background.start()
    assert not background.flush(20), "torn records do not arrive"
    assert otlp.damaged(service.writer_id, closed=False) == torn
    wait_until(lambda: not paths[1].exists(), "what is acknowledged is removed")
    append(service, 5)
    service.close()
    background.stop(20)
    assert set(otlp.numbers(service.writer_id)) == set(range(1, 66)) - torn
    assert damaged(otlp, service.writer_id) == torn
    assert all(not closing["closed_by"] for closing in otlp.closings(service.writer_id))


@pytest.mark.parametrize("survives", ["closing record", "cursor", "next file"])
def test_where_something_else_knows_of_the_numbers(root: Path, otlp: Otlp, survives: str) -> None:
    service = writer(root, segment_bytes=4096 if survives == "next file" else 1 << 20)
    append(service, 30)
    if survives == "cursor":  # skipped while it lived, by a sidecar
        zero(segments(service.folder)[0], {7})
        assert shipper(root, otlp).ship_folder(service.folder, live=True).done
        abandon(service)
        assert layout.load_cursor(service.folder).damaged == ((7, 7),)
        torn = {7}
    elif survives == "next file":
        first = segments(service.folder)[0]
        torn = {number for _, _, number in frames(first) if number > 3}
        zero(first, torn)
        abandon(service)
    else:
        service.close()
        torn = {28, 29, 30}
        zero(segments(service.folder)[0], torn)
    assert adopt(root, otlp).done
    assert damaged(otlp, service.writer_id) == torn
    assert set(otlp.numbers(service.writer_id)) == set(range(1, 31)) - torn


def test_what_is_acknowledged_is_not_missing(root: Path, otlp: Otlp) -> None:
    """Bytes that are torn after they were acknowledged: the disk is to be looked at, and no record is missing."""
    service = writer(root)
    append(service, 20)
    assert shipper(root, otlp).ship_folder(service.folder, live=True).done
    zero(segments(service.folder)[0], {5})
    summary = summarize(service.folder, live=True)
    assert summary.damaged_bytes > 0
    assert summary.missing == []
    service.close()
    assert adopt(root, otlp).done
    assert damaged(otlp, service.writer_id) == set()


STRAY: dict[str, Callable[[Path, Path], object]] = {
    "a file with a writer's name": lambda root, _folder: (root / ("0" * 32)).write_text("stray"),
    "a file with a begun folder's name": lambda root, _folder: (root / f".{'0' * 32}").write_text("stray"),
    "a dangling link with a writer's name": lambda root, _folder: (root / ("1" * 32)).symlink_to(root / "nowhere"),
    "a folder with a segment's name": lambda _root, folder: (folder / "00000001.journal.d").mkdir() or (folder / "99999999.journal").mkdir(),
    "a file that looks like a segment": lambda _root, folder: (folder / "notes.journal").write_text("stray"),
    "a file where records are put aside": lambda root, _folder: (root / "aside").write_text("stray"),
    "a name like that of refusals": lambda _root, folder: (folder / "refused.x-3").write_text("stray"),
}


@pytest.mark.parametrize("stray", STRAY.values(), ids=STRAY)
def test_stray_files_stop_nothing(root: Path, otlp: Otlp, stray: Callable[[Path, Path], object]) -> None:
    from click.testing import CliRunner

    from tokentrail.cli.journal import command

    service = writer(root, segment_bytes=4096)
    numbers = append(service, 10)
    stray(root, service.folder)
    numbers += append(service, 60)
    assert numbers == list(range(1, 71))
    status = CliRunner().invoke(command, ["status", "--dir", str(root)])
    assert status.exit_code == 0, status.output
    ships = shipper(root, otlp)
    assert ships.ship_folder(service.folder, live=True).done
    numbers += append(service, 30)
    service.close()
    assert adopt(root, otlp).done
    assert otlp.numbers(service.writer_id) == numbers
    assert damaged(otlp, service.writer_id) == set()


@pytest.mark.parametrize("spoiled", [{20}, {19, 20}])
def test_the_last_records_of_a_killed_writer(root: Path, otlp: Otlp, spoiled: set[int]) -> None:
    """A whole frame whose bytes are wrong was written before the kill; half of one was being written."""
    service = writer(root)
    append(service, 20)
    abandon(service)
    [path] = segments(service.folder)
    for _start, end, number in frames(path):
        if number in spoiled:
            overwrite(path, end - 1, b"\xff")
    assert adopt(root, otlp).done
    assert set(otlp.numbers(service.writer_id)) == set(range(1, 21)) - spoiled
    assert damaged(otlp, service.writer_id) == spoiled


def test_half_a_record_at_the_kill_is_no_damage(root: Path, otlp: Otlp) -> None:
    service = writer(root)
    append(service, 20)
    abandon(service)
    [path] = segments(service.folder)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 5)
    assert adopt(root, otlp).done
    assert damaged(otlp, service.writer_id) == set()
    assert max(closing["last_seq"] for closing in otlp.closings(service.writer_id)) == 19
