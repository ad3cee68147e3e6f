"""What analysts open the ledger with: the notebooks of docs (clickhouse-connect, pandas, polars, Arrow), and SQLAlchemy, which Superset asks through, and JDBC,
which Metabase asks through."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine, MetaData, Table, create_engine, func, inspect, select, text

from tests.support import jdbc
from tests.support.require import require
from tests.support.scripts import load_script
from tokentrail.clickhouse.client import connect
from tokentrail.local.cache import Unavailable
from tokentrail.local.progress import Progress

SCRIPT = load_script("notebooks")
NOTEBOOKS = sorted(SCRIPT.FOLDER.glob("*.ipynb"))


@pytest.fixture(scope="module")
def dsn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with SCRIPT.served(tmp_path_factory.mktemp("ledger")) as address:
        yield address


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_what_it_answers(notebook, dsn, tmp_path, monkeypatch) -> None:
    for name, value in SCRIPT.environment(dsn, tmp_path).items():
        monkeypatch.setenv(name, value)
    ran = SCRIPT.executed(notebook)
    if sys.version_info >= (3, 11):  # the pins of an older Python show frames in other ways
        assert ran == notebook.read_text("utf-8"), "make docs"


@pytest.fixture(scope="module")
def engine(dsn: str) -> Iterator[Engine]:
    made = create_engine(dsn.replace("http://", "clickhousedb://"))
    yield made
    made.dispose()


def test_sqlalchemy_lists_what_there_is(engine: Engine) -> None:
    seen = inspect(engine)
    assert "tokentrail" in seen.get_schema_names()
    assert {"usage", "usage_cost", "usage_daily"} <= set(seen.get_view_names("tokentrail"))
    columns = {column["name"]: column for column in seen.get_columns("usage", schema="tokentrail")}
    assert columns["ts"]["type"].python_type.__name__ == "datetime"
    assert columns["input_tokens"]["type"].python_type is int
    assert columns["tenant_id"]["comment"].startswith("Whose tokens")


def test_sqlalchemy_asks(engine: Engine) -> None:
    with engine.connect() as connection:
        table = Table("usage_cost", MetaData(), autoload_with=engine)
        asked = (
            select(table.c.provider, func.sum(table.c.calls), func.sum(table.c.cost))
            .where(table.c.tenant_id == "acme")
            .group_by(table.c.provider)
            .order_by(table.c.provider)
        )
        built = [tuple(row) for row in connection.execute(asked)]
        written = "SELECT provider, sum(calls), sum(cost) FROM usage_cost WHERE tenant_id = :tenant GROUP BY provider ORDER BY provider"
        assert [tuple(row) for row in connection.execute(text(written), {"tenant": "acme"})] == built
    assert [row[0] for row in built] == ["anthropic", "ollama", "openai"]
    assert isinstance(built[0][2], Decimal)
    assert built[1][2] is None


def test_a_week_named_as_its_column_loses_calls(engine: Engine) -> None:
    """As the page warns, in the statements that Superset writes for a column, and for a calculated column."""
    weeks = (
        "SELECT sum(calls) FROM (SELECT toMonday(toDateTime(`ts`)) AS `{name}`, sum(u.calls) AS calls FROM `tokentrail`.`usage_cost` AS u"
        " WHERE `ts` >= toDateTime('2026-10-01 00:00:00') AND `ts` < toDateTime('2026-11-01 00:00:00') GROUP BY `{name}`)"
    )
    whole = "SELECT sum(calls) FROM usage WHERE ts >= '2026-10-01' AND ts < '2026-11-01'"
    with engine.connect() as connection:
        total = connection.execute(text(whole)).scalar_one()
        assert connection.execute(text(weeks.format(name="called_at"))).scalar_one() == total
        assert connection.execute(text(weeks.format(name="ts"))).scalar_one() < total


def test_jdbc_lists_and_asks(dsn: str) -> None:
    jars = jdbc.obtain(Progress(print))
    if isinstance(jars, Unavailable):
        require("jdbc", jars.reason)
    said = jdbc.answers(jars, Path(__file__).parent / "jdbc" / "Ledger.java", dsn.replace("http://", "jdbc:clickhouse://"))
    client = connect(dsn)
    try:
        assert said[0] == f"ClickHouse {client.query('SELECT version()').rows[0][0]}"
        assert {"view usage", "view usage_cost", "view usage_daily"} <= set(said)
        assert len([line for line in said if line.startswith("column ")]) == len(client.query("DESCRIBE TABLE usage_cost").rows)
        written = "SELECT provider, sum(calls), sum(cost) FROM usage_cost WHERE tenant_id = 'acme' GROUP BY provider ORDER BY provider"
        rows = [line.split() for line in said if line.startswith("row ")]
        assert [(name, int(calls), None if cost == "null" else Decimal(cost)) for _, name, calls, cost in rows] == client.query(written).rows
    finally:
        client.close()
