from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.embedded import ask_text
from tokentrail.embedded.errors import CannotStart
from tokentrail.embedded.process import ServerProcess
from tokentrail.embedded.server import Addresses, Server


def read_refusal(*arguments: str, before: Sequence[str] = ()) -> str:
    """The one sentence with which `tokentrail serve` declines."""
    command = [*before, sys.executable, "-m", "tokentrail.embedded", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    assert ended.returncode == 2, ended.stdout + ended.stderr
    sentence = ended.stderr.strip()
    assert sentence.count("\n") == 0, sentence
    return sentence


def test_a_second_process_on_the_folder_is_told_who_holds_it(server: Addresses) -> None:
    said = read_refusal("--data", server.data, "--http-port", "0", "--otlp-port", "0")
    assert f"the data folder {server.data} is in use by process {server.pid}" in said
    assert ask_text(server, "SELECT 1") == "1"


def test_also_through_another_name_of_the_folder(server: Addresses, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(server.data)
    assert f"is in use by process {server.pid}" in read_refusal("--data", str(tmp_path / "link"), "--http-port", "0", "--otlp-port", "0")


@pytest.mark.parametrize(("option", "other"), [("--http-port", "--otlp-port"), ("--otlp-port", "--http-port")])
def test_a_taken_port_is_named_with_its_option(server: Addresses, tmp_path: Path, option: str, other: str) -> None:
    port = str(urlsplit(server.http).port)
    said = read_refusal("--data", str(tmp_path), option, port, other, "0")
    assert f"port {port} on 127.0.0.1 is taken by another program: choose another one with {option}" in said
    assert os.listdir(tmp_path) == ["tokentrail.lock"]  # noqa: PTH208 - no engine was started in it


def test_only_loopback(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "192.0.2.1", "example.com", "::"):
        assert f"{host} is no loopback address" in read_refusal("--data", str(tmp_path), "--host", host)


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "is not a folder" in read_refusal("--data", str(tmp_path / "file"))
    assert "is not a folder" in read_refusal("--data", str(tmp_path / "file" / "below"))
    assert "cannot be written" in read_refusal("--data", "/proc/tokentrail")
    assert "has one of *?{} in its name" in read_refusal("--data", str(tmp_path / "a{b}"), "--http-port", "0", "--otlp-port", "0")


def test_a_folder_without_rights(tmp_path: Path) -> None:
    # root may write everywhere, unless it gives that up
    before = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    if before and shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere, and there is no setpriv to give that up")
    tmp_path.chmod(0o500)
    assert "cannot be written (Permission denied)" in read_refusal("--data", str(tmp_path), before=before)


def test_a_folder_that_chdb_itself_has_open(tmp_path: Path) -> None:
    program = "import sys; from chdb.session import Session; s = Session(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        holder.stdout.readline()
        assert f"is in use by process {holder.pid}" in read_refusal("--data", str(tmp_path))
        holder.stdin.close()


def test_tables_of_a_newer_version_are_left_alone(start: Callable[..., ServerProcess], tmp_path: Path) -> None:
    server = start()
    ask_text(server.addresses, "INSERT INTO migrations (name, checksum) VALUES ('9999_from_the_future', 'x')")
    server.stop()
    said = read_refusal("--data", str(tmp_path / "data"), "--http-port", "0", "--otlp-port", "0")
    assert "cannot be brought up to date: database tokentrail was migrated by a newer tokentrail" in said


def test_a_process_has_one_engine(tmp_path: Path) -> None:
    program = (
        "import sys; from tokentrail.embedded.server import Server\n"
        "with Server(sys.argv[1], http_port=0, otlp_port=0) as first:\n"
        "    try: Server(sys.argv[2], http_port=0, otlp_port=0).start()\n"
        "    except Exception as error: print(error)\n"
        "with Server(sys.argv[2], http_port=0, otlp_port=0) as second: print(second.addresses.data)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "a"), str(tmp_path / "b")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.splitlines() == [
        "this process already has an engine on another folder: start this one as a process of its own",
        str(tmp_path / "b"),
    ]


def test_the_python_interfaces_raise_the_same_sentences(server: Addresses, start: Callable[..., ServerProcess]) -> None:
    with pytest.raises(CannotStart, match=f"is in use by process {server.pid}"):
        start(Path(server.data))
    with pytest.raises(CannotStart, match=f"is in use by process {server.pid}"):
        Server(server.data, http_port=0, otlp_port=0).start()


def test_a_folder_is_free_again_when_the_start_failed(start: Callable[..., ServerProcess], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(CannotStart, match="is taken"):
        start(http_port=taken.getsockname()[1])
    assert ask_text(start().addresses, "SELECT 1") == "1"
