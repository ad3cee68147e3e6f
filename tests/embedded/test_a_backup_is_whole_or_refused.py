"""`tokentrail backup` and `restore`: what was kept comes back, compared and proven; what is not whole or would be mixed is refused in one sentence."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.former_versions import FIRST_WITH_VIEWS, make_database, sent
from tests.support.ledger_rows import claimed, closing, usage
from tests.support.terminal import TOKENTRAIL, Ran, assert_one_sentence, in_process
from tests.support.waiting import wait_until
from tokentrail.backups import totals
from tokentrail.backups.place import Keys, parse
from tokentrail.clickhouse.client import Client, connect
from tokentrail.clickhouse.migrate import migrate, plan
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.embedded.process import ServerProcess
from tokentrail.ledger.places import KEPT_SUMS
from tokentrail.ledger.verify import verify

TOTAL = "SELECT sum(calls), sum(input_tokens), sum(output_tokens) FROM usage"
SECRET = "s3cr3t/of+the'bucket"
NUMBERS = itertools.count(1)
SLOW = "40000"
"""Bytes a second at which these backups take seconds."""
ENDLESS = "2000"
"""Bytes a second of what is killed before its end."""


class World:
    """A server, and a database of it that holds nothing yet."""

    def __init__(self, server: ServerProcess, data: Path, database: str = "tokentrail") -> None:
        self.server, self.data, self.database = server, data, database
        self.client, self.server_wide = self.client_of(database), self.client_of("default")

    def client_of(self, database: str) -> Client:
        return connect(self.dsn(database))

    def dsn(self, database: str = "") -> str:
        return f"{self.server.addresses.http}/{database or self.database}"

    def run(self, *arguments: str, database: str = "", **environment: str) -> Ran:
        return in_process(*arguments, TOKENTRAIL_CLICKHOUSE_DSN=self.dsn(database), **environment)

    def begun(self, *arguments: str) -> subprocess.Popen[str]:
        environment = os.environ | {"TOKENTRAIL_CLICKHOUSE_DSN": self.dsn()}
        return subprocess.Popen([*TOKENTRAIL, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def tables(self, database: str = "") -> set[str]:
        asked = "SELECT name FROM system.tables WHERE database = {d:String}"
        return {name for (name,) in self.server_wide.query(asked, {"d": database or self.database}).rows}

    def running(self, status: str) -> bool:
        return bool(self.server_wide.query("SELECT 1 FROM system.backups WHERE status = {s:String}", {"s": status}).rows)

    def fill(self, calls: int = 20, by: str = "w1") -> None:
        self.client.insert_json("usage_landing", [*(usage(by=by, seq=seq) for seq in range(1, calls + 1)), closing(calls, by=by)])

    def drop(self) -> None:
        self.server_wide.command(f"DROP DATABASE {self.database} SYNC")

    def close(self) -> None:
        self.client.close()
        self.server_wide.close()


@pytest.fixture
def alone(start: Callable[..., ServerProcess], tmp_path: Path) -> Iterator[World]:
    """A server of the test's own, which may be killed."""
    made = World(start(), tmp_path / "data")
    yield made
    made.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    data = tmp_path_factory.mktemp("kept") / "data"
    with ServerProcess.started(data) as server:
        made = World(server, data)
        yield made
        made.close()


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    """A database of the test's own."""
    name = f"ledger{next(NUMBERS)}"
    migrate(connect(shared.dsn("default")), Target(name))
    made = World(shared.server, shared.data, name)
    yield made
    made.close()


def restored(ran: Ran) -> dict[str, dict[str, object]]:
    return {each["table"]: each for each in json.loads(ran.out)["tables"]}


