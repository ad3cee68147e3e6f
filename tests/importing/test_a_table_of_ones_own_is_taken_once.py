"""`tokentrail import postgres`: the rows of a real PostgreSQL's table are in the ledger, each once, with its own time, however often it runs."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.importing.conftest import Ledger
from tokentrail import Operation, TokenType, idempotency_key

TABLE = """
CREATE TYPE token_type AS ENUM ({types});
CREATE TYPE operation AS ENUM ({operations});
CREATE TABLE token_usage (
    id bigserial PRIMARY KEY,
    idempotency_key text UNIQUE,
    tenant_id text NOT NULL,
    token_type token_type NOT NULL,
    operation operation NOT NULL,
    provider text NOT NULL,
    model_name text NOT NULL,
    prompt_tokens integer,
    completion_tokens integer,
    cached_tokens integer,
    latency_ms double precision,
    metadata jsonb,
    created_at timestamptz NOT NULL
);
"""
BEGIN = "2026-03-01 12:00:00.123456+01"


def make_table(database: Any) -> None:
    """A team's own table, with enums of the vocabulary's words."""
    words = {"types": TokenType, "operations": Operation}
    database.execute(TABLE.format(**{name: ", ".join(f"'{word.value}'" for word in kind) for name, kind in words.items()}))


def fill(database: Any, rows: int, start: int = 0) -> None:
    database.execute(
        "INSERT INTO token_usage (tenant_id, token_type, operation, provider, model_name, prompt_tokens, completion_tokens, cached_tokens, latency_ms,"
        " metadata, created_at)"
        " SELECT 'tenant ' || i %% 3, 'llm', (enum_range(NULL::operation))[1 + i %% 9], 'Groq', 'llama-3.1-8b', 100 + i, i %% 50, i %% 20, 1.5 * i,"
        " jsonb_build_object('request', 'r' || i), %s::timestamptz + i * interval '1 second' FROM generate_series(%s::int, %s::int) AS i",
        [BEGIN, start, start + rows - 1],
    )


def dsn(database: Any) -> str:
    return f"host={database.info.host} user={database.info.user} dbname={database.info.dbname}"


def test_rows_are_taken_once_with_their_own_time(ledger: Ledger, database: Any) -> None:
    make_table(database)
    fill(database, 1_200)
    first = ledger.imported("postgres", "--dsn", dsn(database), "--table", "token_usage")
    truth = database.execute("SELECT count(*), sum(prompt_tokens), sum(completion_tokens) FROM token_usage").fetchone()
    assert (first["exit"], first["read"], first["new"], first["not_taken"]) == (0, 1_200, 1_200, 0)
    assert (first["input_tokens"], first["output_tokens"]) == truth[1:]
    assert ledger.total() == list(truth)

    again = ledger.imported("postgres", "--dsn", dsn(database), "--table", "token_usage")
    assert (again["new"], again["already_there"]) == (0, 1_200)
    fill(database, 5, start=1_200)
    third = ledger.imported("postgres", "--dsn", dsn(database), "--table", "public.token_usage")
    assert (third["new"], third["already_there"]) == (5, 1_200)
    blind = ledger.imported("postgres", "--dsn", dsn(database), "--table", "token_usage", "--without-ledger")
    assert blind["new"] == 1_205
    truth = database.execute("SELECT count(*), sum(prompt_tokens), sum(completion_tokens) FROM token_usage").fetchone()
    assert ledger.total() == list(truth)

    per_tenant = database.execute("SELECT tenant_id, operation::text, sum(prompt_tokens) FROM token_usage GROUP BY 1, 2 ORDER BY 1, 2").fetchall()
    asked = "SELECT tenant_id, toString(operation), sum(input_tokens) FROM usage GROUP BY 1, 2 ORDER BY 1, 2"
    assert ledger.rows(asked) == [list(row) for row in per_tenant]
    (row,) = ledger.rows(
        "SELECT toString(ts), idempotency_key, key_kind, provider, model, model_family, cache_read_tokens, duration_ms, metadata, service_name, source"
        " FROM usage WHERE input_tokens = 107"
    )
    key = f"postgres:{database.info.dbname}.public.token_usage:8"
    assert row == [
        "2026-03-01 11:00:07.123456000",
        key,
        "opaque",
        "groq",
        "llama-3.1-8b",
        "llama",
        7,
        10.5,
        '{"request": "r7"}',
        "token_usage",
        "reported",
    ]
    assert ledger.rows("SELECT count() FROM quarantine") == [[0]]
    assert ledger.verify() == (0, "✓ nothing is missing")


def test_a_rows_own_key_is_its_key(ledger: Ledger, database: Any) -> None:
    make_table(database)
    fill(database, 3)
    key = idempotency_key("query", "acme", "a question", timestamp=1_772_000_000 * 10**9)
    database.execute("UPDATE token_usage SET idempotency_key = %s WHERE id = 2", [key])
    for new in (3, 0):
        assert ledger.imported("postgres", "--dsn", dsn(database), "--table", "token_usage")["new"] == new
    assert ledger.rows("SELECT idempotency_key, key_kind FROM usage ORDER BY input_tokens")[1] == [key, "four_part"]


def test_a_row_that_has_changed_is_said(ledger: Ledger, database: Any) -> None:
    make_table(database)
    fill(database, 3)
    ledger.imported("postgres", "--dsn", dsn(database), "--table", "token_usage")
    database.execute("UPDATE token_usage SET prompt_tokens = 7 WHERE id = 1")
    again = ledger.imported("postgres", "--dsn", dsn(database), "--table", "token_usage")
    assert (again["new"], again["already_there"], again["other_counts"]) == (0, 2, 1)
    assert ledger.rows("SELECT count() FROM usage") == [[3]]


def test_two_databases_never_share_a_key(ledger: Ledger, database: Any, postgres_server: str) -> None:
    make_table(database)
    fill(database, 3)
    database.execute("CREATE SCHEMA billing")
    database.execute("CREATE TABLE billing.token_usage AS SELECT * FROM token_usage")
    database.execute("ALTER TABLE billing.token_usage ADD PRIMARY KEY (id)")
    for table in ("token_usage", "billing.token_usage"):
        assert ledger.imported("postgres", "--dsn", dsn(database), "--table", table)["new"] == 3
    assert ledger.total()[0] == 6


def test_a_mapping_says_what_names_do_not(ledger: Ledger, database: Any, tmp_path: Path) -> None:
    database.execute(
        'CREATE TABLE "Spend" (who text, n int, used int, answered int, "What" text, at timestamp, team text, ok bool, PRIMARY KEY (who, n))'
    )
    rows = [("a", 1, 10, 2, "RAG", "2026-03-01 12:00:00", "x", True), ("a,b", 2, 20, None, "odd", "2026-03-01 13:00:00", None, False)]
    with database.cursor() as cursor:
        cursor.executemany('INSERT INTO "Spend" VALUES (%s, %s, %s, %s, %s, %s, %s, %s)', rows)
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(
        'source = "spend"\n[columns]\ninput_tokens = "used"\noutput_tokens = "answered"\noperation = "What"\ntimestamp = "at"\ntenant_id = "who"\n'
        'metadata = ["team", "ok"]\n[values.operation]\nRAG = "query"\n[constants]\nprovider = "openai"\nmodel = "gpt-4o"\n'
    )
    found = ledger.imported("postgres", "--dsn", dsn(database), "--table", "Spend", "--mapping", str(mapping), "--timezone", "Europe/Madrid")
    assert (found["new"], found["notes"]) == (2, {"an operation that the vocabulary lacks, kept as it is": 1})
    asked = "SELECT toString(ts), tenant_id, operation_name, provider, model, input_tokens, output_tokens, metadata, idempotency_key FROM usage ORDER BY ts"
    assert ledger.rows(asked) == [
        ["2026-03-01 11:00:00.000000000", "a", "query", "openai", "gpt-4o", 10, 2, '{"team": "x", "ok": "true"}', "postgres:spend:a:1"],
        ["2026-03-01 12:00:00.000000000", "a,b", "odd", "openai", "gpt-4o", 20, None, '{"ok": "false"}', "postgres:spend:a,b:2"],
    ]


def test_a_key_follows_from_the_row_and_not_from_the_sessions_settings(ledger: Ledger, database: Any) -> None:
    database.execute(
        "CREATE TABLE u (at timestamp, part bytea, share float8, recorded_at timestamp, duration interval, input_tokens int, PRIMARY KEY (at, part, share))"
    )
    database.execute("INSERT INTO u VALUES ('2026-03-04 12:00', '\\x00ff', 0.1, '2026-03-04 12:00', '90 seconds', 5)")
    args = ("postgres", "--dsn", dsn(database), "--table", "u")
    assert ledger.imported(*args)["new"] == 1
    other = {"PGDATESTYLE": "German", "PGTZ": "Asia/Tokyo", "PGCLIENTENCODING": "LATIN1"}
    options = "-c bytea_output=escape -c extra_float_digits=-5 -c intervalstyle=iso_8601"
    assert ledger.imported(*args, **other, PGOPTIONS=options)["already_there"] == 1
    assert ledger.rows("SELECT toString(ts), duration_ms, idempotency_key FROM usage") == [
        ["2026-03-04 12:00:00.000000000", 90_000.0, f"postgres:{database.info.dbname}.public.u:2026-03-04%2012%3A00%3A00:\\x00ff:0.1"]
    ]


def test_a_column_that_the_primary_key_includes_is_no_part_of_a_rows_key(ledger: Ledger, database: Any) -> None:
    database.execute("CREATE TABLE u (id int, note text, created_at timestamptz, input_tokens int, PRIMARY KEY (id) INCLUDE (note))")
    database.execute("INSERT INTO u VALUES (1, 'first', '2026-03-01', 5)")
    args = ("postgres", "--dsn", dsn(database), "--table", "u")
    assert ledger.imported(*args)["new"] == 1
    database.execute("UPDATE u SET note = 'second'")
    assert ledger.imported(*args)["already_there"] == 1


def test_bytes_of_no_known_encoding_stay_apart(ledger: Ledger, database: Any, postgres_server: str) -> None:
    import psycopg

    name = f"{database.info.dbname}_ascii"
    database.execute(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    try:
        with psycopg.connect(f"{postgres_server} dbname={name}", autocommit=True) as connection:
            connection.execute("CREATE TABLE u (id text PRIMARY KEY, created_at timestamptz, tenant text, input_tokens int)")
            connection.execute(
                "INSERT INTO u SELECT E'k\\\\' || chr(n) , '2026-03-01', convert_from(decode(hex, 'hex'), 'SQL_ASCII'), 1"
                " FROM (VALUES (65, 'f16e'), (66, 'f26e'), (67, 'c3b16e')) AS given (n, hex)"
            )
        assert ledger.imported("postgres", "--dsn", f"{postgres_server} dbname={name}", "--table", "u")["new"] == 3
        assert ledger.rows("SELECT tenant_id FROM usage ORDER BY 1") == [["\\xf1n"], ["\\xf2n"], ["ñn"]]
    finally:
        database.execute(f"DROP DATABASE {name}")


def test_a_row_may_sum_up_calls(ledger: Ledger, database: Any) -> None:
    database.execute("CREATE TABLE u (id int PRIMARY KEY, created_at timestamptz, input_tokens int, calls int)")
    database.execute("INSERT INTO u VALUES (1, '2026-03-01', 100, 10), (2, '2026-03-01', 5, NULL), (3, '2026-03-01', 5, -1)")
    found = ledger.imported("postgres", "--dsn", dsn(database), "--table", "u")
    assert (found["new"], found["malformed"]) == (2, {"calls is negative": 1})
    assert ledger.total() == [11, 105, None]


def test_each_note_is_counted(nowhere: Ledger, database: Any) -> None:
    database.execute("CREATE TABLE u (id int PRIMARY KEY, created_at timestamptz, operation text, provider text, total_tokens int)")
    database.execute(
        "INSERT INTO u VALUES (1, '2026-03-01', 'rag', NULL, 5), (2, '2026-03-01', 'chat', 'groq', 5), (3, '2026-03-01', 'rag', NULL, NULL)"
    )
    found = nowhere.imported("postgres", "--dsn", dsn(database), "--table", "u", "--dry-run", "--without-ledger")
    assert found["notes"] == {
        "an operation that the vocabulary lacks, kept as it is": 2,
        "a total alone, of which no half is known: kept as metadata total_tokens": 2,
        "without a provider: --provider says who answered": 2,
    }


@pytest.mark.parametrize(("kind", "rows"), [("date", "'2026-03-01'"), ("timestamp", "'2026-03-01 00:00'"), ("bigint", "1772319600")])
def test_a_range_of_time_fits_columns_of_any_type(nowhere: Ledger, database: Any, kind: str, rows: str) -> None:
    database.execute(f"CREATE TABLE u (id int PRIMARY KEY, created_at {kind}, input_tokens int)")  # midnight in Madrid, 23:00 UTC on the day before
    database.execute(f"INSERT INTO u VALUES (1, {rows}, 5)")
    args = ("postgres", "--dsn", dsn(database), "--table", "u", "--dry-run", "--without-ledger", "--timezone", "Europe/Madrid")
    for begin, end, new in (("2026-02-28T23:00Z", "2026-02-28T23:01Z", 1), ("2026-02-28", "2026-03-01", 0), ("2026-03-01", "2026-03-02", 1)):
        assert nowhere.imported(*args, "--from", begin, "--to", end)["new"] == new, (begin, end)


def test_a_table_with_a_name_of_any_signs_is_found(nowhere: Ledger, database: Any) -> None:
    database.execute("""CREATE TABLE "Token Usage; x" (id int PRIMARY KEY, created_at timestamptz, "input_tokens" int, "a""b" text)""")
    database.execute("""INSERT INTO "Token Usage; x" VALUES (1, '2026-03-01', 5, '')""")
    for name in ("Token Usage; x", '"Token Usage; x"', 'public."Token Usage; x"'):
        assert nowhere.imported("postgres", "--dsn", dsn(database), "--table", name, "--dry-run", "--without-ledger")["new"] == 1


def test_malformed_rows_are_counted_by_reason_and_the_rest_is_taken(ledger: Ledger, database: Any) -> None:
    database.execute("CREATE TABLE u (id int PRIMARY KEY, created_at timestamptz, input_tokens numeric, output_tokens int, total_tokens int)")
    database.execute(
        "INSERT INTO u VALUES (1, '2026-03-01', 1, 2, 3), (2, '2026-03-01', -1, 2, 1), (3, '2026-03-01', 1.5, 2, 3), (4, 'infinity', 1, 2, 3),"
        " (5, '2019-12-31', 1, 2, 3), (6, NULL, 1, 2, 3), (7, '2026-03-01', NULL, NULL, 9), (8, '2026-03-01', NULL, 4, 9), (10, '2026-03-01', NULL, 9, 4), (9, '0044-03-15 BC', 1, 1, 2)"
    )
    found = ledger.imported("postgres", "--dsn", dsn(database), "--table", "u", "--provider", "openai")
    assert (found["exit"], found["read"], found["new"], found["not_taken"]) == (1, 10, 4, 6)
    assert found["malformed"] == {
        "input_tokens is negative": 1,
        "input_tokens is no whole number within a trillion": 1,
        "the time is no time": 1,
        "the time is not stated": 1,
    }
    assert found["reasons"] == {"older than 2020": 2}
    assert found["notes"] == {"a total alone, of which no half is known: kept as metadata total_tokens": 1}
    assert ledger.rows("SELECT input_tokens, output_tokens, metadata FROM usage ORDER BY idempotency_key") == [
        [1, 2, ""],
        [None, 9, ""],
        [None, None, '{"total_tokens": 9}'],
        [5, 4, ""],
    ]


def test_a_range_of_time_leaves_the_rest(ledger: Ledger, database: Any) -> None:
    make_table(database)
    fill(database, 100)
    found = ledger.imported("postgres", "--dsn", dsn(database), "--table", "token_usage", "--to", "2026-03-01T11:00:10.5Z")
    assert (found["read"], found["new"]) == (11, 11)
    found = ledger.imported("postgres", "--dsn", dsn(database), "--table", "token_usage", "--from", "2026-03-01T11:00:10.5Z", "--dry-run")
    assert (found["read"], found["new"], found["dry_run"]) == (89, 89, True)
    assert ledger.total()[0] == 11


@pytest.mark.parametrize("ends", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_import_is_completed_by_the_next(ledger: Ledger, database: Any, ends: signal.Signals) -> None:
    make_table(database)
    fill(database, 30_000)
    running = ledger.start("postgres", "--dsn", dsn(database), "--table", "token_usage")
    deadline = time.monotonic() + 60
    while ledger.total()[0] < 100:
        assert running.poll() is None, running.stderr
        assert time.monotonic() < deadline
    running.send_signal(ends)
    _, said = running.communicate(timeout=60)
    assert running.returncode == (130 if ends is signal.SIGINT else -signal.SIGKILL), said
    taken = ledger.total()[0]
    assert 0 < taken < 30_000
    found = ledger.imported("postgres", "--dsn", dsn(database), "--table", "token_usage")
    assert found["new"] + found["already_there"] == 30_000
    assert found["already_there"] >= taken
    truth = database.execute("SELECT count(*), sum(prompt_tokens), sum(completion_tokens) FROM token_usage").fetchone()
    assert ledger.total() == list(truth)


def test_a_collector_that_is_away_stops_it_and_loses_nothing(ledger: Ledger, database: Any) -> None:
    make_table(database)
    fill(database, 10)
    args = ("postgres", "--dsn", dsn(database), "--table", "token_usage")
    away = ledger.command(*args, "--patience", "1", TOKENTRAIL_ENDPOINT="http://127.0.0.1:9/v1/logs", TOKENTRAIL_EXIT_TIMEOUT="0.1")
    assert away.returncode == 1
    assert "has not acknowledged everything within 1 s" in away.stderr
    assert away.stdout.startswith("public.token_usage: 10 records read\n10  taken\n")
    assert ledger.total()[0] == 0
    assert ledger.imported(*args)["new"] == 10
    assert ledger.total()[0] == 10


def test_a_server_that_refuses_in_the_middle_stops_it_and_every_row_is_accounted_for(ledger: Ledger, database: Any) -> None:
    database.execute(
        "CREATE VIEW u AS SELECT i AS id, '2026-03-01'::timestamptz AS created_at, 1 + 0 / (6000 - i) AS input_tokens FROM generate_series(1, 9000) i"
    )
    args = ("postgres", "--dsn", dsn(database), "--table", "u", "--key", "id")
    found = ledger.imported(*args)
    assert (found["exit"], found["read"], found["new"], found["unsent"]) == (1, 5_000, 4_000, 1_000)
    assert found["stopped"].startswith("PostgreSQL cannot go on with public.u: division by zero; run the import again")
    assert ledger.total()[0] == 4_000
    dry = ledger.command(*args, "--dry-run")
    assert (dry.returncode, dry.stdout) == (2, "")
    assert "Error: PostgreSQL cannot go on with public.u: division by zero.\n" in dry.stderr


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("--dsn", "nonsense=secret word", "--table", "u"), "--dsn is no address of PostgreSQL"),
        (("--dsn", "host=/nowhere dbname=x password=secret", "--table", "u"), "cannot be used"),
        (("--table", "missing"), "there is no table missing in the database"),
        (("--table", "odd.name.of.table"), "too many dotted names"),
        (("--table", "empty"), "has no column that is known as a time"),
        (("--table", "keyless"), "has no primary key: say what makes a row one"),
        (("--table", ""), "there is no table"),
        (("--table", "u'; DROP TABLE u"), "there is no table u'; DROP TABLE u in the database"),
        (("--table", "u", "--key", "colour"), "has no column 'colour': it has id, created_at, input_tokens"),
        (("--table", "u", "--mapping", "/nowhere.toml"), "/nowhere.toml cannot be read"),
        (("--table", "u", "--from", "yesteryear"), "is not a time"),
        (("--table", "u", "--timezone", "Mars"), "'Mars' is no time zone"),
        (("--table", "u", "--patience", "0"), "--patience is 0.0"),
        (("--table", "u", "--operation", "ask"), "'ask' is not an operation"),
        (("--table", "u", "--provider", "x="), "names nobody"),
    ],
)
def test_misuse_is_one_sentence_and_nothing_is_done(nowhere: Ledger, database: Any, args: tuple[str, ...], sentence: str) -> None:
    database.execute("CREATE TABLE empty (id int PRIMARY KEY)")
    database.execute("CREATE TABLE keyless (created_at timestamptz, input_tokens int)")
    database.execute("CREATE TABLE u (id int PRIMARY KEY, created_at timestamptz, input_tokens int)")
    done = nowhere.command("postgres", *(() if "--dsn" in args else ("--dsn", dsn(database))), *args)
    assert done.returncode == 2, done.stdout + done.stderr
    assert sentence in done.stderr
    assert "secret" not in done.stderr
    assert done.stderr.count("Traceback") == 0
    assert not nowhere.journal.exists()


def test_what_it_says_can_be_read(ledger: Ledger, database: Any) -> None:
    make_table(database)
    fill(database, 3)
    said = ledger.command("postgres", "--dsn", dsn(database), "--table", "token_usage", "--dry-run").stdout
    assert said == ("public.token_usage: 3 records read\n3  would be taken\n  3  would be new, with 303 input and 3 output tokens\n")
    ledger.command("postgres", "--dsn", dsn(database), "--table", "token_usage")
    said = ledger.command("postgres", "--dsn", dsn(database), "--table", "token_usage").stdout
    assert said == ("public.token_usage: 3 records read\n3  taken\n  0  new, with 0 input and 0 output tokens\n  3  in the ledger already\n")
    assert json.loads(ledger.command("postgres", "--dsn", dsn(database), "--table", "token_usage", "--json").stdout)["new"] == 0
