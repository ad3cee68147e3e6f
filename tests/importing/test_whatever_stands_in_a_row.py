"""Rows of any values, under the names that the importers read: each is a record that the journal takes, or is not taken for a reason. Nothing raises."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.importing.test_langfuses_observations_are_taken_once import of_the_api, stored
from tests.importing.test_litellms_spend_logs_are_taken_once import row as spend_log
from tests.importing.test_openllmetrys_spans_are_taken_once import otlp
from tests.support.foreign_spans import span, tokens
from tokentrail.counts import COUNTS
from tokentrail.importing import langfuse, litellm, openllmetry
from tokentrail.importing.record import NotTaken, Record, usage_of
from tokentrail.importing.selection import Selection
from tokentrail.journal.records import Usage, decode, encode_usage

CELLS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["-1", "1e400", "NaN", "2026-13-01", "{", "[{}]", "9" * 30, "1e999999999", "-1e999999999", "1e-999999999"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.sampled_from(["input", "total", "key", "value", "intValue"]), inner)
    ),
    max_leaves=6,
)
SOURCES: dict[str, tuple[dict[str, Any], Callable[[Iterable[Any]], Iterable[Record | NotTaken]]]] = {
    "litellm": (spend_log(1, usage={"prompt_tokens_details": {"cached_tokens": 3}}), lambda rows: litellm.records(rows, Selection())),
    "langfuse": (stored(1), lambda rows: langfuse.records(rows, Selection())),
    "langfuse's API": (of_the_api(1), lambda rows: langfuse.records(rows, Selection())),
    "a span's row": (span(1, tokens(), parent=2), lambda rows: openllmetry.records(lambda: rows, Selection())),
    "OTLP": (otlp(span(1, tokens(), parent=2)), lambda rows: openllmetry.records(lambda: rows, Selection())),
}


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places in a row, at any depth."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for name, each in inner for place in ((*at, name), *paths(each, (*at, name)))]


@pytest.mark.parametrize("source", SOURCES)
@given(data=st.data())
@settings(max_examples=150)
def test_nothing_raises(source: str, data: st.DataObject) -> None:
    whole, records = SOURCES[source]
    row = copy.deepcopy(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        places = paths(row)
        if not places:
            break
        *before, last = data.draw(st.sampled_from(places))
        inner: Any = row
        for name in before:
            inner = inner[name]
        inner[last] = data.draw(CELLS)
    for found in records([row]):
        if isinstance(found, NotTaken):
            assert found.reason
            continue
        usage = usage_of(found)
        again, _ = decode(encode_usage(usage, raised))
        assert isinstance(again, Usage)
        assert all((value := getattr(again, count.name)) is None or 0 <= value <= 2 * 10**12 for count in COUNTS)


def raised(where: str, error: BaseException) -> None:
    raise AssertionError(where) from error
