"""Files that others put beside a living writer's: a restored backup, a copy, a file of anything under a segment's name. No record is lost or refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.journal import abandon, adopt, append, shipper, writer
from tests.support.otlp_receiver import Otlp
from tokentrail.journal import writer as writer_module
from tokentrail.journal.folder import segments

PUT: dict[str, Callable[[Path, Path], object]] = {
    "a copy": shutil.copy,
    "garbage": lambda _path, to: to.write_bytes(b"of somebody" * 100),
    "an empty file": lambda _path, to: to.touch(),
}
LATER = ("00000002.journal", "00000009.journal", "89999998.journal", "99999999.journal", "123456789.journal")
SEGMENT = 4096


@pytest.fixture(params=[0.0, 1e9], ids=["seen at once", "seen late"])
def look_seconds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> float:
    monkeypatch.setattr(writer_module, "LOOK_SECONDS", request.param)
    return float(request.param)


@pytest.mark.parametrize("ends", ["closes", "is killed"])
@pytest.mark.parametrize("later", LATER)
@pytest.mark.parametrize("put", PUT)
def test_all_records_arrive(root: Path, otlp: Otlp, look_seconds: float, put: str, later: str, ends: str) -> None:
    service = writer(root, segment_bytes=SEGMENT)
    numbers = append(service, 5)
    [path] = segments(service.folder)
    PUT[put](path, service.folder / later)
    ships = shipper(root, otlp)
    assert ships.ship_folder(service.folder, live=True).done
    for _ in range(6):
        numbers += append(service, 10)
        assert ships.ship_folder(service.folder, live=True).done
    if ends == "closes" or look_seconds:
        service.close()  # what a killed writer has not looked at yet lies in a file that somebody made the shipper remove
    else:
        abandon(service)
    assert adopt(root, otlp).done
    assert numbers == list(range(1, 66)), "nothing was refused"
    assert set(otlp.numbers(service.writer_id)) == set(numbers)
    assert otlp.damaged(service.writer_id) == set()
    assert {closing["last_seq"] for closing in otlp.closings(service.writer_id)} == {65}


def test_a_sentence_says_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "LOOK_SECONDS", 0.0)
    said: list[str] = []
    service = writer(root, complain=said.append)
    append(service, 2)
    [path] = segments(service.folder)
    shutil.copy(path, path.with_name("00000007.journal"))
    append(service, 2)
    assert len(said) == 1
    assert "a file was put beside" in said[0]
    assert str(path) in said[0]
    append(service, 2)
    assert len(said) == 1


def test_a_file_that_was_removed_within_a_second_of_the_next_one_is_written_again(root: Path, otlp: Otlp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "LOOK_SECONDS", 1e9)
    service = writer(root, segment_bytes=SEGMENT)
    numbers = append(service, 5)
    [path] = segments(service.folder)
    path.unlink()
    numbers += append(service, 60)
    service.close()
    assert adopt(root, otlp).done
    assert set(otlp.numbers(service.writer_id)) == set(numbers)
    assert otlp.damaged(service.writer_id) == set()