def test_what_was_dropped_comes_back_compared(world: World) -> None:
    world.fill()
    world.client.insert_json("usage_landing", [claimed("k1", by="w2", seq=1), usage(by="w2", seq=2, input_tokens="many")])
    before, said = world.client.query(TOTAL).rows, verify(world.client).findings
    kept = world.run("backup", "monday")
    assert kept.code == 0, kept.err
    assert re.search(r"usage_ledger +21 +\d+ +21 ", kept.out)
    assert re.search(r"^File\('monday'\): 29 tables, \d+ rows, [\d,]+ bytes in \d+ files$", kept.out, re.MULTILINE)
    assert "backup_totals" not in world.tables()
    world.drop()
    ran = world.run("restore", "monday", "--json")
    assert ran.code == 0, ran.err
    assert {each["said"] for each in restored(ran).values()} == {"the same"}
    assert restored(ran)["usage_ledger"]["stated"] == restored(ran)["usage_ledger"]["restored"]
    assert world.client.query(TOTAL).rows == before
    assert verify(world.client).findings == said
    assert plan(world.client, Target(world.database)) == []
    assert not {name for name in world.tables() if name.startswith(("backup_", "restore_"))}
    world.fill(by="w3")  # views take records again
    assert world.client.query(TOTAL).rows[0][0] == before[0][0] + 20


def test_an_empty_migrated_database_is_filled(world: World) -> None:
    """`tokentrail serve` makes its tables at the start."""
    world.fill()
    before = world.client.query(TOTAL).rows
    assert world.run("backup", "tuesday").code == 0
    world.drop()
    migrate(world.client_of("default"), Target(world.database))
    ran = world.run("restore", "File('tuesday')")
    assert ran.code == 0, ran.err
    assert f"now run `tokentrail verify` on database {world.database}" in ran.out
    assert re.search(r"usage_ledger +20 +20 +\d+ +20 +the same", ran.out)
    assert world.client.query(TOTAL).rows == before


def test_an_increment_holds_what_is_new_and_needs_its_base(world: World) -> None:
    world.fill()
    assert world.run("backup", "first").code == 0
    world.fill(by="w2")
    before = world.client.query(TOTAL).rows
    ran = world.run("backup", "second", "--base", "first", "--json")
    assert ran.code == 0, ran.err
    made = json.loads(ran.out)
    assert made["base"] == "File('first')"
    assert made["written_bytes"] < made["bytes"]
    assert world.run("restore", "second", "--into", "increment").code == 0
    assert world.client_of("increment").query(TOTAL).rows == before
    world.client.command("DROP DATABASE increment SYNC")
    (world.data / "backups" / "first" / ".backup").unlink()
    ran = world.run("restore", "second", "--into", "increment")
    assert_one_sentence(ran, "no whole backup at File('first')")
    assert world.tables("increment") == set()


def test_a_name_is_made_of_the_time(world: World) -> None:
    ran = world.run("backup")
    assert ran.code == 0, ran.err
    found = re.search(rf"File\('({world.database}-\d{{8}}T\d{{6}}Z)'\)", ran.out)
    assert found
    assert (world.data / "backups" / found[1]).is_dir()


def test_a_backup_beside_inserts_is_whole(world: World) -> None:
    """Rows that reached the landing table's copy and not the ledger's are read again, and tokens that come meanwhile are no finding."""
    world.fill(200)
    process = world.begun("backup", "busy", "--bandwidth", SLOW)
    wait_until(lambda: world.running("CREATING_BACKUP"), "the state", every_s=0.02)
    world.client.insert_json("usage_landing", [usage(by="w2", seq=1)])
    assert process.wait(60) == 0
    assert world.run("restore", "busy", "--into", "beside").code == 0
    copy = world.client_of("beside")
    ((arrived,),) = copy.query("SELECT uniqExact(LogAttributes['tokentrail.writer.id'], LogAttributes['tokentrail.seq']) FROM usage_landing").rows
    assert arrived >= 200
    assert verify(copy).ok
    copy.close()


