"""A count is added to one list and read in one shape; the lines that spell every count, and the column, follow by `make docs`."""

from __future__ import annotations

import re
from pathlib import Path

from scripts import counts_code

from tokentrail import semconv
from tokentrail.clickhouse import lists
from tokentrail.counts import COUNTS, Count
from tokentrail.instrumentation.contract import Answer
from tokentrail.usage import Usage

ONE_MORE = Count("held_tokens", "tokentrail.usage.held.input_tokens", "Of the input tokens, those held 'for an hour'")


def test_every_line_that_spells_the_counts_is_as_the_list_says() -> None:
    assert counts_code.stale() == {}, "run `make docs`"
    names = [count.name for count in COUNTS]
    assert [name for name in Answer.__struct_fields__ if name.endswith("_tokens")] == names
    assert [name for name in Usage.__struct_fields__ if name.endswith("_tokens")] == names
    assert [getattr(semconv, name.upper()) for name in names] == [count.attribute for count in COUNTS]


def test_one_more_reaches_every_place_by_itself() -> None:
    stale = counts_code.stale([*COUNTS, ONE_MORE])
    changed = {path.relative_to(counts_code.SOURCE).as_posix(): text for path, text in stale.items()}
    migration = next(name for name in changed if name.startswith("clickhouse/migrations/"))
    assert re.fullmatch(r"clickhouse/migrations/\d{4}_held_tokens\.sql", migration)
    assert "ADD COLUMN IF NOT EXISTS held_tokens" in changed[migration]
    assert "those held ''for an hour''" in changed[migration]
    assert changed.keys() - {migration} == {
        "semconv.py",
        "usage.py",
        "instrumentation/contract.py",
        "instrumentation/around.py",
        "recording/assemble.py",
        "telemetry/instruments.py",
    }
    for name in changed.keys() - {migration}:
        compile(changed[name], name, "exec")
        assert "held_tokens" in changed[name].lower(), name


def test_no_other_file_spells_all_of_them() -> None:
    """A subset that only some care for (what a cache costs) may be named; a list of all of them may not."""
    allowed = set(counts_code.stale([*COUNTS, ONE_MORE])) | {Path(counts_code.SOURCE / "counts.py")}
    spelt = {
        path.relative_to(counts_code.SOURCE).as_posix()
        for path in counts_code.SOURCE.rglob("*.py")
        if path not in allowed and all(re.search(rf"\b{count.name}\b", path.read_text("utf-8"), re.IGNORECASE) for count in COUNTS)
    }
    assert spelt == set()
    assert [item["name"] for item in lists.lists()["counts"]] == [count.name for count in COUNTS]
