"""Whatever metadata hold, what is stored is strict JSON within 16 KiB, and says so if something was left out."""

from __future__ import annotations

import decimal
import json
import time
import uuid
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.calls import call
from tokentrail import track_token_usage, track_tokens
from tokentrail.testing import Usages
from tokentrail.tracking.metadata import MAX_METADATA_BYTES, metadata_text


def parse_strictly(text: str) -> Any:
    """Parse as ClickHouse does: NaN and Infinity are no JSON, and neither are lone surrogates."""
    text.encode()

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    found = json.loads(text, parse_constant=refuse)
    assert "\\ud8" not in text.lower()
    return found


class Unprintable:
    """An object whose text fails, by any exception: applications' objects raise what they like."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __str__(self) -> str:
        raise self.error


class Unreadable(dict[str, Any]):
    """A mapping whose entries cannot be read, such as a database row of a session that is closed."""

    def items(self) -> Any:
        raise RuntimeError("the session is closed")

    def __iter__(self) -> Any:
        raise RuntimeError("the session is closed")

    keys = items  # type: ignore[assignment]


def circular() -> dict[str, Any]:
    inside: dict[str, Any] = {}
    inside["itself"] = inside
    return inside


def doubling() -> list[Any]:
    itself: list[Any] = []
    itself.extend([itself, itself])
    return itself


def deep(levels: int) -> Any:
    value: Any = "bottom"
    for _ in range(levels):
        value = [value]
    return value


UNREADABLE = MappingProxyType(Unreadable(a=1))

HOSTILE = {
    "circular": circular(),
    "circular list": {"a": doubling()},
    "deep": {"a": deep(100_000)},
    "nan": {"a": float("nan"), "b": [float("inf"), -float("inf")]},
    "nan as a name": {float("nan"): 1},
    "bytes": {b"name": b"value"},
    "tuples as names": {("a", 1): {("b", 2): 3}},
    "surrogates": {"\ud800": "\udfff", "pair": "\ud83d\ude00"},
    "unprintable": {"a": Unprintable(KeyError("no text")), "b": [Unprintable(RuntimeError("no text"))]},
    "unprintable by an error of its own": {"a": Unprintable(type("Detached", (Exception,), {})("gone"))},
    "an unprintable name": {Unprintable(RuntimeError("no text")): 1},
    "an unreadable value": {"a": Unreadable(b=1), "c": [Unreadable(d=1)]},
    "unreadable": UNREADABLE,
    "endless number": {"a": 10**5000},
    "control characters": {"a": "\x00\x1f\u2028"},
    "sets and objects": {"a": {1}, "b": object(), "c": print},
}


@pytest.mark.parametrize("metadata", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_metadata(metadata: dict[Any, Any], tokentrail_usages: Usages) -> None:
    began = time.process_time()
    track_token_usage(token_type="llm", operation="query", provider="p", model="m", metadata=metadata)
    with track_tokens(metadata=metadata):
        call()
    with track_tokens(metadata=lambda: metadata):
        call()
    assert time.process_time() - began < 5
    texts = {usage.metadata for usage in tokentrail_usages}
    assert len(texts) == 1
    assert isinstance(parse_strictly(texts.pop()), dict)
    assert len(tokentrail_usages) == 3


def test_ordinary_metadata_are_kept_as_they_are() -> None:
    given = {"request": "r1", "n": 1, "f": 1.5, "yes": True, "none": None, "list": [1, {"a": "é"}]}
    text, cut = metadata_text(given)
    assert (parse_strictly(text), cut) == (given, False)


def test_what_json_lacks_becomes_text() -> None:
    at = datetime(2026, 1, 2, tzinfo=timezone.utc)
    identity = uuid.UUID(int=7)
    text, _ = metadata_text({"at": at, "amount": decimal.Decimal("1.50"), "id": identity})
    assert parse_strictly(text) == {"at": str(at), "amount": "1.50", "id": str(identity)}


def test_one_hostile_value_takes_no_other_with_it() -> None:
    text, cut = metadata_text({"good": [1, 2], "bad": circular(), "also good": "é"})
    found = parse_strictly(text)
    assert (found["good"], found["also good"], cut) == ([1, 2], "é", False)


def test_what_has_no_text_is_counted(internal_errors: dict[str, int]) -> None:
    text, cut = metadata_text({"good": 1, "bad": Unprintable(RuntimeError("no text")), "worse": Unreadable(b=1)})
    assert parse_strictly(text) == {"good": 1, "bad": "<Unprintable>", "worse": "<Unreadable>"}
    assert (cut, internal_errors) == (False, {"metadata": 2})
    assert metadata_text(UNREADABLE) == ("{}", True)
    assert internal_errors == {"metadata": 3}


def test_the_largest_are_left_out_and_it_is_flagged(tokentrail_usages: Usages) -> None:
    metadata = {"small": 1, "large": "x" * 20_000, "medium": "é" * 3000, "last": "z"}
    track_token_usage(token_type="llm", operation="query", provider="p", model="m", metadata=metadata)
    with track_tokens(metadata=metadata), track_tokens("chat"):
        call()
    assert len(tokentrail_usages) == 2
    for usage in tokentrail_usages:
        assert list(parse_strictly(usage.metadata)) == ["small", "medium", "last"]
        assert usage.metadata_cut is True


@given(
    st.dictionaries(
        st.text(max_size=50) | st.integers() | st.binary(max_size=5),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters(), max_size=3000) | st.binary(max_size=20),
            lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
            max_leaves=20,
        ),
    )
)
@pytest.mark.slow
def test_any_metadata(metadata: dict[Any, Any]) -> None:
    text, cut = metadata_text(metadata)
    assert len(text.encode()) <= MAX_METADATA_BYTES
    if metadata:
        assert len(parse_strictly(text)) == len({str(name) for name in metadata}) or cut or not all(isinstance(name, str) for name in metadata)
    else:
        assert (text, cut) == ("", False)


def test_a_mapping_that_fails_is_a_mistake_by_hand_and_counted_in_a_callable(tokentrail_usages: Usages, internal_errors: dict[str, int]) -> None:
    def fails() -> dict[str, Any]:
        raise RuntimeError("no metadata today")

    with track_tokens("chat", metadata=fails, tenant_id=lambda: "acme"):
        call()
    assert (tokentrail_usages[0].metadata, tokentrail_usages[0].tenant_id) == ("", "acme")
    assert internal_errors == {"track_tokens: the callable for metadata": 1}