REFUSED = [
    (["backup", "here"], "there is a backup at File('here') already"),
    (["backup", "../out"], "allows no backups at File('../out')"),
    (["backup", "Disk('none', 'x')"], "allows no backups at Disk('none', 'x')"),
    (["backup", "new", "--base", "nothing"], "no whole backup at File('nothing')"),
    (["backup", "new", "--base", "new"], "--base is the backup itself"),
    (["backup", ""], "the backup has an empty name"),
    (["backup", "Tape('x')"], "Tape is no place that tokentrail knows"),
    (["backup", "File('x'"], "this is no place of a backup"),
    (["backup", "File(x)"], "texts in single quotes"),
    (["backup", "Disk('x')"], "Disk has a name and a path"),
    (["backup", "S3('https://b.example/x', 'AKIAX', 'oops')"], "keys in the arguments are seen by others"),
    (["backup", "S3('https://user:oops@b.example/x')"], "the address of S3 holds a key"),
    (["backup", "S3('https://b.example/x?X-Amz-Signature=oops')"], "the address of S3 holds a key"),
    (["restore", "here"], "database tokentrail holds rows (deliveries, usage_landing, usage_ledger)"),
    (["restore", "nothing", "--into", "copied"], "no whole backup at File('nothing')"),
    (["restore", "half", "--into", "copied"], "no whole backup at File('half')"),
    (["restore", "here", "--into", "c"], "name a database of two letters or more"),
    (["restore", "here", "--into", "system"], "is not the server's own"),
]


@pytest.fixture(scope="module")
def kept(shared: World) -> World:
    """Rows, a backup of them, and another one that lacks what is written last."""
    shared.fill()
    assert shared.run("backup", "here").code == 0
    assert shared.run("backup", "half").code == 0
    (shared.data / "backups" / "half" / ".backup").unlink()
    return shared


@pytest.mark.parametrize(("arguments", "said"), REFUSED, ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "")
def test_it_is_refused_in_one_sentence(kept: World, arguments: list[str], said: str) -> None:
    ran = kept.run(*arguments)
    assert_one_sentence(ran, said)
    assert "oops" not in ran.err
    assert not {"backup_totals", "restore_unfinished", "restore_looks_at"} & kept.tables()
    assert kept.tables("copied") == set()
    assert kept.client.query("SELECT sum(calls) FROM usage").rows == [(20,)]


def test_another_databases_backup_is_refused(kept: World) -> None:
    ran = kept.run("restore", "here", database="another")
    assert_one_sentence(ran, "does not hold database another: --dsn names the database that was backed up")
    assert kept.client.query("SELECT count() FROM system.databases WHERE name = 'another'").rows == [(0,)]


def test_a_backup_of_a_newer_version_is_refused_before_anything_is_dropped(kept: World) -> None:
    migrate(kept.client_of("default"), Target("newer"))
    newer = kept.client_of("newer")
    newer.insert_json("migrations", [{"name": "9999_later", "checksum": "x", "cluster": "", "package": "9"}])
    assert kept.run("backup", "newer", database="newer").code == 0
    migrate(kept.client_of("default"), Target("empty"))
    tables = kept.tables("empty")
    ran = kept.run("restore", "newer", "--into", "empty", database="newer")
    assert_one_sentence(ran, "cannot be restored by this version")
    assert kept.tables("empty") == tables


def test_one_key_without_the_other_is_refused(kept: World) -> None:
    assert_one_sentence(kept.run("backup", "x", TOKENTRAIL_BACKUP_S3_KEY="AKIAX"), "TOKENTRAIL_BACKUP_S3_SECRET is not")


def test_what_is_missing_of_the_backup_is_named(kept: World) -> None:
    """A row is removed between the counting and the copying."""
    migrate(kept.client_of("default"), Target("lossy"))
    lossy = kept.client_of("lossy")
    lossy.insert_json("usage_landing", [usage(seq=seq) for seq in (1, 2, 3)])
    totals.state(lossy, "x")
    lossy.command("ALTER TABLE usage_ledger DELETE WHERE seq = 2 SETTINGS mutations_sync = 2")
    lossy.command("BACKUP DATABASE lossy TO File('lossy')")
    ran = kept.run("restore", "lossy", "--into", "found", database="lossy")
    assert ran.code == 1, ran.err
    assert "1 row missing, 1 key missing" in " ".join(ran.out.split())
    assert "✗ 1 table differs from what the backup states" in ran.out
    assert kept.client_of("found").query("SELECT sum(calls) FROM usage").rows == [(3,)]  # the landing table has it, and is read again


