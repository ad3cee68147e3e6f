"""A record that does not fit goes to quarantine with a reason, whole; the good ones of its batch are stored."""

from __future__ import annotations

import time

import pytest

from tests.support.ledger_rows import START_NS, Land, Row, Total, claimed, closing, refused, usage, writer
from tokentrail import semconv
from tokentrail.clickhouse.client import Client
from tokentrail.ledger import quarantine

SECOND = 10**9
DAY = 86_400 * SECOND

COUNTS = [
    semconv.INPUT_TOKENS,
    semconv.OUTPUT_TOKENS,
    semconv.CACHE_READ_TOKENS,
    semconv.CACHE_WRITE_TOKENS,
    semconv.REASONING_TOKENS,
    semconv.AUDIO_INPUT_TOKENS,
    semconv.AUDIO_OUTPUT_TOKENS,
    semconv.IMAGE_INPUT_TOKENS,
    semconv.IMAGE_OUTPUT_TOKENS,
    semconv.CONSUMED_INPUT_TOKENS,
    semconv.CONSUMED_OUTPUT_TOKENS,
    semconv.INPUT_CHARS,
    semconv.OUTPUT_CHARS,
    semconv.TEXTS,
    semconv.CALLS,
    semconv.ATTEMPTS,
    semconv.DURATION_NS,
    semconv.TIME_TO_FIRST_CHUNK_NS,
]


def changed(**attributes: str | None) -> Row:
    """A good record with attributes of `semconv`, by name, replaced or (None) left out."""
    return usage(seq=7, more={getattr(semconv, name): value for name, value in attributes.items()})


MALFORMED: dict[str, tuple[Row, str]] = {
    "no event's name": (changed(EVENT="usages"), "unknown event"),
    "a newer schema": (changed(SCHEMA="2"), "unknown schema"),
    "no writer": (changed(WRITER_ID=None), "bad writer"),
    "an upper-case writer": (changed(WRITER_ID="A" * 32), "bad writer"),
    "no number": (changed(SEQ=None), f"bad number: {semconv.SEQ}"),
    "number nought": (changed(SEQ="0"), f"bad number: {semconv.SEQ}"),
    "a negative number": (changed(SEQ="-1"), f"bad number: {semconv.SEQ}"),
    "a word for a number": (changed(SEQ="seven"), f"bad number: {semconv.SEQ}"),
    "a word for a call": (changed(CALL="x"), f"bad number: {semconv.CALL}"),
    "no key": (changed(KEY=None), f"bad key: {semconv.KEY} is missing"),
    "a long key": (claimed("k" * 1025), f"bad key: {semconv.KEY} is longer"),
    "no kind of key": (changed(KEY_KIND=None), f"bad key: {semconv.KEY_KIND}"),
    "an unknown kind of key": (changed(KEY_KIND="guessed"), f"bad key: {semconv.KEY_KIND}"),
    "an automatic key of three parts": (changed(KEY="chat:acme:123"), f"bad key: {semconv.KEY} has not"),
    "an automatic key with a line break": (changed(KEY=f"chat:ac\nme:{'a' * 32}:{START_NS}"), f"bad key: {semconv.KEY} has not"),
    "no time of the key": (changed(KEY_TIME=None), f"bad key: {semconv.KEY_TIME} is not a time"),
    "another time than the key's": (changed(KEY_TIME=str(START_NS)), f"bad key: {semconv.KEY_TIME} is not the time"),
    "an object of 1999": (claimed("o:1", kind="object", key_time=10**18 - 1, ts=START_NS), f"bad time: {semconv.KEY_TIME} is before 2020"),
    "an object of 2100": (claimed("o:1", kind="object", key_time=4_102_444_800 * SECOND, ts=START_NS), f"bad time: {semconv.KEY_TIME} is more than a day"),
    "a time of 1970": (claimed("o", seq=70, ts=0), "bad time: before 2020"),
    "a time of 2019": (usage(ts=1_577_836_799 * SECOND), "bad time: before 2020"),
    "a time of 2200": (claimed("o", seq=71, ts=7_258_118_400 * SECOND), "bad time: more than a day ahead"),
    "a time two days ahead": (usage(ts=time.time_ns() + 2 * DAY), "bad time: more than a day ahead"),
    "an unknown source of input": (changed(INPUT_SOURCE="billed"), f"bad source: {semconv.INPUT_SOURCE}"),
    "an unknown source of output": (changed(OUTPUT_SOURCE="Reported"), f"bad source: {semconv.OUTPUT_SOURCE}"),
    "a closing without a number": (closing(None), "bad closing"),
    "a closing with a word": (closing("all"), "bad closing"),
    "a closing with bad ranges": (closing(9, damaged="7..9"), "bad closing"),
    "a refusal without ranges": (refused(""), "bad refusal"),
    "a refusal with bad ranges": (refused("1-2;3"), "bad refusal"),
} | {
    f"{value!r} as {name}": (usage(seq=7, more={name: value}), f"bad count: {name}")
    for name in COUNTS
    for value in ("many", "3.0", "1e3", " 5", "99999999999999999999")
} | {
    f"{value} as tokens": (usage(input_tokens=value), f"bad count: {semconv.INPUT_TOKENS}") for value in ("1000000000001", "-1000000000001", "-9223372036854775808")
}  # fmt: skip


