"""A small volume, a file size limit, a full disk: what is acknowledged makes room, what is refused is never forgotten, and the log says why."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.forked import exit_code_of_child
from tests.support.journal import Program, abandon, adopt, append, environment, shipper, writer
from tests.support.otlp_receiver import Otlp, cut, numbers_of
from tests.support.require import require
from tests.support.waiting import wait_until
from tokentrail.journal import folder as layout
from tokentrail.journal.background import Background
from tokentrail.journal.refusals import load_refused, refused_files
from tokentrail.settings import Settings


@pytest.fixture
def volume() -> Iterator[Path]:
    """300 kB of tmpfs."""
    folder = Path(tempfile.mkdtemp(prefix="tokentrail-small-volume-"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "none", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        folder.rmdir()
        require("tmpfs", "a small disk can be mounted by root only")
    yield folder
    subprocess.run(["umount", folder], check=True)
    folder.rmdir()


def fill(folder: Path) -> Path:
    """Take every byte that is left."""
    path = folder / "filler"
    with path.open("ab", buffering=0) as file:
        for step in (4096, 64, 1):
            try:
                while file.write(bytes(step)):
                    pass
            except OSError:
                continue
    return path


def test_a_small_volume_takes_all_calls_while_they_are_shipped(volume: Path, otlp: Otlp) -> None:
    """With settings as they are by default: a file of 8 MiB would never be left, and so never be removed."""
    service = writer(volume / "journal", segment_bytes=8 << 20)
    ships = shipper(service.root, otlp)
    numbers: list[int] = []
    for _ in range(60):
        numbers += append(service, 50)
        assert ships.ship_folder(service.folder, live=True).done
        service.rotate_if_acknowledged(ships.cursor(service.folder))
    assert len(numbers) * 150 > 300 << 10
    assert numbers == list(range(1, 3001)), "a record was refused"
    service.close()
    assert adopt(service.root, otlp).done
    assert otlp.numbers(service.writer_id) == numbers


@pytest.mark.parametrize("ships_itself", [True, False], ids=["own shipper", "sidecar"])
def test_a_volume_that_was_full_takes_all_calls_once_its_records_are_shipped(volume: Path, otlp: Otlp, ships_itself: bool) -> None:
    said: list[str] = []
    service = writer(volume / "journal", segment_bytes=8 << 20, complain=said.append)
    numbers = append(service, 20)
    ships = shipper(service.root, otlp)
    while numbers[-1] > 0:
        numbers += append(service, 10)
    numbers += append(service, 100)
    fill(volume)
    assert ships.ship_folder(service.folder, live=True).done
    if ships_itself:
        service.rotate_if_acknowledged(ships.cursor(service.folder))
    else:
        service.retry_at = 0.0  # as if a second had passed
    later = append(service, 200)
    assert all(number > 0 for number in later), f"{sum(number < 0 for number in later)} of 200 later calls were refused"
    assert "No space left on device" in said[0]
    service.close()
    assert adopt(service.root, otlp).done
    assert set(otlp.numbers(service.writer_id)) == {number for number in numbers + later if number > 0}
    assert otlp.refused(service.writer_id) == {-number for number in numbers if number < 0}


@pytest.mark.parametrize("action", [signal.SIG_IGN, signal.SIG_DFL], ids=["signal ignored, as Python does", "signal restored by the application"])
def test_a_file_size_limit_is_no_full_disk(root: Path, otlp: Otlp, action: signal.Handlers) -> None:
    """`ulimit -f` is smaller than a file of the journal: the next file is begun, and nothing is refused."""

    def works() -> bool:
        signal.signal(signal.SIGXFSZ, action)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
        said: list[str] = []
        service = writer(root, segment_bytes=8 << 20, complain=said.append)
        numbers = append(service, 4000)
        service.close()
        return numbers == list(range(1, 4001)) and not said

    assert exit_code_of_child(works) == 0
    assert adopt(root, otlp).done
    [writer_id] = otlp.writers()
    assert otlp.numbers(writer_id) == list(range(1, 4001))
    assert not otlp.refused(writer_id)


def test_a_limit_that_comes_while_the_service_runs_begins_the_next_file(root: Path, otlp: Otlp) -> None:
    def works() -> bool:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        service = writer(root, segment_bytes=8 << 20)
        numbers = append(service, 500)
        [path] = layout.segments(service.folder)
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, resource.RLIM_INFINITY))
        numbers += append(service, 500)
        service.close()
        return numbers == list(range(1, 1001)) and len(layout.segments(service.folder)) > 1

    assert exit_code_of_child(works) == 0
    assert adopt(root, otlp).done
    assert otlp.numbers(otlp.writers()[0]) == list(range(1, 1001))


def test_the_log_names_the_limit_and_not_the_disk(root: Path) -> None:
    def works() -> bool:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        said: list[str] = []
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
        service = writer(root, complain=said.append)
        refused = append(service, 2) == [-1, -2]
        return refused and "File size limit" in said[0] and "RLIMIT_FSIZE of 100 bytes" in said[0] and "space" not in said[0]

    assert exit_code_of_child(works) == 0


def read_refusals(otlp: Otlp, writer_id: str) -> tuple[set[int], int]:
    closings = otlp.closings(writer_id)
    assert closings, "the writer stays open for good"
    damaged = {number for closing in closings for number in numbers_of(closing["damaged"])}
    assert not damaged
    return otlp.refused(writer_id), max(closing["last_seq"] for closing in closings)


@pytest.mark.parametrize("end", ["closed", "killed"])
def test_refusals_on_a_full_disk_outlive_their_process(volume: Path, otlp: Otlp, end: str) -> None:
    """No block is free: neither a record of the refusals nor a closing one fits, and the Collector is away. Their names stay."""
    service = writer(volume / "journal")
    numbers = append(service, 20)
    filler = fill(volume)
    numbers += append(service, 60)
    refused = {-number for number in numbers if number < 0}
    assert refused
    assert max(refused) == 80
    service.close() if end == "closed" else abandon(service)
    assert {number for low, high in load_refused(service.folder) for number in range(low, high + 1)} == refused
    filler.stat()
    assert adopt(service.root, otlp).done
    assert set(otlp.numbers(service.writer_id)) == {number for number in numbers if number > 0}
    assert read_refusals(otlp, service.writer_id) == (refused, 80)
    assert list(service.root.iterdir()) == []


def test_a_disk_that_is_full_from_the_first_record_on(volume: Path, otlp: Otlp) -> None:
    fill(volume)
    service = writer(volume / "journal")
    assert append(service, 5) == [-1, -2, -3, -4, -5]
    abandon(service)
    assert adopt(service.root, otlp).done
    assert read_refusals(otlp, service.writer_id) == ({1, 2, 3, 4, 5}, 5)
    assert list(service.root.iterdir()) == []


def test_a_closed_writers_own_shipper_tells_what_the_disk_did_not_take(volume: Path, otlp: Otlp) -> None:
    service = writer(volume / "journal")
    background = Background(service, Settings(endpoint=otlp.url, ship_interval=0.02), lambda _sentence: None)
    background.start()
    numbers = append(service, 20)
    assert background.flush(10)
    fill(volume)
    while len(numbers) < 60 or numbers[-1] > 0:
        numbers += append(service, 20)
    refused = {-number for number in numbers if number < 0}
    service.close()
    background.stop(20)
    assert read_refusals(otlp, service.writer_id) == (refused, len(numbers))
    assert not otlp.closings(service.writer_id)[0]["closed_by"]
    assert background.flush(0), "all is acknowledged, the refusals too"
    assert list(service.root.iterdir()) == []


def test_a_program_that_ends_on_a_full_disk_while_the_collector_is_away(volume: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    otlp.policy = lambda _received: cut()
    code = """
