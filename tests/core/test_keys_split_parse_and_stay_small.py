"""The text of a key: always four parts where it is made by us, never more than 1 KiB, and parsed only where it must be one."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tokentrail import Operation, content_hash, idempotency_key
from tokentrail.idempotency import EARLIEST_NS, LATEST_NS, call_digest, claimed_key, digest, key_prefix, object_key, parse_key, shorten
from tokentrail.vocabulary import KeyKind

any_text = st.text(st.characters(), max_size=600) | st.text(alphabet=":%~\n\x00 é😀\ud800", max_size=600)
operations = st.sampled_from(Operation)
times = st.integers(EARLIEST_NS, LATEST_NS)

HOSTILE = [
    "",
    ":",
    "a:b:c",
    "::::",
    "%",
    "%3A",
    "%zz",
    "\n\r\n",
    "\x00",
    " tenant ",
    "\u2028\u2029",
    "é",
    "ﬁ\u202e",
    "😀" * 200,
    "x" * 10_240,
    ":" * 10_240,
    "\ud800",
    "\ud83d\ude00",
    "query:acme:0123456789abcdef0123456789abcdef:1700000000000000000",
    "'; DROP TABLE usage; --",
]


@given(operations, any_text, st.lists(any_text, max_size=3), times)
def test_a_key_has_four_parts_and_parses_back_or_is_marked(operation: Operation, tenant: str, texts: list[str], timestamp: int) -> None:
    key = idempotency_key(operation, tenant, *texts, timestamp=timestamp)
    parts = key.split(":")
    assert len(parts) == 4
    assert len(key.encode()) <= 1024
    assert key.isprintable()
    parsed = parse_key(key)
    assert parsed is not None
    assert (parsed.operation, parsed.content_hash, parsed.timestamp) == (operation, content_hash(*texts), timestamp)
    if parsed.tenant_id != tenant:
        assert parsed.tenant_id[-33] == "~", "what is not the tenant itself is marked"


@pytest.mark.parametrize("tenant", HOSTILE, ids=[repr(tenant[:24]) for tenant in HOSTILE])
def test_hostile_tenants(tenant: str) -> None:
    key = idempotency_key("query", tenant, "text", timestamp=1_700_000_000 * 10**9)
    assert (key.count(":"), key.count("\n"), len(key.encode()) <= 1024) == (3, 0, True)
    parsed = parse_key(key)
    assert parsed is not None
    if len(tenant) <= 64 and "\ud800" not in tenant and "\ud83d" not in tenant:
        assert parsed.tenant_id == tenant
    claimed = claimed_key(key)
    assert (claimed.text, claimed.kind, claimed.time) == (key, KeyKind.FOUR_PART, 1_700_000_000 * 10**9)


@given(any_text, any_text)
def test_different_tenants_have_different_keys(one: str, other: str) -> None:
    keys = {key_prefix("query", tenant) for tenant in (one, other)}
    assert len(keys) == (1 if one == other else 2)


@given(any_text)
def test_operations_outside_the_vocabulary_cannot_break_a_key_either(operation: str) -> None:
    assert key_prefix(operation, "acme").count(":") == 2


@given(any_text)
@example("x" * 257)
def test_a_bounded_text_can_be_stored_and_is_told_apart(text: str) -> None:
    kept = shorten(text)
    kept.encode()
    assert len(kept) <= 256 + 34
    assert (kept == text) or kept.endswith(digest([text]))


@pytest.mark.parametrize(
    "text",
    [
        "order:42:refund:7",
        "query:acme:0123:1700000000000000000",
        "query:acme:0123456789ABCDEF0123456789ABCDEF:1700000000000000000",
        "query:acme:0123456789abcdef0123456789abcdef:1700000000",
        "query:acme:0123456789abcdef0123456789abcdef:01700000000000000000",
        "query:acme:0123456789abcdef0123456789abcdef:0000000000000000001",
        "query:acme:0123456789abcdef0123456789abcdef:9999999999999999999",
        "query:acme:0123456789abcdef0123456789abcdef:" + "\N{ARABIC-INDIC DIGIT TWO}" * 19,
        "Query:acme:0123456789abcdef0123456789abcdef:1700000000000000000",
        "refund:acme:0123456789abcdef0123456789abcdef:1700000000000000000",
        "query:ac:me:0123456789abcdef0123456789abcdef:1700000000000000000",
        "query:%ff:0123456789abcdef0123456789abcdef:1700000000000000000",
        " query:acme:0123456789abcdef0123456789abcdef:1700000000000000000",
        "query:acme:0123456789abcdef0123456789abcdef:1700000000000000000\n",
        "",
        ":::",
    ],
)
def test_a_text_that_only_looks_like_a_key_is_opaque(text: str) -> None:
    assert parse_key(text) is None
    assert (claimed_key(text).text, claimed_key(text).kind, claimed_key(text).time) == (text, KeyKind.OPAQUE, 0)


@given(any_text | st.text(min_size=1000, max_size=3000))
@pytest.mark.slow
def test_a_claimed_key_can_be_stored_is_bounded_and_always_the_same(text: str) -> None:
    key = claimed_key(text)
    assert len(key.text.encode()) <= 1024
    assert key == claimed_key(text)
    assert claimed_key(key.text).text == key.text, "told again under the key that was returned, it is the same"


@given(any_text, any_text)
def test_different_claims_stay_different(one: str, other: str) -> None:
    assert (claimed_key(one).text == claimed_key(other).text) is (one == other)


def test_the_public_functions_are_the_same_for_ever() -> None:
    """Golden values: two services, two versions and two languages must agree."""
    assert content_hash() == "cae66941d9efbd404e4d88758ea67670"
    assert content_hash("") != content_hash()
    assert content_hash("Good morning") == "8c3d9de470b2cc91171cc6e074911cb8"
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc)
    key = idempotency_key(Operation.QUERY, "acme", "Good morning", timestamp=at)
    assert key == "query:acme:8c3d9de470b2cc91171cc6e074911cb8:1767323045678901000"
    assert key == idempotency_key("OPERATION_QUERY", "acme", "Good morning", timestamp=1767323045678901000)


def test_where_one_text_ends_and_the_next_begins_matters() -> None:
    assert len({content_hash("ab", "c"), content_hash("a", "bc"), content_hash("abc"), content_hash("abc", ""), content_hash("", "abc")}) == 5


def test_a_datetime_is_exact_to_the_microsecond_in_any_zone() -> None:
    at = datetime(2039, 7, 1, 23, 59, 59, 999999, tzinfo=timezone(timedelta(hours=-9, minutes=-30)))
    parsed = parse_key(idempotency_key("chat", "t", timestamp=at))
    assert parsed is not None
    assert datetime.fromtimestamp(parsed.timestamp // 10**9, timezone.utc) + timedelta(microseconds=parsed.timestamp % 10**9 // 1000) == at


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("queri", "t", 1_700_000_000 * 10**9), "'queri' is not an operation"),
        (("query", "t", datetime(2026, 1, 1)), "without a time zone"),  # noqa: DTZ001 - that is the mistake
        (("query", "t", 1_700_000_000), "not a time in UTC nanoseconds"),
        (("query", "t", time.time()), "not float"),
        (("query", "t", True), "not bool"),
        (("query", 7, 1_700_000_000 * 10**9), "tenant_id is a text"),
        (("query", "t", -1), "not a time in UTC nanoseconds"),
        (("query", "t", 2**63), "not a time in UTC nanoseconds"),
    ],
)
def test_a_wrong_part_raises(arguments: tuple[object, object, object], sentence: str) -> None:
    operation, tenant, timestamp = arguments
    with pytest.raises((ValueError, TypeError), match=sentence):
        idempotency_key(operation, tenant, timestamp=timestamp)  # type: ignore[arg-type]


def test_content_is_text() -> None:
    with pytest.raises(TypeError, match="not bytes"):
        content_hash(b"x")  # type: ignore[arg-type]


def of_call(*texts: str) -> str:
    return call_digest(texts, b"secret")


def test_long_texts_of_calls_are_told_apart_by_head_tail_and_length_and_cost_little() -> None:
    size = 10 * 1024 * 1024
    text = "x" * size
    hashes = {of_call(text), of_call("y" + text[1:]), of_call(text[1:]), of_call(text[:-1] + "y"), of_call(text, "")}
    assert len(hashes) == 5
    assert of_call(text) == of_call("x" * size)
    began = time.process_time()
    for _ in range(10):
        of_call(text)
    assert (time.process_time() - began) / 10 < 0.004, "as slow as hashing it whole"


def test_a_long_text_is_not_a_short_one_that_looks_like_it() -> None:
    half = 128 * 1024
    long = "a" * half + "middle" + "b" * half
    assert of_call(long) != of_call("a" * half + "b" * half)


@pytest.mark.parametrize("limit", [256 * 1024, 256 * 1024 + 1])
def test_at_the_limit(limit: int) -> None:
    assert of_call("é" * limit) != of_call("é" * (limit - 1))


@pytest.mark.parametrize(
    "identity",
    [
        content_hash,
        lambda text: idempotency_key("batch", "acme", text, timestamp=EARLIEST_NS),
        lambda text: claimed_key(text).text,
        lambda text: key_prefix("batch", text),
        shorten,
    ],
)
def test_long_texts_that_differ_in_the_middle_alone_are_different(identity: Callable[[str], str]) -> None:
    end = "x" * 256 * 1024
    assert identity(f"{end}a{end}") != identity(f"{end}b{end}")


def test_a_providers_object_states_its_time_or_none() -> None:
    stated = object_key("openai", "batch_1", 1_700_000_000)
    assert (stated.text, stated.kind, stated.time) == ("openai:batch_1", KeyKind.OBJECT, 1_700_000_000 * 10**9)
    for never in (0, 12, 2**62):
        assert (object_key("openai", "batch_1", never).kind, object_key("openai", "batch_1", never).time) == (KeyKind.OPAQUE, 0)
    assert object_key("a:b", "c", 0).text != object_key("a", "b:c", 0).text
