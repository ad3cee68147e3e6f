"""Roles of ClickHouse: the engine's own checks, in processes whose user has the grants of one role (tests/support/engine_users.py)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine_users import EngineUser, engine_user, grants_of, settings_of, write_users
from tests.support.ledger_rows import START_NS, claimed, usage
from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.migrate import steps
from tokentrail.clickhouse.roles import roles, tenant_name, tenant_roles
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.ledger.places import KEPT_SUMS
from tokentrail.ledger.query import questions

TARGET = Target("tokentrail")
TENANT = "acme"
OF_TENANT = f"tokentrail_tenant_{TENANT}"
EVERYTHING = ["GRANT ALL ON *.*"]
SECRETS = ("globex", "op-of-globex", "service-of-globex", "model-of-globex")
DAY = 24 * 3600 * 10**9


def rows() -> list[dict[str, Any]]:
    """Usages of two tenants in ten days, a claimed key that both have used, and a job that one has created and the other one polled."""
    found = []
    for number in range(1, 41):
        tenant = "acme" if number % 2 else "globex"
        about = {"operation_id": f"op-of-{tenant}", "response_model": f"model-of-{tenant}", "duration_ns": 10**9, "trace_id": f"{number:032x}"}
        ts = START_NS - (number % 10) * DAY + number * 10**9
        found.append(usage(by=tenant, seq=number, tenant=tenant, input_tokens=number, ts=ts, more=about) | {"ServiceName": f"service-of-{tenant}"})
    job = {"kind": "object", "key_time": START_NS}
    about = {"operation_id": "op-of-globex", "response_model": "model-of-globex"}
    return [
        *found,
        claimed("shared", by="acme", seq=101, tenant="acme", input_tokens=1000, source="estimated", output_tokens=1000),
        claimed("shared", by="globex", seq=101, tenant="globex", input_tokens=2000, output_tokens=2000, more=about),
        usage(
            key="openai:batch_1##created",
            by="globex",
            seq=102,
            tenant="globex",
            input_tokens=None,
            output_tokens=None,
            more=about | {"calls": 0},
            **job,
        ),
        usage(key="openai:batch_1", by="acme", seq=102, tenant="acme", input_tokens=7000, output_tokens=0, **job),
    ]


@dataclass
class Ledger:
    data: Path
    configurations: Path

    def user(self, role: str, database: str = TARGET.database) -> AbstractContextManager[EngineUser]:
        statements = [*roles(TARGET), *tenant_roles(TARGET, TENANT)]
        others = {"owner": grants_of(statements, "tokentrail_migrator"), "tokentrail_tenants": grants_of(statements, "tokentrail_tenants")}
        administrator = role == "administrator"
        grants = EVERYTHING if administrator else grants_of(statements, role)
        configuration = write_users(self.configurations, role, grants, others)
        return engine_user(self.data, configuration, database, {} if administrator else settings_of(statements, role))


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """A ledger that the migrator has made, the writer has filled and the rollup has summed."""
    pytest.importorskip("chdb", reason="the embedded ClickHouse (tokentrail[embedded]) is not installed")
    made = Ledger(tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("users"))
    with made.user("tokentrail_migrator") as migrator:
        assert len(migrator.migrate()) == len(steps(TARGET))
        assert migrator.migrate() == []
    with made.user("administrator") as administrator:
        # the user of every process here is `default`, and what the migrator has made is to run with the migrator's rights and not with a reader's
        for (view,) in administrator.run("SELECT name FROM system.tables WHERE database = 'tokentrail' AND engine = 'MaterializedView'"):
            administrator.run(f"ALTER TABLE tokentrail.{view} MODIFY DEFINER = owner SQL SECURITY DEFINER")
        for statement in tenant_roles(TARGET, TENANT):
            if statement.startswith(("CREATE DATABASE", "CREATE OR REPLACE VIEW")):
                administrator.run(statement)
    with made.user("tokentrail_writer") as writer:
        lines = "\n".join(map(json.dumps, rows()))
        writer.run(f"INSERT INTO tokentrail.usage_landing FORMAT JSONEachRow\n{lines}\n")
    with made.user("administrator") as administrator:  # days are summed an hour after their last arrival
        administrator.run("ALTER TABLE tokentrail.usage_ledger UPDATE arrived_at = arrived_at - INTERVAL 3 HOUR WHERE 1 SETTINGS mutations_sync = 2")
        assert administrator.run("SELECT count() FROM tokentrail.quarantine") == [[0]]
        kept = {"day": "2026-10-01", "tenant_id": "globex", "calls": 3, "input_tokens": 12345678, "build": KEPT_SUMS + 1}
        administrator.run(f"INSERT INTO tokentrail.usage_days FORMAT JSONEachRow\n{json.dumps(kept)}\n")  # of usages that retention has removed
        assert administrator.run("SELECT count() FROM tokentrail.usage_kept") == [[1]]
    with made.user("tokentrail_operator") as operator:
        for name, tenants in (("own", ["acme"]), ("of globex", ["globex"]), ("of both", ["acme", "globex"]), ("of all", [])):
            budget = {"name": name, "version": 1, "tenants": tenants, "currency": "", "amount": "1000000", "period": "year", "timezone": "UTC"}
            operator.run(f"INSERT INTO tokentrail.budgets FORMAT JSONEachRow\n{json.dumps(budget)}\n")
    with made.user("tokentrail_rollup") as rollup:
        rollup.rollup()
        assert rollup.run("SELECT count() > 5 FROM tokentrail.usage_fresh_days") == [[1]]
    return made


BEYOND = (
    "CREATE TABLE tokentrail.mine (a Int64) ENGINE = Memory",
    "DROP TABLE tokentrail.usage_ledger",
    "TRUNCATE TABLE tokentrail.usage_ledger",
    "ALTER TABLE tokentrail.usage_ledger DELETE WHERE 1",
    "ALTER TABLE tokentrail.usage_ledger UPDATE input_tokens = 0 WHERE 1",
    "ALTER TABLE tokentrail.usage_ledger DROP PARTITION ID 'all'",
    "INSERT INTO tokentrail.usage_ledger (tenant_id) VALUES ('forged')",
    "INSERT INTO tokentrail.deliveries (writer_id) VALUES ('forged')",
    "INSERT INTO tokentrail.migrations (name) VALUES ('forged')",
    "CREATE OR REPLACE VIEW tokentrail.usage AS SELECT 1",
    "CREATE USER mallory",
    "GRANT SELECT ON *.* TO default",
    "CREATE FUNCTION f AS x -> x",
    "CREATE DATABASE elsewhere",
    "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "SELECT * FROM url('http://127.0.0.1:9/', 'LineAsString')",
    "INSERT INTO FUNCTION file('/tmp/stolen', 'LineAsString') SELECT 'x'",
    "SELECT * FROM remote('127.0.0.1', 'tokentrail', 'usage_ledger')",
    "SELECT * FROM executable('id', TSV, 'x String')",
    "SELECT * FROM s3('http://127.0.0.1:9/bucket/x', 'LineAsString')",
    "SELECT * FROM icebergLocal('/tmp/x')",
    "SELECT * FROM sqlite('/tmp/x.db', 't')",
    "SELECT * FROM mysql('127.0.0.1:9', 'a', 'b', 'c', 'd')",
    "SELECT * FROM postgresql('127.0.0.1:9', 'a', 'b', 'c', 'd')",
    "SELECT * FROM redis('127.0.0.1:9', 'k', 'k String')",
    "SELECT * FROM filesystem('/etc')",
    "SELECT aiGenerate('x', map('credentials', 'k'))",
    "CREATE DICTIONARY tokentrail.d (a UInt64) PRIMARY KEY a SOURCE(HTTP(url 'http://127.0.0.1:9' format 'TSV')) LAYOUT(FLAT()) LIFETIME(0)",
    "CREATE NAMED COLLECTION mine AS a = 'b'",
    "SYSTEM STOP MERGES tokentrail.usage_ledger",
    "BACKUP DATABASE tokentrail TO File('/tmp/stolen')",
)
"""What no program's role may do."""


