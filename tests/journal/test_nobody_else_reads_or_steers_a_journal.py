"""Files of a journal belong to one user: modes whatever the umask, no link is followed, and nothing of another user is used."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.journal import abandon, adopt, append, writer
from tests.support.otlp_receiver import Otlp
from tokentrail.journal import folder as layout
from tokentrail.journal.aside import put_aside, read_aside
from tokentrail.journal.locks import Lock, is_locked
from tokentrail.journal.records import Header
from tokentrail.journal.writer import Writer

NOBODY = 65534


def modes(root: Path) -> dict[str, int]:
    return {str(path.relative_to(root.parent)): stat.S_IMODE(path.lstat().st_mode) for path in [root, *root.rglob("*")]}


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0o022)
    try:
        yield os.umask
    finally:
        os.umask(before)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o277, 0o777])
def test_modes_do_not_depend_on_the_umask(root: Path, otlp: Otlp, umask: Callable[[int], int], mask: int) -> None:
    umask(mask)
    service = writer(root, segment_bytes=4096)
    append(service, 40)
    layout.store_cursor(service.folder, layout.Cursor())
    put_aside(root, Header(writer_id=service.writer_id, created=0, first_seq=1), 7, b"{}", "refused")
    shipping = Lock.take(service.folder / layout.SHIPPING)
    assert shipping is not None
    found = modes(root)
    assert len(found) > 7
    assert found == {name: 0o700 if (root.parent / name).is_dir() else 0o600 for name in found}
    shipping.close()
    abandon(service)
    assert adopt(root, otlp).done


@pytest.mark.parametrize(("mask", "mode"), [(0o000, 0o755), (0o002, 0o755), (0o027, 0o750), (0o077, 0o700)])
def test_nobody_else_can_move_a_journal_away(root: Path, umask: Callable[[int], int], mask: int, mode: int) -> None:
    """Folders above the journal that were missing."""
    umask(mask)
    journal = root / "state" / "tokentrail" / "journal"
    service = writer(journal)
    append(service, 1)
    abandon(service)
    assert [stat.S_IMODE(place.stat().st_mode) for place in (journal, journal.parent, journal.parent.parent)] == [0o700, mode, mode]


def planted(service: Writer, name: str, victim: Path) -> Path:
    """A link in the place of a journal's file."""
    place = service.folder / name
    place.unlink(missing_ok=True)
    place.symlink_to(victim)
    return place


