"""Users of ClickHouse on the embedded engine: the engine itself checks rights, in a process whose user has what the roles' SQL grants, and no more.

The engine has no store in which `CREATE ROLE` could put a role, and logs everybody in as `default`; but it reads users from a file. So the statements'
grants become those of `default` in such a file, and a process of its own opens the folder with it.

    python -m tests.support.engine_users FOLDER CONFIGURATION DATABASE SETTINGS

reads lines of JSON, `[kind, …]`, and answers each with a line: the rows, or the error's text.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from tests.support.wheel import ROOT

_GRANT = re.compile(r"GRANT (?P<what>.+) TO (?P<to>\S+)", re.DOTALL)
_SETTINGS = re.compile(r"CREATE ROLE IF NOT EXISTS (?P<role>\S+)\s+SETTINGS (?P<settings>.+)", re.DOTALL)
_OPEN = "<networks><ip>::/0</ip></networks><quota>default</quota>"


def grants_of(statements: Sequence[str], role: str) -> list[str]:
    """What the statements grant to a role."""
    found = [match for statement in statements if (match := _GRANT.fullmatch(statement))]
    return [f"GRANT {match['what']}" for match in found if match["to"].strip("`") == role]


def settings_of(statements: Sequence[str], role: str) -> dict[str, str]:
    """The settings of a role, without their bounds: the embedded engine does not take CHANGEABLE_IN_READONLY, which a server's own configuration allows."""
    for statement in statements:
        if (match := _SETTINGS.fullmatch(statement)) and match["role"].strip("`") == role:
            return dict(re.findall(r"(\w+) = (\d+)", match["settings"]))
    return {}


def write_users(folder: Path, name: str, grants: Sequence[str], others: Mapping[str, Sequence[str]]) -> Path:
    """A configuration whose user `default` has these grants, beside other users with theirs; its file."""
    users = "".join(_user(user, given) for user, given in {"default": grants, **others}.items())
    described = f"<clickhouse><profiles><default/></profiles><users>{users}</users><quotas><default/></quotas></clickhouse>"
    path = folder / f"{name}-users.xml"
    path.write_text(described)
    configuration = folder / f"{name}.xml"
    configuration.write_text(f"<clickhouse><users_config>{path}</users_config></clickhouse>")
    return configuration


def _user(name: str, grants: Sequence[str]) -> str:
    given = "".join(f"<query>{escape(grant)}</query>" for grant in grants)
    return f"<{name}><password></password><profile>default</profile>{_OPEN}<grants>{given}</grants></{name}>"


class EngineUser:
    """A process that asks the engine as its user."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def _ask(self, *asked: Any) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        kind, answer = json.loads(self._process.stdout.readline())
        if kind == "error":
            raise PermissionError(answer)
        return answer

    def run(self, statement: str) -> list[list[Any]]:
        """The rows of a statement. Raises PermissionError with the engine's text."""
        return self._ask("run", statement)

    def question(self, name: str, **given: Any) -> list[list[Any]]:
        return self._ask("question", name, given)

    def migrate(self) -> list[str]:
        return self._ask("migrate")

    def rollup(self) -> None:
        self._ask("rollup")


@contextmanager
def engine_user(data: Path, configuration: Path, database: str, settings: Mapping[str, str]) -> Iterator[EngineUser]:
    """A user of the engine on `data`; one at a time."""
    command = [sys.executable, "-m", "tests.support.engine_users", str(data), str(configuration), database, json.dumps(settings)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield EngineUser(process)
        finally:
            assert process.stdin
            process.stdin.close()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


def _client(data: str, configuration: str) -> Any:
    from tokentrail.clickhouse.client import EngineClient
    from tokentrail.embedded import library

    library.CONFIGURATION = Path(configuration)  # type: ignore[misc] - of this process alone
    return EngineClient(Path(data), create=True)


def _answered(client: Any, database: str, asked: list[Any]) -> Any:
    from tokentrail.clickhouse.migrate import migrate
    from tokentrail.clickhouse.sqlfiles import Target
    from tokentrail.ledger.query import answer
    from tokentrail.ledger.rollup import refresh

    match asked:
        case ["run", statement]:
            word = statement.split(None, 1)[0].upper()
            if word in ("SELECT", "WITH", "SHOW", "DESCRIBE", "EXPLAIN"):
                return client.query(statement).rows
            client.command(statement)
            return []
        case ["question", name, given]:
            return answer(client, name, given).rows
        case ["migrate"]:
            return [step.name for step in migrate(client, Target(database))]
        case ["rollup"]:
            refresh(client)
            return []


def _restrict(client: Any, settings: Mapping[str, str]) -> None:
    """Sets the role's settings, `readonly` last: in each session, since a statement that fails begins another one."""
    with suppress(Exception):  # this session has them already, and is read-only
        for name, value in sorted(settings.items(), key=lambda item: item[0] == "readonly"):
            client.command(f"SET {name} = {value}")


def main(data: str, configuration: str, database: str, settings: str) -> None:
    client = _client(data, configuration)
    try:
        if client.query("SELECT 1 FROM system.databases WHERE name = {name:String}", {"name": database}).rows:
            client.use(database)
    except Exception as error:
        print(error, file=sys.stderr)  # noqa: T201 - a user without rights on it asks with whole names
    for line in sys.stdin:
        _restrict(client, json.loads(settings))
        try:
            said = ["rows", _answered(client, database, json.loads(line))]
        except Exception as error:
            said = ["error", str(error)]
        print(json.dumps(said, default=str), flush=True)  # noqa: T201 - what its parent waits for


if __name__ == "__main__":
    main(*sys.argv[1:])