def refused(user: EngineUser, statement: str) -> str:
    with pytest.raises(PermissionError) as caught:
        user.run(statement)
    said = str(caught.value)
    assert any(
        reason in said for reason in ("Not enough privileges", "(READONLY)", "in readonly mode", "BACKUP and RESTORE write", "UNKNOWN_FUNCTION")
    ), said
    return said


MAY_INSERT = {
    "operator": {"usage_landing", "prices", "budgets", "quarantine"},
}
INSERTED = ("usage_landing", "usage_days", "alerts", "prices", "budgets", "otel_logs", "quarantine")


@pytest.mark.parametrize("role", ["writer", "reader", "grafana", "operator"])
def test_a_role_does_nothing_beyond_its_work(ledger: Ledger, role: str) -> None:
    with ledger.user(f"tokentrail_{role}") as user:
        for statement in BEYOND:
            refused(user, statement)
        for table in INSERTED:
            statement = f"INSERT INTO tokentrail.{table} SELECT * FROM tokentrail.{table} WHERE 0"
            if role == "writer" or table not in MAY_INSERT.get(role, ()):
                refused(user, statement)
            else:
                user.run(statement)
        for check in CHECKS.get(role, ()):
            check(user)


def test_rollup_and_check_add_to_their_own_tables_only() -> None:
    reads = "GRANT SELECT ON `tokentrail`.*"
    rolls = ["GRANT INSERT, ALTER DELETE ON `tokentrail`.usage_days", "GRANT INSERT ON `tokentrail`.usage_day_builds"]
    assert grants_of(roles(TARGET), "tokentrail_rollup") == [reads, *rolls]
    checks = ["GRANT INSERT ON `tokentrail`.alerts", "GRANT INSERT ON `tokentrail`.alert_checks", "GRANT INSERT ON `tokentrail`.findings"]
    assert grants_of(roles(TARGET), "tokentrail_check") == [reads, *checks]