import os
from tests.support.journal_load import one
for _ in range(5): os.write(1, b"%d\\n" % one()[1])
with open(os.environ["FILLER"], "ab", buffering=0) as file:
    for step in (4096, 64, 1):
        try:
            while file.write(bytes(step)): pass
        except OSError: pass
for _ in range(30): os.write(1, b"%d\\n" % one()[1])
"""
    program = start(code, environment(volume / "journal", otlp.url) | {"FILLER": str(volume / "filler")})
    assert program.end() == 0, program.errors
    assert "No space left on device" in program.errors
    numbers = list(map(int, program.lines))
    refused = {-number for number in numbers if number < 0}
    assert refused
    otlp.policy = Otlp().policy
    assert adopt(volume / "journal", otlp).done
    [writer_id] = otlp.writers()
    assert set(otlp.numbers(writer_id)) == {number for number in numbers if number > 0}
    assert read_refusals(otlp, writer_id) == (refused, 35)


def test_a_name_holds_as_many_ranges_as_fit(root: Path) -> None:
    service = writer(root)
    append(service, 1)
    for number in range(10_000, 20_000, 10):
        service.refusals.add(number)
    service.refusals.keep(service.folder)
    [path] = refused_files(service.folder)
    assert len(path.name) <= 200
    held = {number for low, high in load_refused(service.folder) for number in range(low, high + 1)}
    assert set(range(10_000, 20_000, 10)) <= held
    wait_until(lambda: append(service, 1)[0] == 2, "room again")
    assert load_refused(service.folder) == []


def test_a_bound_that_others_fill_leaves_room_for_what_is_acknowledged(root: Path, otlp: Otlp) -> None:
    """The file in use is full, all of it is acknowledged, and the bound leaves no room for another: it makes room itself."""
    (root / "aside").mkdir(parents=True)
    service = writer(root, segment_bytes=16 << 10, max_bytes=64 << 10)
    append(service, 60)
    (root / "aside" / "one.json").write_bytes(bytes(47 << 10))
    ships = shipper(root, otlp)
    assert ships.ship_folder(service.folder, live=True).done
    service.rotate_if_acknowledged(ships.cursor(service.folder))
    assert all(number > 0 for number in append(service, 20))
