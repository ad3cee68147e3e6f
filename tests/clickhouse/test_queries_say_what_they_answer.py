"""A query is a file with a complete header, and the engine answers what the header says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.ledger_rows import Land, claimed, closing, refused, usage
from tokentrail import ledger
from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.literals import Parameter
from tokentrail.ledger.query import QueryError, answer, names, parse, read, run
from tokentrail.ledger.report import MEASURES, report

REMOVED: dict[str, Parameter] = {"tenants": ["1"], "until": "2026-11-26 10:00:00"}
GIVEN: dict[str, dict[str, Parameter]] = {
    "alert_check_goes_on": {"number": 1, "holder": "x", "seconds": 1, "ended": 1},
    "archive_left": {"begin": "import_of_"},
    "alert_check_take": {"number": 1, "holder": "x", "seconds": 1},
    "backup_arrived": {"since": "2026-11-26 10:00:00.000"},
    "backup_cancel": {"id": "x"},
    "backup_read_again": {"since": "2026-11-26 10:00:00.000"},
    "backup_state": {"id": "x"},
    "calls_of_a_trace": {"trace": "x"},
    "calls_of_an_operation": {"operation_id": "x"},
    "spans_of_a_trace": {"trace": "x"},
    "columns": {"tables": ["usage"]},
    "days_build": {"build": 1, "days": ["2026-11-18"]},
    "days_forget": {"before": 1},
    "days_publish": {"days": ["2026-11-18"], "built_at": "2026-11-26 10:00:00.000"},
    "days_superseded": {"before": 1},
    "quarantine_arrived": {"now": "2026-11-26 10:00:00.000"},
    "quarantine_mark_fixed": {"now": "2026-11-26 10:00:00.000", "ids": ["x"]},
    "quarantine_times_given": {"identities": ["x"]},
    "quarantine_mark": {"now": "2026-11-26 10:00:00.000"},
    "quarantine_remaining": {"now": "2026-11-26 10:00:00.000"},
    "quarantine_replay": {"now": "2026-11-26 10:00:00.000"},
    "reconcile_charges": {"currency": "USD", "requested": ["x"], "answered": ["y"]},
    "reconcile_landing": {"hours": 1, "writer_attribute": "x", "seq_attribute": "y", "event_attribute": "z"},
    "reconcile_metrics": {"since": "2026-11-26 10:00:00", "until": "2026-11-27 10:00:00", "input_names": ["x"], "output_names": ["y"]},
    "removal_calls": REMOVED | {"removal": 1},
    "removal_checks": REMOVED,
    "removal_summed_days": REMOVED,
    "removal_days": REMOVED,
    "removal_delete": REMOVED,
    "removal_forget": REMOVED,
    "removal_end": {"removal": 1},
    "removal_key_conflicts": {"removal": 1},
    "removal_keys": REMOVED | {"removal": 1},
    "removal_latest": {"tenant": "acme"},
    "removal_ledger": REMOVED | {"removal": 1},
    "removal_mentions": {"forms": ["acme"], "pattern": "acme"},
    "removal_quarantined": REMOVED,
    "removal_rows": REMOVED,
    "removal_sums": {**REMOVED, "build": 1, "days": ["2026-11-18"]},
    "removal_unnamed": REMOVED,
    "removal_usages": REMOVED,
    "removed_rows": REMOVED,
    "removed_usages": REMOVED,
    "retention_forget": {"version": 1},
    "tenant_hashes": {"names": ["acme"]},
}
"""What has to be given; every other parameter has a default."""
SLOTS = {
    "alert_check_take": {"token": "'x'"},
    "archive_months": {"table": "usage_ledger", "month": "toYYYYMM(key_ts)"},
    "archive_rows": {"columns": "1 AS row", "table": "usage_ledger", "final": "FINAL", "month": "0", "wanted": "0"},
    "archive_source": {"table": "usage_ledger", "final": "FINAL", "month": "0"},
    "archive_take": {"table": "bridge_spans", "beside": "bridge_spans", "columns": "trace_id", "read": "trace_id", "known": ""},
    "backup_totals": {"table": "usage_ledger", "final": "FINAL", "tokens": "NULL", "keys": "count()", "checksum": "''"},
    "removal_checks": {"table": "deliveries"},
    "removal_summed_days": {"stated": "[toString(tenant_id)]", "moment": "toDateTime64(day, 9, 'UTC')"},
    "removal_delete": {"table": "budgets", "stated": "[name]", "moment": "loaded_at"},
    "removal_end": {"table": "removing_keys"},
    "removal_forget": {"table": "budgets", "column": "tenants", "stated": "tenants", "moment": "loaded_at"},
    "removal_key_conflicts": {"table": "key_conflicts"},
    "removal_ledger": {"table": "usage_ledger"},
    "removal_mentions": {"table": "budgets", "texts": "[name]"},
    "removal_quarantined": {"stated": "[Body]", "moment": "arrived_at"},
    "removal_rows": {"table": "budgets", "stated": "[name]", "moment": "loaded_at"},
    "removal_unnamed": {"table": "usage_ledger"},
    "rows_without_sums": {"days": "'2026-11-18'"},
    "known_keys": {"keys": "['k']", "times": "[0]"},
    "stated_spans": {"table": "otel_traces", "wanted": "'x'", "properties": "'y'", "bounds": ""},
    "reconcile_costs": {"relation": "usage_cost", "project": "''", "api_key": "tenant_id"},
    "reconcile_ledger": {"relation": "usage", "project": "''", "api_key": "tenant_id", "cost": "'' AS currency, NULL AS cost,"},
    "report": {"dimensions": "", "grouping": "", "order": "", "relation": "usage", "money": ""},
}
GOOD = """\
-- title: Calls of a day
-- asked by: a test
-- parameter: days UInt16 = 7 | How many days back
-- slot: more | Something more
-- unit: calls
-- column: calls | How many calls
--
-- A note.
SELECT count() AS calls FROM usage WHERE ts > now() - toIntervalDay({days:UInt16}) {{more}}
"""


@pytest.fixture
def filled(land: Land) -> None:
    """Some of everything, so that no query answers without rows."""
    land(usage(), usage(seq=3, input_tokens="many"), claimed("k", by="w2"), claimed("k", by="w2", seq=2, input_tokens=7), closing(4), refused("4"))


def test_columns_are_those_that_the_engine_answers(database: Client, filled: None) -> None:
    for name in names():
        if not read(name).is_part:
            found = answer(database, name, GIVEN.get(name), SLOTS.get(name))
            assert found.columns == tuple(column.name for column in read(name).columns), name


def test_every_parameter_has_the_type_and_the_default_of_its_header(database: Client) -> None:
    for name in names():
        for wanted in read(name).parameters:
            value = read(name).given(GIVEN.get(name))[wanted.name]
            ((kind,),) = database.query(f"SELECT toTypeName({{{wanted.name}:{wanted.type}}})", {wanted.name: value}).rows
            assert kind == wanted.type, name


def test_a_part_is_included_and_has_no_columns() -> None:
    parts = {name for name in names() if read(name).is_part}
    text = "".join(path.read_text(encoding="utf-8") for path in Path(ledger.__file__).parent.rglob("*.sql"))
    assert {"filters", "converted", "budget_burn"} < parts
    assert [name for name in parts if f"{{{{queries.{name}}}}}" not in text or read(name).columns] == []


def test_a_header_is_read_whole() -> None:
    query = parse("calls", GOOD)
    assert (query.title, query.asked_by, query.unit, query.notes) == ("Calls of a day", "a test", "calls", "A note.")
    assert [(each.name, each.type, each.value, each.text) for each in query.parameters] == [("days", "UInt16", 7, "How many days back")]
    assert [(each.name, each.text) for each in (*query.slots, *query.columns)] == [("more", "Something more"), ("calls", "How many calls")]
    assert query.filled({"more": "LIMIT 1"}).endswith("toIntervalDay({days:UInt16}) LIMIT 1")
    assert (query.given(), query.given({"days": 1})) == ({"days": 7}, {"days": 1})


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("-- title: Calls of a day\n", "", "has to say once: -- title"),
        ("-- asked by: a test", "-- asked by:", "has to say once: -- asked by"),
        ("-- unit: calls", "-- unit: calls\n-- unit: calls", "has to say once: -- unit"),
        ("| How many calls", "|", "has no name and meaning"),
        ("calls | How many calls", "calls", "has no name and meaning"),
        ("-- column: calls | How many calls\n", "", "lists the columns, or says `columns: none`"),
        ("-- unit: calls", "-- unit: calls\n-- columns: none", "lists the columns, or says `columns: none`"),
        ("days UInt16 = 7 | How", "days UInt16 = 7 How", "has no name and meaning"),
        ("-- parameter: days UInt16 = 7 | How many days back\n", "", "the parameter days UInt16 is in its statement and not in its header"),
        ("days UInt16 = 7", "days UInt32 = 7", "the parameter days UInt32 is in its header and not in its statement"),
        ("{{more}}", "", "the slot more is in its header and not in its statement"),
        ("{{more}}", "{{more}} {{most}}", "the slot most is in its statement and not in its header"),
        ("-- slot", "-- parameter: days UInt16 = 7 | Again\n-- slot", "has a parameter twice"),
        ("{{more}}", "{{more}}; SELECT 2", "one statement, not 2"),
    ],
)
def test_a_header_that_is_not_complete_is_refused(old: str, new: str, sentence: str) -> None:
    assert old in GOOD
    with pytest.raises(QueryError, match=sentence):
        parse("calls", GOOD.replace(old, new, 1))


def test_what_a_query_does_not_know_is_refused(database: Client) -> None:
    with pytest.raises(QueryError, match="query hosts has no parameter day: it has days, most"):
        answer(database, "hosts", {"day": 1})
    with pytest.raises(QueryError, match="query arriving has no parameter day: it has none"):
        answer(database, "arriving", {"day": 1})
    with pytest.raises(QueryError, match="query quarantine_mark: parameter now is not given"):
        run(database, "quarantine_mark")
    with pytest.raises(QueryError, match="query report has no slot group"):
        read("report").filled({"group": ""})
    with pytest.raises(QueryError, match="query report: slot dimensions is not filled"):
        read("report").filled()


def test_the_reports_measures_are_its_headers_columns(database: Client, filled: None) -> None:
    ((row),) = report(database, ["provider"])
    assert tuple(row) == ("provider", *MEASURES)