def the_writer_reads_nothing(writer: EngineUser) -> None:
    for table in ("usage", "usage_cost", "usage_landing", "usage_ledger", "otel_logs", "quarantine", "usage_daily"):
        refused(writer, f"SELECT count() FROM tokentrail.{table}")
    assert writer.run("DESCRIBE TABLE tokentrail.otel_logs")  # the Collector's exporter looks for columns when it starts
    for table in ("otel_traces", "otel_logs", "otel_metrics_gauge", "otel_metrics_sum", "otel_metrics_histogram"):
        writer.run(f"INSERT INTO tokentrail.{table} (ServiceName) VALUES ('x')")


def who_reads_is_answered_every_question(reader: EngineUser) -> None:
    for name in questions():
        reader.question(name, **given(name))
    assert {row[0] for row in reader.question("tokens", by="tenant_id", **EVER)} == {"acme", "globex"}


def grafana_sets_nothing(grafana: EngineUser) -> None:
    for setting in ("readonly = 0", "readonly = 2", "max_memory_usage = 0", "max_result_rows = 0", "allow_ddl = 0"):
        with pytest.raises(PermissionError, match=r"READONLY|readonly mode"):
            grafana.run(f"SELECT 1 SETTINGS {setting}")
    assert grafana.question("tokens", by="tenant_id", **EVER) != []


CHECKS: dict[str, list[Callable[[EngineUser], None]]] = {
    "writer": [the_writer_reads_nothing],
    "reader": [who_reads_is_answered_every_question],
    "grafana": [grafana_sets_nothing],
}


EVER = {"from": "2020-01-01 00:00:00", "to": "2100-01-01 00:00:00"}


def given(name: str) -> dict[str, str]:
    wanted = {
        "calls_of_a_trace": {"trace": f"{2:032x}"},
        "spans_of_a_trace": {"trace": "x"},
        "calls_of_an_operation": {"operation_id": "op-of-globex"},
    }
    return wanted.get(name, {})


ONE_TENANTS = frozenset(questions()) - {
    *(
        "condition_missing_events",
        "condition_open_findings",
        "condition_quarantine",
        "condition_reconciliation",
        "condition_unpriced_share",
        "conservation",
        "contradictions",
        "copies",
        "findings",
        "journals",
    ),
    *("not_understood", "processes", "reconciliation", "spans_of_a_trace"),
}
"""Questions that a tenant's reader can ask: the others are about processes, arrivals and spans, which belong to no tenant."""


@pytest.fixture(scope="module")
def acme(ledger: Ledger) -> Iterator[EngineUser]:
    with ledger.user(OF_TENANT, OF_TENANT) as user:
        yield user