@pytest.mark.parametrize("name", ["cursor", "cursor.new", "shipping", "refused", "00000002.journal", "alive"])
def test_a_link_in_a_files_place_is_not_followed(root: Path, otlp: Otlp, tmp_path: Path, name: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("of somebody else")
    service = writer(root)
    append(service, 3)
    planted(service, name, victim)
    append(service, 3)
    abandon(service)
    adopt(root, otlp)
    assert victim.read_text() == "of somebody else"
    assert stat.S_IMODE(victim.stat().st_mode) == 0o644
    if name in ("alive", "shipping"):
        assert otlp.numbers(service.writer_id) == []  # not shipped, and nothing lost: the records wait until the link is removed
        (service.folder / name).unlink()
        assert adopt(root, otlp).done
    assert set(otlp.numbers(service.writer_id)) == {1, 2, 3, 4, 5, 6}


def test_a_link_in_the_place_of_a_record_put_aside_is_not_followed(root: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("of somebody else")
    header = Header(writer_id="a" * 32, created=0, first_seq=1)
    root.mkdir()
    put_aside(root, header, 1, b"{}", "refused")
    (root / "aside" / f"{'a' * 32}-2.new").symlink_to(victim)
    with pytest.raises(OSError, match="is a link"):
        put_aside(root, header, 2, b"{}", "refused")
    (root / "aside" / f"{'a' * 32}-3.json").symlink_to(victim)
    assert [getattr(kept, "reason", "") for kept in read_aside(root)][1].endswith("is a link, and no link is followed there: remove it")
    assert victim.read_text() == "of somebody else"


def test_a_folder_that_is_a_link_is_no_writers(root: Path, otlp: Otlp, tmp_path: Path) -> None:
    elsewhere = writer(tmp_path / "elsewhere")
    append(elsewhere, 2)
    abandon(elsewhere)
    root.mkdir()
    (root / elsewhere.writer_id).symlink_to(elsewhere.folder)
    assert adopt(root, otlp).shipped == 0
    assert otlp.taken == []
    assert elsewhere.folder.is_dir()


@pytest.mark.parametrize("name", ["alive", "cursor", "shipping", "00000001.journal"])
def test_a_pipe_in_a_files_place_holds_nobody(root: Path, otlp: Otlp, name: str) -> None:
    service = writer(root)
    append(service, 1)
    abandon(service)
    (service.folder / name).unlink(missing_ok=True)
    os.mkfifo(service.folder / name)
    adopt(root, otlp)
    if name == "alive":
        with pytest.raises(PermissionError, match="is no file"):
            is_locked(service.folder / name)


def test_an_operators_link_to_another_volume_is_followed(root: Path, otlp: Otlp, tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir(mode=0o700)
    root.symlink_to(tmp_path / "volume")
    service = writer(root)
    append(service, 2)
    abandon(service)
    assert adopt(root, otlp).shipped == 2


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder into which everybody may write, as /tmp."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    folder = Path(tempfile.mkdtemp(prefix="tokentrail-shared-"))
    folder.chmod(0o1777)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def as_user(user: int, work: Callable[[], str]) -> str:
    """Runs `work` in a forked child as another user; its answer."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            said = work()
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answers:
        said = answers.read().decode()
    os.waitpid(child, 0)
    return said


def test_a_journal_of_another_user_is_refused_and_records_are_numbered(shared: Path) -> None:
    root = shared / "journal"
    root.mkdir()
    root.chmod(0o777)
    os.chown(root, 1001, 1001)

    def record() -> str:
        said: list[str] = []
        service = Writer(root, {}, segment_bytes=1 << 20, max_bytes=1 << 30, complain=said.append)
        append(service, 3)
        return f"{service.refused} refused: {' '.join(said)}"

    said = as_user(NOBODY, record)
    assert said.startswith("3 refused:")
    assert f"{root} belongs to user 1001, and this process to {NOBODY}" in said
    assert list(root.iterdir()) == []
    os.chown(root, 0, 0)  # a volume of the container's runtime
    assert as_user(NOBODY, record).startswith("0 refused:")


def test_a_link_of_another_user_in_the_place_of_a_journal_is_refused(shared: Path) -> None:
    mine = shared / "mine"
    mine.mkdir()
    os.chown(mine, NOBODY, NOBODY)
    root = shared / "journal"
    root.symlink_to(mine)
    os.chown(root, 1001, 1001, follow_symlinks=False)

    def record() -> str:
        service = writer(root)
        append(service, 1)
        return f"{service.refused} refused"

    assert as_user(NOBODY, record) == "1 refused"
    assert list(mine.iterdir()) == []


def test_a_writers_folder_that_another_user_planted_is_not_shipped(shared: Path, otlp: Otlp) -> None:
    root = shared / "journal"
    root.mkdir()
    root.chmod(0o1777)
    genuine = writer(root)
    append(genuine, 1)
    forged = writer(root)
    append(forged, 5)
    for left, user in ((genuine, NOBODY), (forged, 1001)):
        abandon(left)
        for path in [left.folder, *left.folder.iterdir()]:
            os.chown(path, user, user)
            path.chmod(0o777)
    said = as_user(NOBODY, lambda: adopt(root, otlp).reason)
    assert f"belongs to user 1001, and this process to {NOBODY}" in said
    assert otlp.numbers(genuine.writer_id) == [1]
    assert otlp.numbers(forged.writer_id) == []
    assert forged.folder.is_dir()
    assert adopt(root, otlp).done  # root ships for everybody
    assert otlp.numbers(forged.writer_id) == [1, 2, 3, 4, 5]
