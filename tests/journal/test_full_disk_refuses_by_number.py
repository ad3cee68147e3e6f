"""What the disk does not take is refused: nothing is raised, the number is told as soon as there is room, and what comes later follows cleanly."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.forked import exit_code_of_child
from tests.support.journal import Program, abandon, adopt, append, environment, parse_numbers, shipper, writer
from tests.support.otlp_receiver import Otlp
from tests.support.require import require
from tests.support.waiting import wait_until
from tokentrail.journal import writer as writer_module
from tokentrail.journal.folder import segments, size_of
from tokentrail.journal.frames import Frame, scan


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "RETRY_SECONDS", 0.0)


def assert_accounted_for(otlp: Otlp, writer_id: str, numbers: list[int]) -> None:
    """Every number given has either arrived or been told as refused."""
    written = {number for number in numbers if number > 0}
    refused = {-number for number in numbers if number < 0}
    assert refused
    assert set(otlp.numbers(writer_id)) == written
    assert otlp.refused(writer_id) == refused
    assert written | refused == set(range(1, len(numbers) + 1))


@pytest.mark.parametrize("room", range(1, 400, 37))
def test_a_file_that_may_not_grow(root: Path, otlp: Otlp, room: int) -> None:
    """RLIMIT_FSIZE makes real short writes: the kernel takes what fits, and nothing of the next one. The record goes whole into the next file."""

    def goes_on() -> bool:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        service = writer(root)
        numbers = append(service, 5)
        [path] = segments(service.folder)
        full = path.stat().st_size + room
        resource.setrlimit(resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
        numbers += append(service, 4)
        paths = segments(service.folder)
        good = all(isinstance(piece, Frame) for path in paths for piece in scan(path.read_bytes()))
        service.close()
        return good and len(paths) > 1 and numbers == list(range(1, 10)) and not service.refused

    assert exit_code_of_child(goes_on) == 0
    assert adopt(root, otlp).done
    [writer_id] = otlp.writers()
    assert otlp.numbers(writer_id) == list(range(1, 10))


@pytest.fixture
def small_disk() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="tokentrail-small-disk-"))
    mounted = (
        os.geteuid() == 0
        and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", folder], capture_output=True, check=False).returncode == 0
    )
    if not mounted:
        folder.rmdir()
        require("tmpfs", "a small disk can be mounted by root only")
    yield folder
    subprocess.run(["umount", folder], check=True)
    folder.rmdir()


def fill(path: Path, step: int) -> Path:
    """Take all that the disk has left."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(step)):
            pass
    return path


def test_a_disk_that_is_really_full(small_disk: Path, otlp: Otlp) -> None:
    root = small_disk / "journal"
    service = writer(root, segment_bytes=64 << 10)
    numbers: list[int] = []
    while not any(number < 0 for number in numbers[-20:]):
        numbers += append(service, 20)
        assert len(numbers) < 5000
    numbers += append(service, 200)
    # full as it is, what lies there is shipped and removed, and there is room again
    assert shipper(root, otlp).ship_folder(service.folder, live=True).done
    later = append(service, 50)
    assert all(number > 0 for number in later)
    service.close()
    assert adopt(root, otlp).done
    assert_accounted_for(otlp, service.writer_id, numbers + later)


def test_a_full_disk_can_be_drained_by_an_adopter(small_disk: Path, otlp: Otlp) -> None:
    """Neither closing record nor cursor needs room."""
    root = small_disk / "journal"
    dead = writer(root, segment_bytes=64 << 10)
    numbers = append(dead, 300)
    abandon(dead)
    fill(small_disk / "filler", 512)
    assert adopt(root, otlp).done
    assert otlp.numbers(dead.writer_id) == numbers
    assert len(otlp.closings(dead.writer_id)) == 1
    assert list(root.iterdir()) == []


def test_the_journals_own_bound(root: Path, otlp: Otlp) -> None:
    said: list[str] = []
    service = writer(root, segment_bytes=16 << 10, max_bytes=64 << 10, complain=said.append)
    numbers = append(service, 1000)
    assert 0 < sum(number > 0 for number in numbers) < 1000
    assert size_of(root) <= 64 << 10
    assert any("bound" in sentence and "journal_max_bytes" in sentence for sentence in said)
    assert shipper(root, otlp).ship_folder(service.folder, live=True).done
    later = append(service, 10)
    assert all(number > 0 for number in later), "shipping has made room"
    service.close()
    assert adopt(root, otlp).done
    assert_accounted_for(otlp, service.writer_id, numbers + later)


