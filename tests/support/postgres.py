"""A real PostgreSQL (Debian's) in a folder of the tests' own, on a Unix socket alone, as a user without rights: the server refuses to run as root."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.require import require
from tokentrail.local.child import Child

USER = "tokentrail"
STARTS_IN_S = 60
SERVES = """
"$1" --pgdata "$3/data" --username "$4" --auth trust --encoding UTF8 --no-sync || exit 1
exec "$2" -D "$3/data" -c listen_addresses= -c unix_socket_directories="$3" -c fsync=off -c max_connections=20
"""


def program(name: str) -> str:
    """The path of one of the server's programs, which Debian keeps off the PATH."""
    found = shutil.which(name) or next((str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)), None)
    return found or require("postgres", f"there is no {name}: apt-get install postgresql")


@contextmanager
def server() -> Iterator[str]:
    """The address of a server, which ends with the block: `host=… user=…`, to which a database is added. It ends with a killed test, too."""
    programs = program("initdb"), program("postgres")
    # a socket's name has 107 characters at most, and the folders of pytest are long
    folder = Path(tempfile.mkdtemp(prefix="tt-pg-", dir="/tmp"))
    as_user = []
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        as_user = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    command = [*as_user, "sh", "-c", SERVES, "sh", *programs, str(folder), USER]
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    socket = folder / ".s.PGSQL.5432"
    serving = Child("PostgreSQL", command, environment=environment, folder=folder, log=folder / "log", ready=socket.exists, scratch=folder)
    with serving.start(timeout_s=STARTS_IN_S):
        yield f"host={folder} user={USER}"
