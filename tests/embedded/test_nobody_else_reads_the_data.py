"""The data folder of `tokentrail serve`, its lock, spool and ready file belong to one user, whatever the umask."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.embedded import ask
from tokentrail.clickhouse.client import ClickHouseError, EngineClient
from tokentrail.embedded.errors import CannotStart
from tokentrail.embedded.lock import FolderLock
from tokentrail.embedded.run import ready_file_of
from tokentrail.embedded.server import Addresses
from tokentrail.embedded.spool import Spool

PLACES = Addresses(http="http://127.0.0.1:1", dsn="http://127.0.0.1:1/tokentrail", otlp="http://127.0.0.1:2", data="/nowhere", pid=1)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o777])
def test_modes_do_not_depend_on_the_umask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        lock = FolderLock(tmp_path / "data")
        lock.acquire()
        Spool(tmp_path / "data" / "spool").prepare()
        with ready_file_of(tmp_path / "ready.json", PLACES):
            ready = mode(tmp_path / "ready.json")
    finally:
        os.umask(before)
        lock.release()
    assert (mode(tmp_path / "data"), mode(tmp_path / "data" / "spool"), mode(tmp_path / "data" / "tokentrail.lock"), ready) == (
        0o700,
        0o700,
        0o600,
        0o600,
    )


def test_a_running_servers_data_can_be_entered_by_its_user_alone(server: Addresses) -> None:
    assert ask(server.http, "GET", "/ping").status == 200
    assert mode(Path(server.data) / "tokentrail.lock") == 0o600
    assert mode(Path(server.data) / "spool") == 0o700


def test_links_in_the_places_of_files_are_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("of somebody else")
    data = tmp_path / "data"
    data.mkdir()
    (data / "tokentrail.lock").symlink_to(victim)
    with pytest.raises(CannotStart, match="is a link"):
        FolderLock(data).acquire()
    (tmp_path / "ready.json").symlink_to(victim)
    (tmp_path / f".ready.json.{os.getpid()}").symlink_to(victim)
    with ready_file_of(tmp_path / "ready.json", PLACES):
        assert not (tmp_path / "ready.json").is_symlink()
    assert victim.read_text() == "of somebody else"


def test_a_data_folder_of_another_user_is_refused() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    shared = Path(tempfile.mkdtemp(prefix="tokentrail-shared-"))
    try:
        shared.chmod(0o777)
        data = shared / "data"
        data.mkdir()
        data.chmod(0o777)
        os.chown(data, 1001, 1001)
        code = (
            "import os; from pathlib import Path; from tokentrail.embedded.lock import FolderLock\n"
            f"os.setgroups([]); os.setresgid(*[65534] * 3); os.setresuid(*[65534] * 3); FolderLock(Path({str(data)!r})).acquire()"
        )
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
        assert f"{data} belongs to user 1001, and this process to 65534" in ended.stderr
        assert list(data.iterdir()) == []
    finally:
        shutil.rmtree(shared)


def test_the_engine_in_a_commands_process_is_as_careful(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ClickHouseError, match="cannot use the folder"):
        EngineClient(tmp_path / "file", create=True)