def test_every_malformed_record_is_kept_with_its_reason_and_no_good_one_is_lost(land: Land, total: Total, database: Client) -> None:
    good = [usage(by="good", seq=seq) for seq in range(1, 11)]
    bad = [row for row, _ in MALFORMED.values()]
    land(*good[:5], *bad, *good[5:])
    assert total() == (10, 100, 50)
    held = {_said(record["attributes"]): record["reason"] for record in quarantine.listed(database, limit=1000)}
    reasons = {name: held.get(_said(row["LogAttributes"]), "not there") for name, (row, _) in MALFORMED.items()}
    assert {name: reason for name, reason in reasons.items() if not reason.startswith(MALFORMED[name][1])} == {}
    assert len(held) == len({_said(row["LogAttributes"]) for row in bad})


def _said(attributes: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(attributes.items()))


def test_a_record_that_is_repeated_lies_in_quarantine_once(land: Land, database: Client) -> None:
    land(changed(SEQ="x"))
    land(changed(SEQ="x"), changed(SEQ="x"))
    assert [reason["records"] for reason in quarantine.reasons(database)] == [1]


@pytest.mark.parametrize("ahead", [-6 * 365 * DAY, 23 * 3600 * SECOND])
def test_times_at_the_edges_are_good(land: Land, total: Total, ahead: int) -> None:
    land(usage(ts=time.time_ns() + ahead))
    assert total() == (1, 10, 5)


def test_an_unknown_word_is_no_error_and_keeps_its_name(land: Land, database: Client) -> None:
    land(usage(operation="haiku", more={semconv.TOKEN_TYPE: "video", semconv.ENDED: "bored", semconv.OPERATION: "haiku"}))
    assert database.query("SELECT operation, operation_name, token_type, ended, calls FROM usage").rows == [
        ("unknown", "haiku", "unknown", "unknown", 1)
    ]


def test_an_insert_never_fails_whatever_the_attributes_hold(land: Land, database: Client) -> None:
    hostile = ["", "\0", "'", "\\", "\n", "💥", "null", "NaN", "-", "+", "9" * 400, "1-", "{}", "true", "-9223372036854775809", "x" * 70_000]
    names = [getattr(semconv, name) for name in dir(semconv) if name.isupper() and isinstance(getattr(semconv, name), str)]
    land(*(usage(by="hostile", seq=number, more=dict.fromkeys(names, text) | {semconv.EVENT: event})
           for number, text in enumerate(hostile, 1) for event in ("usage", "closing", "refused", text)))  # fmt: skip
    assert sum(reason["records"] for reason in quarantine.reasons(database)) > 0
    assert database.query("SELECT count() FROM deliveries WHERE writer_id = {w:String}", {"w": writer("hostile")}).rows == [(0,)]


def test_empty_attributes_are_the_same_as_none(land: Land, database: Client) -> None:
    optional = [*COUNTS, semconv.CALL, semconv.INPUT_SOURCE, semconv.TENANT_ID, semconv.METADATA, semconv.SERVER_PORT]
    land(usage(more=dict.fromkeys(optional, "")))
    assert database.query("SELECT calls, attempts, input_tokens, source, server_port FROM usage").rows == [(1, 1, None, "unknown", 0)]
