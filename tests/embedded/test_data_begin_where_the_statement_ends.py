from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokentrail.embedded.errors import EngineError
from tokentrail.embedded.statement import insert_head, select, settings_at, undecided

INSERTS = [
    (b"INSERT INTO t FORMAT CSV\n1,2\n", "INSERT INTO t ", "CSV", b"1,2\n"),
    (b"insert into t (a, `b c`) format JSONEachRow {}", "insert into t (a, `b c`) ", "JSONEachRow", b"{}"),
    (b"INSERT INTO t VALUES (1)", "INSERT INTO t ", "Values", b" (1)"),
    (b"INSERT INTO t FORMAT values\n(1)", "INSERT INTO t ", "Values", b"(1)"),
    (b'INSERT INTO "FORMAT" FORMAT TSV\r\n\tx', 'INSERT INTO "FORMAT" ', "TSV", b"\tx"),
    (b"/* FORMAT A */ INSERT INTO t -- VALUES\n FORMAT CSV\nx", "/* FORMAT A */ INSERT INTO t -- VALUES\n ", "CSV", b"x"),
    (
        b"INSERT INTO FUNCTION file('SELECT') SETTINGS async_insert = 1 FORMAT CSV\n1",
        "INSERT INTO FUNCTION file('SELECT') SETTINGS async_insert = 1 ",
        "CSV",
        b"1",
    ),
    (b"INSERT INTO `d`.`values` FORMAT Native\n\n\x00\xff", "INSERT INTO `d`.`values` ", "Native", b"\n\x00\xff"),
]


@pytest.mark.parametrize(("text", "statement", "written", "data"), INSERTS)
def test_inserts_with_data(text: bytes, statement: str, written: str, data: bytes) -> None:
    found = insert_head(text, whole=True)
    assert found is not None
    assert (found.statement, found.format, text[found.data_at :]) == (statement, written, data)


@pytest.mark.parametrize("index", range(len(INSERTS)))
@given(cuts=st.lists(st.integers(0, 80), max_size=5))
def test_the_same_however_the_text_arrives(index: int, cuts: list[int]) -> None:
    text = INSERTS[index][0]
    arrived = b""
    edges = sorted({min(cut, len(text)) for cut in cuts} | {len(text)})
    for start, end in zip([0, *edges], edges, strict=False):
        arrived += text[start:end]
        early = insert_head(arrived, whole=False)
        if early is not None:
            late = insert_head(text, whole=True)
            assert late is not None
            assert (early.statement, early.format) == (late.statement, late.format)
            return
        assert undecided(arrived)


@pytest.mark.parametrize(
    "text",
    [
        b"SELECT 1 FORMAT CSV",
        b"INSERT INTO t SELECT 1 FORMAT CSV",
        b"INSERT INTO t WITH 1 AS x SELECT x",
        b"INSERT INTO t FROM INFILE 'x' FORMAT CSV",
        b"",
        b"--",
    ],
)
def test_statements_without_data(text: bytes) -> None:
    assert insert_head(text, whole=True) is None


@pytest.mark.parametrize(
    ("text", "statement", "written", "streams"),
    [
        (b"SELECT 1 FORMAT JSON;", "SELECT 1", "JSON", True),
        (b"SELECT 'FORMAT CSV'", "SELECT 'FORMAT CSV'", "", True),
        (b"SELECT 1 FORMAT CSV SETTINGS max_threads = 1", "SELECT 1   SETTINGS max_threads = 1", "CSV", True),
        (b"SELECT format FROM t ORDER BY format DESC", "SELECT format FROM t ORDER BY format DESC", "", True),
        (b"SELECT 1 WITH TOTALS", "SELECT 1 WITH TOTALS", "", False),
        (b"SHOW TABLES FORMAT CSV", "SHOW TABLES", "CSV", False),
        (b"SELECT `a;b`, ';' -- ; SELECT 2", "SELECT `a;b`, ';' -- ; SELECT 2", "", True),
    ],
)
def test_the_format_is_cut_out(text: bytes, statement: str, written: str, streams: bool) -> None:
    found = select(text)
    assert (found.statement, found.format, found.streams) == (statement, written, streams)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1 INTO OUTFILE 'f'",
        "SELECT 1 INTO OUTFILE $$f$$ TRUNCATE FORMAT CSV",
        "SELECT 1 INTO OUTFILE $tag$f$tag$",
        "SELECT 1 into /* x */ outfile \u2018f\u2019 TRUNCATE",
        "SELECT 1 INTO\u00a0OUTFILE\u3000'f'",
        "SELECT 1 AS a$$, 2 AS b INTO OUTFILE 'f' SETTINGS x = $$",
        "SELECT $a$', ($a$, \u2018(\u2019, \u201c[\u201d INTO OUTFILE 'f'",
        "SELECT 9a$$ ($$ INTO OUTFILE 'f'",
        "(SELECT 1) INTO OUTFILE 'f'",
    ],
)
def test_no_file_is_written_whatever_the_quotes(text: str) -> None:
    with pytest.raises(EngineError, match="INTO_OUTFILE_NOT_ALLOWED"):
        select(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "SELECT $$ INTO OUTFILE 'f' $$",
        "SELECT \u2018 INTO OUTFILE \u2019, \u201cINTO OUTFILE\u201d",
        "INSERT INTO outfile SELECT 1",
        "SELECT $a$ $$ ; ' FORMAT CSV $a$",
    ],
)
def test_what_is_quoted_is_no_clause(text: str) -> None:
    found = select(text.encode())
    assert (found.statement, found.format) == (text, "")


@pytest.mark.parametrize(
    ("before", "clause"),
    [
        (b"INSERT INTO t ", b""),
        (b"INSERT INTO t (settings) ", b"SETTINGS async_insert = 0"),
        (b"INSERT INTO settings ", b"settings max_threads = 1, async_insert = 0"),
        (b"INSERT INTO d . settings /* SETTINGS */ ", b"SETTINGS async_insert = 0"),
        (b"INSERT INTO TABLE settings ", b""),
        (b"INSERT INTO `SETTINGS` (a) ", b""),
    ],
)
def test_where_the_settings_begin(before: bytes, clause: bytes) -> None:
    assert settings_at(before + clause) == len(before)


@given(st.binary(max_size=300))
def test_no_text_is_too_strange(text: bytes) -> None:
    insert_head(text, whole=False)
    undecided(b"INSERT " + text)
