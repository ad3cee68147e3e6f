"""No word is broken and no line is wider than the terminal; where columns cannot stand side by side, rows stand as blocks. Pipes get whole lines."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.cli.conftest import CALLS, MODELS, TENANTS
from tests.support.terminal import at_terminal, both_at_terminal, in_process, tokentrail
from tokentrail.cli.tables import shown, table, vertical
from tokentrail.ledger.report import MEASURES

INPUT, OUTPUT = sum(12_345 * n for n in range(CALLS)), sum(777_777 * n for n in range(CALLS))


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize("columns", [40, 80, 120, 200])
def test_a_report_at_any_width(served: str, columns: int) -> None:
    ran = at_terminal("report", "--dsn", served, columns=columns)
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    blocks = "Row 1:" in lines
    assert blocks == (columns < 80)
    if not blocks:
        assert max(map(cell_len, lines)) <= columns
        (total,) = (line.split() for line in lines if line.startswith("total"))
        assert total == ["total", f"{INPUT:,}", f"{OUTPUT:,}", "1,770", "60", "40", "20"]
    for _, model in MODELS:
        words = re.split(r"(?<=[-/:])(?=[a-z])", model)
        assert all(re.search(rf"(?:^|\s|[-/:]){re.escape(word)}", ran.out) for word in words), ran.out
    for number in (INPUT, OUTPUT):
        assert f"{number:,}" in ran.out
    assert ("reasoning" in ran.out, "cache write" in ran.out, "error" in ran.out) == (False, False, False)  # 0 or unstated everywhere
    if columns >= 120:
        assert all(model in ran.out for _, model in MODELS)


@pytest.mark.parametrize("columns", [40, 80, 120, 200])
def test_all_columns_of_the_ledger_stand_below_each_other(served: str, columns: int) -> None:
    ran = at_terminal("sql", "SELECT * FROM usage ORDER BY seq LIMIT 3", "--dsn", served, columns=columns)
    assert ran.code == 0, ran.err
    assert [line for line in ran.out.splitlines() if line.startswith("Row ")] == ["Row 1:", "Row 2:", "Row 3:"]
    assert re.search(r"^input_tokens: +24690$", ran.out, re.MULTILINE)
    assert "metadata_cut: " in ran.out
    assert not re.search(r"^trace_id:", ran.out, re.MULTILINE)
    empty = ran.out[ran.out.index("left out,") :]
    assert all(cell_len(line) <= columns for line in empty.splitlines())
    assert "trace_id" in " ".join(empty.split()).split(": ")[1].split(", ")


def test_every_column_is_there_where_it_was_asked_for_that_way(served: str) -> None:
    statement = "SELECT * FROM usage LIMIT 1"
    names = in_process("sql", statement, "--dsn", served, "--format", "csv").out.splitlines()[0].split(",")
    blocks = at_terminal("sql", statement, "--dsn", served, "--format", "vertical").out
    assert len(names) > 50
    assert [line.split(":")[0] for line in blocks.splitlines()[2:] if line] == names


@pytest.mark.parametrize("variables", [{}, {"COLUMNS": "40"}])
def test_a_pipe_gets_whole_lines(served: str, variables: dict[str, str]) -> None:
    ran = in_process("sql", "SELECT * FROM usage ORDER BY seq LIMIT 2", "--dsn", served, **variables)
    head, rule, *rows = ran.out.splitlines()
    assert len(rows) == 2
    assert head.split()[:2] == ["ts", "tenant_id"]
    assert set(rule) == {"─"}
    assert cell_len(rule) > 600
    assert MODELS[1][1] in rows[1]
    report = in_process("report", "--by", "tenant_id,model", "--dsn", served, **variables).out
    assert all(sum(tenant in line and model in line for line in report.splitlines()) == 1 for tenant in TENANTS for _, model in MODELS)


def test_programs_get_every_measure(served: str) -> None:
    assert in_process("report", "--dsn", served, "--format", "csv").out.splitlines()[0] == ",".join(["provider", "model", *MEASURES])


def test_numbers_stand_right_and_grouped_and_wide_signs_count_double(served: str) -> None:
    ran = at_terminal("report", "--by", "tenant_id", "--dsn", served, columns=200)
    lines = ran.out.strip("\n").splitlines()
    ends = {cell_len(line) for line in lines}
    assert len(ends) == 1, lines
    assert all(tenant in ran.out for tenant in TENANTS)


def test_texts_cannot_steer_the_terminal(served: str) -> None:
    ran = at_terminal("sql", "SELECT 'a\\x1b[31mb\\rc' AS x, 'two\\nlines' AS y, '\\xff' AS z", "--dsn", served)
    assert "\x1b" not in ran.out
    assert "\r" not in ran.out
    assert "a\\x1b[31mb\\x0dc  two" in ran.out
    assert re.search(r"^ +lines", ran.out, re.MULTILINE)


def test_decimal_points_stand_below_each_other() -> None:
    written = table(["x"], [[Decimal("4590.75")], [9985], [None], [-3]], width=None)
    assert written is not None
    assert written.splitlines()[2:] == ["4590.75", "9985", "      -", "  -3"]


def test_a_question_leaves_out_what_is_empty_or_zero_everywhere(served: str) -> None:
    ran = at_terminal("query", "certainty", "--dsn", served, columns=100)
    head = ran.out.split("\n", 1)[0]
    assert "estimated_calls" in head
    assert "bridged_calls" not in head
    assert "left out, empty or 0 in every row: " in " ".join(ran.err.split())
    assert "bridged_calls" in at_terminal("query", "certainty", "--dsn", served, "--format", "vertical").out
    assert in_process("query", "tokens", "-p", "from=2030-01-01", "--dsn", served).out == "no rows\n"


@pytest.mark.parametrize("columns", [40, 70])
def test_sentences_break_no_word_either(served: str, columns: int) -> None:
    for arguments in (["report", "--by", "modle"], ["query", "tokens", "-p", "by=modle"], ["report", "--limit", "2"]):
        ran = both_at_terminal(*arguments, "--dsn", served, columns=columns)
        lines = ran.out.splitlines()
        assert all(cell_len(line) <= columns for line in lines if not line.startswith(("Usage", "Try"))), ran.out


def test_a_terminal_without_lines_gets_dashes(served: str) -> None:
    ran = tokentrail("report", "--by", "tenant_id", "--dsn", served, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert ran.code == 0, ran.err
    assert "------" in ran.out
    assert "???????" in ran.out


texts = st.text(st.characters(codec="utf-8"), max_size=60)
values = st.one_of(st.none(), st.integers(-(10**15), 10**15), st.booleans(), texts)


def test_a_name_stays_whole_unless_the_table_may_fold_names() -> None:
    row = ["gpt-4o-mini-preview", "some words of a text", "https://api.groq.com/openai/v1"]
    found = {
        width: [table(["model", "text", "url"], [row], width=width, names_may_fold=may_fold) for may_fold in (False, True)] for width in range(5, 80)
    }
    fits = [width for width, (written, _) in found.items() if written is not None]
    folds = [width for width, (written, folded) in found.items() if written is None and folded is not None]
    assert fits
    assert folds, "a table that only fits where a name is folded"
    for width in fits:
        assert all(name in text for name in ("gpt-4o-mini-preview", "api.groq.com/") for text in found[width] if text is not None), width
        assert found[width][1] is not None, "what fits whole fits folded too"
    assert max(folds) < min(fits), "the last resort"
    assert ["api.groq.com/" in (found[width][1] or "") for width in folds] == [False] * len(folds)


@given(
    st.integers(1, 6).flatmap(
        lambda n: st.tuples(st.lists(texts, min_size=n, max_size=n), st.lists(st.lists(values, min_size=n, max_size=n), max_size=5))
    ),
    st.integers(1, 120),
)
def test_whatever_is_in_it(given_rows: tuple[list[str], list[list[object]]], width: int) -> None:
    names, rows = given_rows
    names = [re.sub(r"\W", "_", name) or "x" for name in names]
    written = table(names, rows, width=width, names_may_fold=True)
    unbounded = table(names, rows, width=None)
    assert unbounded is not None
    if written is None:
        assert max(map(cell_len, unbounded.splitlines())) > width
    else:
        assert all(cell_len(line) <= width for line in written.split("\n"))
    for form in (written, unbounded, "".join(vertical(names, rows))):
        if form is not None:
            for row in rows:
                for value in row:  # folded, never broken: every word is there
                    assert all(word in form for word in re.split(r"\s+|(?<=[-/_:.,;|])(?=[^\W\d_])", shown(value)) if word)
