"""A process is killed before each single step that it takes on the file system; whoever comes next delivers all that was written."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.journal import AT_ONCE, abandon, adopt, append, writer
from tests.support.otlp_receiver import Otlp
from tokentrail.journal import writer as writer_module
from tokentrail.journal.adoption import Adopter
from tokentrail.journal.exporter import Exporter
from tokentrail.journal.folder import writer_folders
from tokentrail.journal.shipper import Shipper
from tokentrail.settings import Settings

pytestmark = pytest.mark.slow

STEPS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "fcntl.flock"}


def killed_at_step(step: int, root: Path, work: Callable[[Callable[[int], None]], None]) -> tuple[bool, list[int]]:
    """Run `work` in a child that SIGKILLs itself before its step number `step`: whether it came to its end, and the numbers it told."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(20)
        left = [step]

        def kill() -> None:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        def audit(event: str, args: tuple[object, ...]) -> None:
            if event in STEPS and (event == "fcntl.flock" or str(root) in str(args[0])):
                kill()

        def counted(fd: int, data: bytes) -> int:
            kill()
            return os.write(fd, data)

        writer_module.write = counted
        sys.addaudithook(audit)
        code = 1
        try:
            work(lambda number: os.write(write, b"%d\n" % number) and None)
            code = 0
        finally:
            os._exit(code)
    os.close(write)
    with os.fdopen(read) as lines:
        numbers = [int(line) for line in lines]
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status in (0, -signal.SIGKILL), f"step {step}: the child ended with {status}"
    return status == 0, numbers


def every_step(
    tmp_path: Path, prepare: Callable[[Path], object], work: Callable[[Path, Callable[[int], None]], None], check: Callable[[Path, list[int]], None]
) -> int:
    step, ended = 0, False
    while not ended:
        root = tmp_path / f"step-{step}"
        prepare(root)
        ended, numbers = killed_at_step(step, root, lambda tell, root=root: work(root, tell))
        check(root, numbers)
        step += 1
        assert step < 400
    return step


def test_of_a_writer(tmp_path: Path, otlp: Otlp) -> None:
    def work(root: Path, tell: Callable[[int], None]) -> None:
        service = writer(root, segment_bytes=600)
        for _ in range(6):
            tell(append(service, 1)[0])
        service.close()

    def check(root: Path, numbers: list[int]) -> None:
        folders = writer_folders(root)
        assert adopt(root, otlp).done
        if not folders:
            assert not numbers, "a record was told and there is no folder"
            return
        [folder] = folders
        arrived = otlp.numbers(folder.name)
        # the record under way may be there as well
        assert arrived in (numbers, [*numbers, len(numbers) + 1])
        assert not arrived or otlp.closings(folder.name)[0]["last_seq"] == max(arrived)
        assert "tokentrail.writer.damaged" not in (otlp.closings(folder.name) or [{}])[0]
        assert [path for path in root.iterdir() if not path.name.startswith(".")] == []

    assert every_step(tmp_path, lambda _root: None, work, check) > 20


@pytest.mark.parametrize("closed", [True, False])
def test_of_a_shipper_or_adopter(tmp_path: Path, closed: bool) -> None:
    with Otlp() as otlp:

        def prepare(root: Path) -> None:
            left = writer(root, segment_bytes=600)
            append(left, 6)
            left.close() if closed else abandon(left)

        def work(root: Path, tell: Callable[[int], None]) -> None:
            small = Shipper(root, Exporter(Settings(endpoint=otlp.url)), policy=AT_ONCE)
            small.max_records = 2
            assert Adopter(small).adopt_dead().done

        def check(root: Path, _numbers: list[int]) -> None:
            assert adopt(root, otlp).done
            [writer_id] = otlp.writers()
            assert set(otlp.numbers(writer_id)) == {1, 2, 3, 4, 5, 6}
            assert {closing["last_seq"] for closing in otlp.closings(writer_id)} == {6}
            assert not any("tokentrail.writer.damaged" in closing for closing in otlp.closings(writer_id))
            assert list(root.iterdir()) == []
            otlp.taken.clear()
            otlp.forget()

        assert every_step(tmp_path, prepare, work, check) > 20


def test_a_folder_that_was_begun_and_never_named_is_swept(root: Path, otlp: Otlp) -> None:
    begun = root / f".{'0' * 32}"
    begun.mkdir(parents=True)
    (begun / "alive").touch()
    assert adopt(root, otlp).done
    assert begun.exists(), "its writer may be about to name it"
    os.utime(begun, (0, 0))
    assert adopt(root, otlp).done
    assert not begun.exists()