def test_sums_that_are_built_anew_are_no_loss_and_kept_ones_are(kept: World) -> None:
    """`tokentrail rollup` may take former sums away while a backup is made."""
    migrate(kept.client_of("default"), Target("summed"))
    summed = kept.client_of("summed")
    row = {"day": "2026-10-01", "tenant_id": "acme", "calls": 3, "input_tokens": 12}
    summed.insert_json("usage_days", [row | {"build": build} for build in (7, KEPT_SUMS + 1)])
    before = totals.state(summed, "x")
    summed.command("ALTER TABLE usage_days DELETE WHERE build = 7 SETTINGS mutations_sync = 2")
    assert [each.stated.table for each in totals.compare(before, totals.count(summed), busy=False) if not each.good] == []
    summed.command("ALTER TABLE usage_days DELETE WHERE 1 SETTINGS mutations_sync = 2")
    (lost,) = [each for each in totals.compare(before, totals.count(summed), busy=False) if not each.good]
    assert (lost.stated.table, lost.said) == ("usage_days", "1 key missing")
    summed.close()


def test_a_backup_made_by_hand_is_restored_and_not_compared(kept: World) -> None:
    kept.client.command("BACKUP DATABASE tokentrail TO File('by hand')")
    ran = kept.run("restore", "by hand", "--into", "byhand")
    assert ran.code == 0, ran.err
    assert "states no totals: nothing was compared" in ran.out
    copy = kept.client_of("byhand")
    assert copy.query("SELECT sum(calls) FROM usage").rows == [(20,)]
    assert verify(copy).ok
    copy.close()


def test_a_backup_of_a_former_version_is_brought_to_this_one(kept: World) -> None:
    client = kept.client_of("default")
    make_database(client, "former", FIRST_WITH_VIEWS)
    client.insert_json("usage_landing", sent()[:20])
    assert kept.run("backup", "former", database="former").code == 0
    ran = kept.run("restore", "former", "--into", "renewed", database="former")
    assert ran.code == 0, ran.err
    assert re.search(r"the backup is of a former version: \d+ migrations applied", ran.out)
    copy = kept.client_of("renewed")
    assert plan(copy, Target("renewed")) == []
    ((calls,),) = copy.query("SELECT sum(calls) FROM usage").rows
    migrate(client, Target("former"))
    assert client.query("SELECT sum(calls) FROM usage").rows == [(calls,)]
    assert calls
    copy.close()


def test_keys_of_s3_are_shown_nowhere(kept: World) -> None:
    """Nothing answers there, and the server tries for long: it is interrupted."""
    keys = {"TOKENTRAIL_BACKUP_S3_KEY": "AKIAOFATEST", "TOKENTRAIL_BACKUP_S3_SECRET": SECRET, "TOKENTRAIL_CLICKHOUSE_DSN": kept.dsn()}
    command = [*TOKENTRAIL, "backup", "S3('http://127.0.0.1:9/bucket/x')"]
    with subprocess.Popen(command, env=os.environ | keys, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: kept.running("CREATING_BACKUP"), "the state", every_s=0.02)
        arguments = Path(f"/proc/{process.pid}/cmdline").read_text()
        process.send_signal(signal.SIGINT)
        said = "".join(process.communicate(timeout=60))
    assert process.returncode == 130
    shown = str(kept.client.query("SELECT name, error FROM system.backups").rows)
    for text in (arguments, said, shown):
        assert SECRET not in text
        assert "s3cr3t" not in text


def test_keys_of_s3_are_in_the_statement_alone() -> None:
    place, keys = parse("s3( 'https://b.example/x' )"), Keys("AKIAOFATEST", SECRET)
    written = place.sql(keys)
    assert written == r"S3('https://b.example/x', 'AKIAOFATEST', 's3cr3t/of+the\'bucket')"
    assert keys.hidden(f"{written} {SECRET}") == "S3('https://b.example/x', '[HIDDEN]', '[HIDDEN]') [HIDDEN]"
    assert place.shown == "S3('https://b.example/x')"
    assert parse("S3(collection, 'monday')").sql(keys) == "S3(collection, 'monday')"
    assert SECRET not in repr(keys)


