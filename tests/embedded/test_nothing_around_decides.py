"""chDB would obey a `config.xml` that lies where `tokentrail serve` happens to be started, or in the user's home: it is kept out, valid or broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

STRANGE = {
    "valid": "<clickhouse><macros><stranger>yes</stranger></macros><timezone>Asia/Tokyo</timezone></clickhouse>",
    "broken": "<clickhouse><oops>",
}
PROGRAM = """
import json, os, sys
from pathlib import Path
before = os.environ.get("HOME"), os.environ.get("TZ")
how, folder = sys.argv[1:]
def facts(query):
    return query("SELECT count() FROM system.macros"), query("SELECT timezone()")
if how == "client":
    from tokentrail.clickhouse.client import connect
    client = connect(f"chdb://{folder}", create=True)
    found = facts(lambda sql: client.query(sql).rows[0][0])
    client.close()
else:
    from tests.support.embedded import ask_text
    from tokentrail.embedded.server import Server
    with Server(folder, http_port=0, otlp_port=0) as server:
        found = facts(lambda sql: ask_text(server.addresses, sql))
after = os.environ.get("HOME"), os.environ.get("TZ")
print(json.dumps([*found, before == after, os.path.exists("here")]))
"""


@pytest.mark.parametrize(
    ("strange", "how", "place"),
    [
        ("broken", "server", "working directory"),
        ("valid", "server", "working directory"),
        ("valid", "server", "home"),
        ("broken", "client", "home"),
        ("valid", "client", "working directory"),
    ],
)
def test_strange_configuration_is_not_read(tmp_path: Path, strange: str, how: str, place: str) -> None:
    working, home = tmp_path / "working", tmp_path / "home"
    for folder in (working, home / ".clickhouse-local"):
        folder.mkdir(parents=True)
    (working / "here").touch()
    (working if place == "working directory" else home / ".clickhouse-local").joinpath("config.xml").write_text(STRANGE[strange])
    given = {**os.environ, "HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[2]), "TZ": "America/Lima"}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, how, str(tmp_path / "data")], cwd=working, env=given, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    macros, zone, restored, in_its_place = json.loads(ran.stdout.splitlines()[-1])
    assert (int(macros), zone, restored, in_its_place) == (0, "UTC", True, True)


def test_relative_paths_mean_the_users_working_directory(tmp_path: Path) -> None:
    (tmp_path / "config.xml").write_text("<clickhouse><oops>")
    command = [
        sys.executable,
        "-m",
        "tokentrail.embedded",
        "--data",
        "./usage",
        "--ready-file",
        "ready.json",
        "--http-port",
        "0",
        "--otlp-port",
        "0",
        "--until-stdin-ends",
    ]
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        said = [process.stdout.readline() for _ in range(4)]
        assert said[3].split() == ["data", str(tmp_path / "usage")]
        assert (tmp_path / "usage" / "tokentrail.lock").exists()
        process.communicate()  # standard input ends
    assert process.returncode == 0


def test_a_working_directory_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    program = f"import os, sys; os.rmdir({str(gone)!r}); from tokentrail.cli import main; main()"
    for arguments in (["report", "--dsn", f"chdb://{tmp_path}"], ["serve", "--data", str(tmp_path / "data"), "--http-port", "0", "--otlp-port", "0"]):
        ran = subprocess.run([sys.executable, "-c", program, *arguments], cwd=gone, capture_output=True, text=True, timeout=60, check=False)
        assert (ran.returncode, ran.stderr) == (
            2,
            "Error: chDB cannot be loaded: the working directory is not there any more: change to another one\n",
        )
        gone.mkdir()
