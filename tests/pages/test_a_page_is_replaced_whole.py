"""`report --html` writes a whole page or leaves what was there; what cannot be done is one sentence."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from tests.support.terminal import assert_one_sentence, in_process, tokentrail
from tokentrail.embedded.server import Addresses
from tokentrail.whole_files import replaced


def test_a_page_takes_the_place_of_a_file(served: Addresses, tmp_path: Path) -> None:
    path = tmp_path / "usage.html"
    path.write_text("former")
    path.chmod(0o640)
    link = tmp_path / "link.html"
    link.symlink_to(path)
    ran = in_process("report", "--dsn", served.dsn, "--html", str(link))
    assert ran.code == 0
    assert ran.out.startswith(f"wrote {link} (")
    assert path.read_text().startswith("<!DOCTYPE html>")
    assert path.read_text().rstrip().endswith("</html>")
    assert (link.is_symlink(), stat.S_IMODE(path.stat().st_mode)) == (True, 0o640)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["link.html", "usage.html"]


def test_after_an_error_nothing_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "usage.html"
    path.write_text("former")
    with pytest.raises(TypeError), replaced(path) as written:
        written.writelines([b"half", "no bytes"])
    assert path.read_text() == "former"
    assert [each.name for each in tmp_path.iterdir()] == ["usage.html"]


def test_a_new_file_has_the_rights_of_new_files(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        with replaced(tmp_path / "usage.html") as written:
            written.write(b"page")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "usage.html").stat().st_mode) == 0o640


def test_a_pipe_is_written_into(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()))
    reader.start()
    with replaced(pipe) as written:
        written.write(b"page")
    reader.join(30)
    assert found == [b"page"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--html", "missing/usage.html"), "missing/usage.html cannot be written: No such file or directory"),
        (("--html", "usage.html", "--by", "model"), "--by has no meaning with --html"),
        (("--html", "usage.html", "--format", "csv"), "--format has no meaning with --html"),
        (("--html", "usage.html", "--json"), "--json has no meaning with --html"),
        (("--html", "usage.html", "--limit", "3"), "--limit has no meaning with --html"),
        (("--html", "usage.html", "--from", "gestern"), "is not a time"),
        (("--html", "usage.html", "--dsn", "http://127.0.0.1:9/none"), "127.0.0.1:9"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_left(served: Addresses, tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    (tmp_path / "usage.html").write_text("former")
    ran = tokentrail("report", *arguments, cwd=tmp_path, TOKENTRAIL_CLICKHOUSE_DSN=served.dsn)
    assert_one_sentence(ran, sentence)
    assert (tmp_path / "usage.html").read_text() == "former"
    assert [each.name for each in tmp_path.iterdir()] == ["usage.html"]


def test_a_ledger_without_calls_has_a_report(tmp_path: Path) -> None:
    dsn = f"chdb://{tmp_path}/ledger"
    assert tokentrail("migrate", "--dsn", dsn).code == 0
    for arguments in ((), ("--from", "7d"), ("--from", "2031-01-01")):
        ran = tokentrail("report", "--dsn", dsn, "--html", str(tmp_path / "usage.html"), *arguments)
        assert ran.code == 0, ran
        assert "No writer has been heard of yet" in (tmp_path / "usage.html").read_text()
