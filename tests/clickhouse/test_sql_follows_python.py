"""The words and names in SQL come from the Python lists, and every column tells an analyst what it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.ledger_rows import Land, usage
from tokentrail import semconv, vocabulary
from tokentrail.clickhouse import lists, sqlfiles
from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.vocabulary import Ended, KeyKind, Operation, Origin, Source, TokenType, Word, clickhouse_enum

SOURCES = Path(sqlfiles.__file__).parents[1]
CONTRACT = """
    ts tenant_id operation operation_name token_type endpoint provider request_model response_model model_family source input_source output_source
    tokenizer ended calls input_tokens output_tokens cache_read_tokens cache_write_tokens reasoning_tokens audio_input_tokens audio_output_tokens
    image_input_tokens image_output_tokens consumed_input_tokens consumed_output_tokens input_chars output_chars texts duration_ms time_to_first_chunk_ms
    stream attempts error_type service_name environment operation_id response_id trace_id span_id writer_id seq arrived_at idempotency_key corrects_key
    metadata origin instrumentation
""".split()  # noqa: SIM905 - one can compare it with the design at a glance


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("operation", Operation),
        ("token_type", TokenType),
        ("source", Source),
        ("input_source", Source),
        ("ended", Ended),
        ("key_kind", KeyKind),
        ("origin", Origin),
    ],
)
def test_the_views_enums_are_pythons(database: Client, column: str, kind: type[Word]) -> None:
    ((found,),) = database.query(
        "SELECT type FROM system.columns WHERE database = currentDatabase() AND table = 'usage' AND name = {c:String}", {"c": column}
    ).rows
    assert found == clickhouse_enum(kind)


@pytest.mark.parametrize("operation", list(Operation))
def test_every_operation_survives_the_way(land: Land, database: Client, operation: Operation) -> None:
    land(usage(operation=operation.value))
    assert database.query("SELECT operation, CAST(operation, 'Int8') FROM usage").rows == [(operation.value, operation.number)]


def test_the_view_keeps_its_contract(database: Client) -> None:
    columns = [row[0] for row in database.query("DESCRIBE TABLE usage").rows]
    assert set(CONTRACT) <= set(columns)


def test_every_column_that_is_stored_or_read_has_a_comment(database: Client) -> None:
    stored = "SELECT name FROM system.tables WHERE database = currentDatabase() AND (engine LIKE '%MergeTree' OR engine = 'View')"
    silent = f"SELECT table, name FROM system.columns WHERE database = currentDatabase() AND comment = '' AND table IN ({stored})"
    assert database.query(silent).rows == []
    assert database.query(f"SELECT name FROM system.tables WHERE database = currentDatabase() AND comment = '' AND name IN ({stored})").rows == []
    described = database.query("DESCRIBE TABLE usage").dicts()
    assert all(column["comment"] for column in described)


def test_no_attributes_name_is_spelt_in_sql() -> None:
    names = {value for name, value in vars(semconv).items() if name.isupper() and isinstance(value, str) and "." in value}
    for path in [*SOURCES.glob("clickhouse/*/*.sql"), *SOURCES.glob("ledger/queries/*.sql")]:
        text = re.sub(r"--[^\n]*", "", path.read_text(encoding="utf-8"))
        assert [name for name in names if name in text] == [], path.name


def test_what_is_not_known_is_not_filled_in() -> None:
    for text in ("{{nonsense}}", "{{Operation.nonsense}}", "{{each nonsense: $name}}"):
        with pytest.raises(ValueError, match="is not known"):
            sqlfiles.render(text, Target("x"))
    with pytest.raises(AttributeError):
        sqlfiles.render("{{NO_SUCH_NAME}}", Target("x"))


def test_a_line_is_repeated_on_lines_and_a_piece_beside_itself() -> None:
    names = [item["name"] for item in lists.lists()["main_counts"]]
    assert sqlfiles.repeat("SELECT\n    {{each main_counts: $name,}}\n    1\n").split() == ["SELECT", *(f"{name}," for name in names), "1"]
    assert sqlfiles.repeat("f(1{{each main_counts: , $name}})") == f"f(1, {', '.join(names)})"
    with pytest.raises(KeyError):
        sqlfiles.repeat("{{each main_counts: $nonsense}}")


def test_a_part_that_files_have_in_common_is_written_once() -> None:
    for name in ("spans_to_landing", "events_to_landing"):
        assert "{{part bridged_record}}\n" in sqlfiles.read("bridge", name)
        rendered = sqlfiles.render(sqlfiles.read("bridge", name), Target("x"))
        assert rendered.count("AS provider_word") == 1
        assert "{{" not in rendered
    with pytest.raises(FileNotFoundError):
        sqlfiles.render("{{part nonsense}}\n", Target("x"))


def test_statements_are_split_outside_literals_and_comments() -> None:
    text = "-- a; b\nSELECT ';', '--x', 'it''s; \\'y\\';', 2-1; -- end;\n\nSELECT 2\n;\n"
    assert sqlfiles.statements(text) == ["SELECT ';', '--x', 'it''s; \\'y\\';', 2-1", "SELECT 2"]


def test_words_never_change_their_numbers() -> None:
    assert clickhouse_enum(vocabulary.Source) == "Enum8('unknown' = 0, 'estimated' = 1, 'reported' = 2)"
    assert clickhouse_enum(vocabulary.TokenType) == "Enum8('unknown' = 0, 'llm' = 1, 'embedding' = 2, 'fine_tuning' = 3)"
