"""A real PostgreSQL (Debian's) in a folder of the tests' own, on a Unix socket alone, as a user without rights: the server refuses to run as root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.require import require

USER = "tokentrail"
STARTS_IN_S = 60


def program(name: str) -> str:
    """The path of one of the server's programs, which Debian keeps off the PATH."""
    found = shutil.which(name) or next((str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)), None)
    return found or require("postgres", f"there is no {name}: apt-get install postgresql")


@contextmanager
def server() -> Iterator[str]:
    """The address of a server, which ends with the block: `host=… user=…`, to which a database is added."""
    initdb, pg_ctl = program("initdb"), program("pg_ctl")
    # a socket's name has 107 characters at most, and the folders of pytest are long
    folder = Path(tempfile.mkdtemp(prefix="tt-pg-", dir="/tmp"))
    as_user: dict[str, Any] = {"cwd": folder, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}}
    try:
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            as_user |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        data = folder / "data"
        made = [initdb, "--pgdata", str(data), "--username", USER, "--auth", "trust", "--encoding", "UTF8", "--no-sync"]
        subprocess.run(made, check=True, capture_output=True, timeout=STARTS_IN_S, **as_user)
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off -c max_connections=20"
        run = [pg_ctl, "--pgdata", str(data), "--wait", "--log", str(folder / "log"), "--options", options]
        subprocess.run([*run, "start"], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=STARTS_IN_S, **as_user)
        try:
            yield f"host={folder} user={USER}"
        finally:
            subprocess.run([pg_ctl, "--pgdata", str(data), "--mode", "immediate", "stop"], check=True, capture_output=True, timeout=60, **as_user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