@pytest.mark.parametrize("name", questions())
def test_a_tenants_reader_sees_nothing_of_another_tenant_in_any_question(acme: EngineUser, name: str) -> None:
    if name not in ONE_TENANTS:
        with pytest.raises(PermissionError):
            acme.question(name, **given(name))
        return
    said = json.dumps(acme.question(name, **given(name), **(EVER if asks_for_a_time(name) else {})))
    assert not any(secret in said for secret in SECRETS), said


def asks_for_a_time(name: str) -> bool:
    from tokentrail.ledger.query import read

    return {"from", "to"} <= {wanted.name for wanted in read(name).parameters}


def test_a_tenants_sums_are_its_own(ledger: Ledger, acme: EngineUser) -> None:
    own = acme.question("tokens", by="tenant_id", **EVER)
    assert [row[0] for row in own] == ["acme"]
    assert sum(range(1, 41, 2)) in own[0]  # neither the key that globex's better record replaced, nor globex's job that acme polled
    assert acme.run(f"SELECT sum(input_tokens), sum(calls) FROM {OF_TENANT}.usage") == [[400, 20]]
    assert acme.run(f"SELECT sum(input_tokens), sum(calls) FROM {OF_TENANT}.usage_cost") == [[400, 20]]
    assert acme.run(f"SELECT sum(input_tokens), sum(calls) FROM {OF_TENANT}.usage_daily") == [[400, 20]]
    assert acme.run(f"SELECT count() FROM {OF_TENANT}.usage_kept") == [[0]]
    assert [row[0] for row in acme.question("budgets")] == ["own"]


def test_a_tenants_reader_reaches_no_table(acme: EngineUser) -> None:
    tables = (
        "usage",
        "usage_cost",
        "usage_ledger",
        "usage_landing",
        "usage_days",
        "usage_jobs",
        "otel_logs",
        "otel_traces",
        "quarantine",
        "budgets",
        "prices",
    )
    for table in tables:
        refused(acme, f"SELECT count() FROM tokentrail.{table}")
    for statement in BEYOND:
        refused(acme, statement)
    assert {row[0] for row in acme.run("SELECT name FROM system.databases WHERE name LIKE 'tokentrail%'")} == {OF_TENANT}
    assert acme.run("SELECT name FROM system.tables WHERE database = 'tokentrail'") == []


def raising(condition: str) -> str:
    return f"throwIf({condition}, 'seen')"


@pytest.mark.parametrize("view", ["usage", "usage_cost"])
def test_an_expression_is_not_shown_other_tenants_rows(acme: EngineUser, view: str) -> None:
    """An error, or the time of a query, would tell what is in rows that the answer leaves out."""
    for condition in ("operation_id = 'op-of-globex'", "tenant_id != 'acme'", "provider = 'openai' AND tenant_id = 'globex'", "input_tokens = 2"):
        assert acme.run(f"SELECT count() FROM {OF_TENANT}.{view} WHERE NOT {raising(condition)}") == [[20]]
        assert acme.run(f"SELECT sum({raising(condition)}) FROM {OF_TENANT}.{view}") == [[0]]
        divided = f"SELECT countIf(intDiv(1, if({condition}, 0, 1)) > 0) FROM {OF_TENANT}.{view}"
        assert acme.run(divided) == [[20]]


def test_names_of_tenants_never_meet() -> None:
    tenants = ["acme", "Acme", "acme ", "ac-me", "ac_me", "a.b", "a_b", "", "🙂", "x" * 100, "x" * 101, "a'; DROP DATABASE x; --", "`", "\\", "local"]
    names = [tenant_name(tenant) for tenant in tenants]
    assert len(set(names)) == len(names)
    for tenant in filter(None, tenants):
        for statement in tenant_roles(Target("data`base"), tenant):
            assert "{{" not in statement or "{{" in tenant


@pytest.mark.parametrize("hostile", ["a'; DROP DATABASE x; --", "\\", "`", "a\\'", "{{database}}", "a\nb", "🙂"])
def test_the_statements_are_clickhouses_whatever_the_tenant(database: Client, hostile: str) -> None:
    for statement in [*roles(Target("data`base", "prod")), *tenant_roles(Target("data`base", "prod"), hostile)]:
        ((formatted,),) = database.query("SELECT formatQuery({statement:String})", {"statement": statement}).rows
        assert formatted
        if "WHERE tenant_id" in formatted:
            said = formatted.partition("WHERE ")[2]
            assert said.startswith("tenant_id = '") or "usage_fresh_days" in formatted