def test_a_killed_server_leaves_no_backup(alone: World, start: Callable[..., ServerProcess]) -> None:
    alone.fill(200)
    process = alone.begun("backup", "cut", "--bandwidth", ENDLESS)
    wait_until((alone.data / "backups" / "cut" / "data").exists, "files of the backup", every_s=0.02)
    assert_one_sentence(alone.run("backup", "other"), "another backup is being made on this server now")
    alone.server.kill()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert len(said.strip().splitlines()) <= 2, said
    again = World(start(alone.data), alone.data)
    assert_one_sentence(again.run("restore", "cut", "--into", "copied"), "no whole backup at File('cut')")
    assert_one_sentence(again.run("backup", "next", "--base", "cut"), "no whole backup at File('cut')")
    assert_one_sentence(again.run("backup", "cut"), "no whole backup, its writing was broken off: choose another name")
    assert again.run("backup", "next").code == 0
    assert "backup_totals" not in again.tables()
    assert restored(again.run("restore", "next", "--into", "copied", "--json"))["usage_ledger"]["said"] == "the same"
    again.close()


def test_a_killed_command_leaves_a_whole_backup(alone: World) -> None:
    alone.fill(200)
    process = alone.begun("backup", "alone", "--bandwidth", SLOW)
    wait_until(lambda: alone.running("CREATING_BACKUP"), "the state", every_s=0.02)
    process.kill()
    process.communicate()
    wait_until(lambda: not alone.running("CREATING_BACKUP"), "the state", every_s=0.02)
    assert_one_sentence(alone.run("backup", "alone"), "there is a backup at File('alone') already")
    assert alone.run("restore", "alone", "--into", "copied").code == 0
    assert alone.run("backup", "next").code == 0
    assert "backup_totals" not in alone.tables()


def test_a_restore_that_was_broken_off_is_begun_anew(alone: World, start: Callable[..., ServerProcess]) -> None:
    alone.fill(200)
    before = alone.client.query(TOTAL).rows
    assert alone.run("backup", "monday").code == 0
    alone.drop()
    process = alone.begun("restore", "monday", "--bandwidth", ENDLESS)
    wait_until(lambda: "restore_unfinished" in alone.tables() and alone.running("RESTORING"), "the state", every_s=0.02)
    process.kill()
    process.communicate()
    assert_one_sentence(alone.run("restore", "monday"), "still goes on in the server")
    alone.server.kill()
    again = World(start(alone.data), alone.data)
    assert_one_sentence(again.run("backup", "tuesday"), "is not wholly restored")
    assert_one_sentence(again.run("verify"), "is not wholly restored: run `tokentrail restore` again")
    assert_one_sentence(again.run("restore", "tuesday"), "no whole backup at File('tuesday')")
    ran = again.run("restore", "monday")
    assert ran.code == 0, ran.err
    assert "had been broken off: it was begun anew" in ran.out
    assert again.client.query(TOTAL).rows == before
    assert verify(again.client).ok
    assert "restore_unfinished" not in again.tables()
    again.close()


def test_what_arrives_after_a_restore_was_broken_off_is_not_removed(world: World) -> None:
    world.fill()
    assert world.run("backup", "wednesday").code == 0
    time.sleep(1.1)  # the mark's time has whole seconds
    world.client.command("CREATE TABLE restore_unfinished ENGINE = MergeTree ORDER BY name COMMENT 'File(' AS SELECT * FROM migrations")
    time.sleep(1.1)
    world.client.insert_json("usage_landing", [usage(by="w9", seq=1)])
    assert_one_sentence(world.run("restore", "wednesday"), "1 record arrived since, which another one would remove")
    assert world.client.query("SELECT sum(calls) FROM usage").rows == [(21,)]
