"""One BACKUP or RESTORE: begun on the server, which goes on by itself, and asked for until its end."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from tokentrail.backups.place import Keys, Place
from tokentrail.clickhouse.client import ClickHouseError, Client
from tokentrail.clickhouse.literals import text_literal
from tokentrail.ledger.query import answer, run
from tokentrail.wording import counted

__all__ = ["BackupError", "Done", "Progress", "Statement", "is_running", "run_to_its_end"]

Progress = Callable[[str], None]

_EXISTS, _NOT_FOUND, _NO_ENTRY, _NOT_SET = 598, 599, 605, 318
_SAID: Final = re.compile(r"Code: (\d+)\. (?:DB::Exception: )?(.*?)(?:, Stack trace|\(version |\Z)", re.DOTALL)
_MISSING: Final = re.compile(r"Backup (.+?\)) not found")
_NO_DATABASE: Final = re.compile(r"(?:Database|Table) (.+?)(?:\.migrations)? not found in backup")
_RUNNING: Final = ("CREATING_BACKUP", "RESTORING")
_GOOD: Final = ("BACKUP_CREATED", "RESTORED")
_FIRST_S, _LONGEST_S = 0.05, 2.0
_ERROR_LENGTH: Final = 400


class BackupError(ClickHouseError):
    """A backup that cannot be made or restored. One sentence, without a full stop and without keys."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A BACKUP or RESTORE: its text before the place, the place, and its settings."""

    text: str
    place: Place
    keys: Keys
    base: Place | None = None
    bandwidth: int = 0
    """Bytes a second at most; 0 for no limit."""

    def sql(self, number: str) -> str:
        """Returns the statement; `number` is its id."""
        settings = [f"id = {text_literal(number)}"]
        if self.base:
            settings.append(f"base_backup = {self.base.sql(self.keys)}")
        if self.bandwidth:
            settings.append(f"max_backup_bandwidth = {self.bandwidth}")
        return f"{self.text} {self.place.sql(self.keys)} SETTINGS {', '.join(settings)} ASYNC"


@dataclass(frozen=True, slots=True)
class Done:
    """The end of a BACKUP or RESTORE: files and bytes of the backup, and those of its bytes that do not stand in its base."""

    files: int
    bytes: int
    written: int


def run_to_its_end(client: Client, statement: Statement, *, began: Progress) -> Done:
    """Runs a statement and waits for its end. Raises `BackupError`. A KeyboardInterrupt ends the statement on the server too."""
    number = str(uuid.uuid4())
    try:
        client.query(statement.sql(number))
        return _wait(client, statement, number, began)
    except KeyboardInterrupt:
        with suppress(ClickHouseError):
            run(client, "backup_cancel", {"id": number})
        raise
    except BackupError:
        raise
    except ClickHouseError as error:
        raise _sentence(client, statement, error.code or 0, str(error)) from None


def is_running(client: Client, place: Place) -> str:
    """Returns the server's word for what goes on at a place; empty for nothing."""
    return next((str(status) for name, status in answer(client, "backup_running").rows if str(name).startswith(place.beginning)), "")


def _wait(client: Client, statement: Statement, number: str, began: Progress) -> Done:
    pause = _FIRST_S
    while True:
        rows = answer(client, "backup_state", {"id": number}).rows
        if not rows:
            raise BackupError(f"the server was restarted meanwhile and does not know {statement.place.shown} any more: it is not whole")
        status, error, files, size, read, written = rows[-1]
        if status in _GOOD:
            return Done(int(files), int(size), int(written))
        if status not in _RUNNING:
            found = _SAID.search(str(error))
            raise _sentence(client, statement, int(found[1]) if found else 0, found[2] if found else str(error) or str(status))
        began(f"{read:,} of {counted(files, 'file')}" if status == "RESTORING" else counted(files, "file") + f", {size:,} bytes")
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_S)


def _sentence(client: Client, statement: Statement, code: int, said: str) -> BackupError:
    said = " ".join(statement.keys.hidden(said).split())
    place = statement.place.shown
    if code == _EXISTS and "already exists" in said:
        return BackupError(f"there is a backup at {place} already, which is left as it is: choose another name", code)
    if code == _EXISTS and is_running(client, statement.place):
        return BackupError(f"a backup at {place} is being written now: wait for its end, or choose another name", code)
    if code == _EXISTS:
        return BackupError(f"what lies at {place} is no whole backup, its writing was broken off: choose another name, or remove its files", code)
    if code == _NOT_FOUND:
        named = _MISSING.search(said)  # the backup itself, or a former one on which it stands
        missing = place if named is None or named[1].startswith(statement.place.beginning) else named[1]
        return BackupError(f"there is no whole backup at {missing}: nothing is there, or its writing was broken off", code)
    if code == _NO_ENTRY:
        named = _NO_DATABASE.search(said)
        database = f"database {named[1]}" if named else "this database"
        return BackupError(f"the backup at {place} does not hold {database}: --dsn names the database that was backed up", code)
    if code == _NOT_SET or "not allowed for backups" in said:
        return BackupError(f"the server's configuration allows no backups at {place}: {said[:_ERROR_LENGTH]}", code)
    return BackupError(f"{place}: {said[:_ERROR_LENGTH]}", code)