def test_what_is_put_aside_counts_too(root: Path) -> None:
    (root / "aside").mkdir(parents=True)
    (root / "aside" / "one.json").write_bytes(bytes(60 << 10))
    service = writer(root, segment_bytes=16 << 10, max_bytes=64 << 10)
    assert append(service, 1) == [-1]


def test_a_folder_without_rights(otlp: Otlp) -> None:
    """Not in pytest's own folder, which nobody else may enter."""
    shared = Path(tempfile.mkdtemp(prefix="tokentrail-no-rights-"))
    try:
        shared.chmod(0o755)
        root = shared / "journal"

        def service_of_nobody() -> bool:
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            else:
                shared.chmod(0o555)
            said: list[str] = []
            service = writer(root, complain=said.append)
            return append(service, 3) == [-1, -2, -3] and not service.opened and "Permission denied" in said[0] and str(root) in said[0]

        assert exit_code_of_child(service_of_nobody) == 0
        shared.chmod(0o755)
        # rights come back while the service runs
        root.write_text("a file where the folder should be")
        service = writer(root)
        numbers = append(service, 2)
        root.unlink()
        numbers += append(service, 2)
        assert numbers == [-1, -2, 3, 4]
        service.close()
        assert adopt(root, otlp).done
        assert_accounted_for(otlp, service.writer_id, numbers)
    finally:
        shutil.rmtree(shared)


def test_an_application_never_hears_of_it(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    root.write_text("a file where the folder should be")
    program = start(
        """
import tokentrail
for _ in range(3):
    print(tokentrail.track_token_usage(token_type="llm", operation="query", provider="groq", model="m", input_tokens=1, output_tokens=1))
print(tokentrail.flush(0.2))
""",
        environment(root, otlp.url),
    )
    assert program.end() == 0, program.errors
    assert len(program.lines) == 4
    assert program.lines[-1] == "False"
    assert program.errors.count("refuses") == 1, "one warning, not three"
    assert str(root) in program.errors
    assert "File exists" in program.errors
    assert "Traceback" not in program.errors


REMOVED = {
    "the whole journal": lambda folder: shutil.rmtree(folder.parent),
    "the writer's folder": shutil.rmtree,
    "its files": lambda folder: [path.unlink() for path in segments(folder)],
    "the lock": lambda folder: (folder / "alive").unlink(),
}


@pytest.mark.parametrize("remove", REMOVED.values(), ids=REMOVED)
def test_a_folder_that_is_removed_while_it_is_in_use(
    root: Path, otlp: Otlp, monkeypatch: pytest.MonkeyPatch, remove: Callable[[Path], object]
) -> None:
    monkeypatch.setattr(writer_module, "LOOK_SECONDS", 0.0)
    said: list[str] = []
    service = writer(root, complain=said.append)
    numbers = append(service, 5)
    remove(service.folder)
    numbers += append(service, 5)
    assert numbers == list(range(1, 11))
    service.close()
    assert adopt(root, otlp).done
    assert set(otlp.numbers(service.writer_id)) == set(numbers)
    assert any("removed" in sentence for sentence in said) == (remove is not REMOVED["the lock"])


def has_a_journal(root: Path) -> bool:
    try:
        return any(root.glob("*/*.journal"))
    except FileNotFoundError:  # a folder that was renamed while we looked
        return False


def test_a_folder_that_is_removed_under_a_service_is_made_again(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    code = "from tests.support.journal_load import *\nwhile True:\n    tell(*one())\n    time.sleep(0.01)"
    program = start(code, environment(root, otlp.url))
    wait_until(lambda: len(program.lines) > 20, "calls", every_s=0.01)
    with contextlib.suppress(OSError):  # the service may put its cursor there meanwhile
        shutil.rmtree(root)
    wait_until(lambda: has_a_journal(root), "the folder is there again", every_s=0.01)
    seen = len(program.lines)
    wait_until(lambda: len(program.lines) > seen + 20, "calls go on", every_s=0.01)
    program.kill()
    [(writer_id, numbers)] = parse_numbers(program.lines).items()
    assert adopt(root, otlp).done
    assert numbers <= set(otlp.numbers(writer_id))


def test_a_header_that_does_not_fit_leaves_no_file_without_one(small_disk: Path, otlp: Otlp) -> None:
    root = small_disk / "journal"
    service = writer(root, segment_bytes=8 << 10)
    numbers = append(service, 10)
    filler = fill(small_disk / "filler", 4096)
    numbers += append(service, 100)
    filler.unlink()
    numbers += append(service, 100)
    service.close()
    paths = segments(service.folder)
    assert len(paths) > 1
    for path in paths:
        assert next(scan(path.read_bytes())).number == 0  # type: ignore[union-attr]
    assert adopt(root, otlp).done
    assert_accounted_for(otlp, service.writer_id, numbers)
