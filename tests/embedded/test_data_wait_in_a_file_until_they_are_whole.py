from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from tokentrail.embedded.errors import CannotStart, ClientGone, EngineError
from tokentrail.embedded.spool import Spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    made = Spool(tmp_path / "spool")
    made.prepare()
    return made


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may become larger than 100,000 bytes: what a full disk is to a writer."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_holds_all_pieces_and_goes_with_its_context(spool: Spool) -> None:
    with spool.file([b"ab", b"", b"c" * 1_000_000]) as spooled:
        assert spooled.path.read_bytes() == b"ab" + b"c" * 1_000_000
        assert (spooled.size, spooled.path.parent) == (1_000_002, spool.folder)
    assert list(spool.folder.iterdir()) == []


def test_data_that_end_early_leave_no_file(spool: Spool) -> None:
    def cut() -> Iterator[bytes]:
        yield b"half"
        assert [path.read_bytes() for path in spool.folder.iterdir()] == [b"half"]
        raise ClientGone

    with pytest.raises(ClientGone), spool.file(cut()):
        pass
    assert list(spool.folder.iterdir()) == []


@pytest.mark.usefixtures("small_files")
def test_a_disk_without_room_may_have_some_later(spool: Spool) -> None:
    with pytest.raises(EngineError) as refused, spool.file([b"x" * 60_000] * 2):
        pass
    assert (refused.value.code, refused.value.status) == (243, 503)
    assert list(spool.folder.iterdir()) == []


def test_a_folder_that_is_gone_may_come_back(spool: Spool) -> None:
    spool.folder.rmdir()
    with pytest.raises(EngineError) as refused, spool.file([b"x"]):
        pass
    assert (refused.value.code, refused.value.status) == (75, 503)


def test_what_a_killed_process_left_is_removed(spool: Spool) -> None:
    (spool.folder / "insert-left").write_bytes(b"x")
    spool.prepare()
    assert list(spool.folder.iterdir()) == []


@pytest.mark.parametrize("name", ["a*", "a?", "{1..2}", "a}"])
def test_a_name_that_the_engine_reads_as_a_pattern(tmp_path: Path, name: str) -> None:
    with pytest.raises(CannotStart, match="in its name"):
        Spool(tmp_path / name / "spool").prepare()
