"""A record that does not fit goes to quarantine with a reason, whole; the good ones of its batch are stored."""

from __future__ import annotations

import json
import time

import pytest

from tests.support.ledger_rows import START_NS, Land, Row, Total, claimed, closing, refused, usage, writer
from tokentrail import counts, semconv
from tokentrail.clickhouse.client import Client
from tokentrail.ledger import quarantine

SECOND = 10**9
DAY = 86_400 * SECOND

COUNTS = [*(count.name for count in counts.COUNTS), "input_chars", "output_chars", "texts", "calls", "attempts", "server_port", "duration_ns"]
COUNTS += ["time_to_first_chunk_ns"]


def changed(**fields: object) -> Row:
    """A good record with fields of its body replaced or (None) left out."""
    return usage(seq=7, more=fields)


def marked(**attributes: str | None) -> Row:
    """A good record with attributes of `semconv`, by name, replaced or (None) left out."""
    return usage(seq=7, attributes={getattr(semconv, name): value for name, value in attributes.items()})


GOOD: str = usage(seq=7)["Body"]


def with_member(member: str) -> str:
    """The body of a good record with one member more, as it stands in JSON."""
    return f"{GOOD[:-1]}, {member}}}"


MALFORMED: dict[str, tuple[Row, str]] = {
    "no event's name": (marked(EVENT="usages"), "unknown event"),
    "a newer schema": (marked(SCHEMA="3"), "unknown schema"),
    "an older schema": (marked(SCHEMA="1"), "unknown schema"),
    "no schema": (marked(SCHEMA=None), "unknown schema"),
    "no writer": (marked(WRITER_ID=None), "bad writer"),
    "an upper-case writer": (marked(WRITER_ID="A" * 32), "bad writer"),
    "no number": (marked(SEQ=None), f"bad number: {semconv.SEQ}"),
    "number nought": (marked(SEQ="0"), f"bad number: {semconv.SEQ}"),
    "a negative number": (marked(SEQ="-1"), f"bad number: {semconv.SEQ}"),
    "a word for a number": (marked(SEQ="seven"), f"bad number: {semconv.SEQ}"),
    "a number beyond all numbers": (marked(SEQ=str(2**64 - 1)), f"bad number: {semconv.SEQ}"),
    "a number beyond a quadrillion": (marked(SEQ=str(10**15)), f"bad number: {semconv.SEQ}"),
    "a call beyond a quadrillion": (changed(call=10**15), "bad number: call"),
    "a word for a call": (changed(call="x"), "bad number: call"),
    "no key": (changed(key=None), "bad key: key is missing"),
    "a long key": (claimed("k" * 1025), "bad key: key is longer"),
    "no kind of key": (changed(key_kind=None, key="k"), "bad key: key has not"),
    "an unknown kind of key": (changed(key_kind="guessed"), "bad key: key_kind"),
    "an automatic key of three parts": (changed(key="chat:acme:123"), "bad key: key has not"),
    "an automatic key with a line break": (changed(key=f"chat:ac\nme:{'a' * 32}:{START_NS}"), "bad key: key has not"),
    "no time of the key": (changed(key_time=None), "bad key: key_time is not a time"),
    "another time than the key's": (changed(key_time=str(START_NS)), "bad key: key_time is not the time"),
    "an object of 1999": (claimed("o:1", kind="object", key_time=10**18 - 1, ts=START_NS), "bad time: key_time is before 2020"),
    "an object of 2100": (claimed("o:1", kind="object", key_time=4_102_444_800 * SECOND, ts=START_NS), "bad time: key_time is more than a day"),
    "a time of 1970": (claimed("o", seq=70, ts=0), "bad time: before 2020"),
    "a time of 2019": (usage(ts=1_577_836_799 * SECOND), "bad time: before 2020"),
    "a time of 2200": (claimed("o", seq=71, ts=7_258_118_400 * SECOND), "bad time: more than a day ahead"),
    "a time two days ahead": (usage(ts=time.time_ns() + 2 * DAY), "bad time: more than a day ahead"),
    "an unknown source of input": (changed(input_source="billed"), "bad source: input_source"),
    "an unknown source of output": (changed(output_source="Reported"), "bad source: output_source"),
    "a closing without a number": (closing(None), "bad closing"),
    "a closing with a word": (closing("all"), "bad closing"),
    "a closing beyond all numbers": (closing(2**64 - 1), "bad closing"),
    "a closing beyond a quadrillion": (closing(10**15), "bad closing"),
    "a closing with ranges beyond a quadrillion": (closing(9, damaged=[[1, 10**15]]), "bad closing"),
    "a refusal beyond a quadrillion": (refused([[1, 10**15]]), "bad refusal"),
    "a closing with bad ranges": (closing(9, damaged="7..9"), "bad closing"),
    "a refusal without ranges": (refused(""), "bad refusal"),
    "a refusal with bad ranges": (refused([[1, 2], [3]]), "bad refusal"),
    "no flag": (changed(stream="yes"), "bad flag: stream"),
    "a number for a flag": (changed(metadata_cut=1), "bad flag: metadata_cut"),
    "a refusal that is damaged by word": (refused("1-2", damaged="yes"), "bad refusal: damaged"),  # type: ignore[arg-type]
    "another time than the log record's": (changed(ts=START_NS), "bad time: ts"),
    "no time in the body": (changed(ts=None), "bad time: ts"),
    "another event in the body": (changed(event="closing"), "bad body: event"),
    "no event in the body": (changed(event=None), "bad body: event"),
    "no body": (usage(seq=7, body=""), "bad body: not a JSON object"),
    "a text for a body": (usage(seq=7, body="chat"), "bad body: not a JSON object"),
    "a list for a body": (usage(seq=7, body='["usage"]'), "bad body: not a JSON object"),
    "a body that is cut": (usage(seq=7, body=GOOD[:-9]), "bad body: not JSON"),
    "two bodies": (usage(seq=7, body=GOOD + GOOD), "bad body: not JSON"),
    "a name without quotes": (usage(seq=7, body='{event: "usage"}'), "bad body: not JSON"),
    "half a surrogate pair": (usage(seq=7, body=with_member('"x": "\\ud800"')), "bad body: not JSON"),
    "a body deeper than 1,000": (usage(seq=7, body=with_member(f'"x": {"[" * 1100}{"]" * 1100}')), "bad body: not JSON"),
    "a body beyond 64 KiB": (usage(seq=7, body=with_member(f'"x": "{"x" * 65536}"')), "bad body: longer than 64 KiB"),
    "a number beyond 64 bits": (usage(seq=7, body=with_member('"reasoning_tokens": 18446744073709551616')), "bad count: reasoning_tokens"),
    "a number beyond floats": (usage(seq=7, body=with_member('"reasoning_tokens": 1e400')), "bad body: not JSON"),
} | {
    f"{value!r} for a number of tokens": (changed(reasoning_tokens=value), "bad count: reasoning_tokens")
    for value in (True, 1.5, [1], {"a": 1}, 2**63, -(2**63) - 1)
} | {
    f"{value!r} as {name}": (usage(seq=7, more={name: value}), f"bad count: {name}")
    for name in COUNTS
    for value in ("many", "3.0", "1e3", " 5", "99999999999999999999")
} | {
    f"{value} as tokens": (usage(input_tokens=value), "bad count: input_tokens") for value in ("1000000000001", "-1000000000001", "-9223372036854775808")
}  # fmt: skip


def test_every_malformed_record_is_kept_with_its_reason_and_no_good_one_is_lost(land: Land, total: Total, database: Client) -> None:
    good = [usage(by="good", seq=seq) for seq in range(1, 11)]
    bad = [row for row, _ in MALFORMED.values()]
    land(*good[:5], *bad, *good[5:])
    assert total() == (10, 100, 50)
    held = {said(record["attributes"], record["body"]): record["reason"] for record in quarantine.listed(database, limit=1000)}
    reasons = {name: held.get(said(row["LogAttributes"], row["Body"]), "not there") for name, (row, _) in MALFORMED.items()}
    assert {name: reason for name, reason in reasons.items() if not reason.startswith(MALFORMED[name][1])} == {}
    assert len(held) == len({said(row["LogAttributes"], row["Body"]) for row in bad})


def said(attributes: dict[str, str], body: str) -> tuple[object, ...]:
    return body, *sorted(attributes.items())


def test_a_body_that_is_no_utf8_is_kept_apart(land: Land, total: Total, database: Client) -> None:
    land(usage(seq=1))
    columns = ", ".join(usage())
    spoiled = columns.replace("Body", "replaceOne(Body, 'acme', unhex('ff')) AS Body")
    database.command(f"INSERT INTO usage_landing ({columns}) SELECT {spoiled} FROM usage_landing")
    assert total() == (1, 10, 5)
    assert [reason["reason"] for reason in quarantine.reasons(database)] == ["bad body: not JSON"]


def test_a_number_in_another_notation_is_that_number(land: Land, database: Client) -> None:
    for number, notation in enumerate(("10", "10.0", "1e1", '"10"', "1.0E+1", "100e-1"), 1):
        land(usage(seq=number, body=usage(seq=number, input_tokens=4711)["Body"].replace("4711", notation)))
    assert database.query("SELECT input_tokens FROM usage").rows == [(10,)] * 6


def test_of_two_members_with_one_name_the_first_counts(land: Land, total: Total) -> None:
    land(usage(seq=7, body=with_member('"input_tokens": 77')))
    assert total() == (1, 10, 5)


def test_what_a_newer_writer_adds_stays_in_the_landing_table(land: Land, total: Total, database: Client) -> None:
    land(usage(seq=7, body=with_member('"thought": {"depth": [1, 2.50, null]}')))
    assert total() == (1, 10, 5)
    assert database.query("SELECT Body FROM usage_landing").rows == [(with_member('"thought": {"depth": [1, 2.50, null]}'),)]


def test_a_text_may_hold_anything(land: Land, database: Client) -> None:
    texts = ['a"b', "back\\slash", "\0", "\x1f", "é", "💥", "null", "[1]", '{"a": 1}', "\u2028"]
    land(*(usage(seq=number, more={"tenant_id": text}) for number, text in enumerate(texts, 1)))
    assert database.query("SELECT tenant_id FROM usage ORDER BY seq").rows == [(text,) for text in texts]


def test_a_record_that_is_repeated_lies_in_quarantine_once(land: Land, database: Client) -> None:
    land(marked(SEQ="x"))
    land(marked(SEQ="x"), marked(SEQ="x"))
    assert [reason["records"] for reason in quarantine.reasons(database)] == [1]


@pytest.mark.parametrize("ahead", [-6 * 365 * DAY, 23 * 3600 * SECOND])
def test_times_at_the_edges_are_good(land: Land, total: Total, ahead: int) -> None:
    land(usage(ts=time.time_ns() + ahead))
    assert total() == (1, 10, 5)


def test_an_unknown_word_is_no_error_and_keeps_its_name(land: Land, database: Client) -> None:
    land(usage(operation="haiku", more={"token_type": "video", "ended": "bored", "operation": "haiku"}))
    assert database.query("SELECT operation, operation_name, token_type, ended, calls FROM usage").rows == [
        ("unknown", "haiku", "unknown", "unknown", 1)
    ]


def test_an_insert_never_fails_whatever_a_record_holds(land: Land, database: Client) -> None:
    hostile = ["", "\0", "'", "\\", "\n", "💥", "null", "NaN", "-", "+", "9" * 400, "1-", "{}", "true", "-9223372036854775809", "x" * 70_000]
    names = [getattr(semconv, name) for name in dir(semconv) if name.isupper() and isinstance(getattr(semconv, name), str)]
    fields = json.loads(GOOD)
    for number, text in enumerate(hostile, 1):
        for event in ("usage", "closing", "refused", text):
            given = dict.fromkeys(names, text) | {semconv.EVENT: event, semconv.SCHEMA: semconv.SCHEMA_VERSION}
            land(*(usage(by="hostile", seq=number, attributes=given, body=body) for body in (text, json.dumps(dict.fromkeys(fields, text)))))
            land(usage(by="w3", seq=number, more=dict.fromkeys(fields, text) | {"event": event}))
    assert sum(reason["records"] for reason in quarantine.reasons(database)) > 0
    assert database.query("SELECT count() FROM deliveries WHERE writer_id = {w:String}", {"w": writer("hostile")}).rows == [(0,)]


def test_empty_attributes_are_the_same_as_none(land: Land, database: Client) -> None:
    optional = [*COUNTS, "call", "input_source", "tenant_id", "metadata", "server_port"]
    land(usage(more=dict.fromkeys(optional, "")))
    assert database.query("SELECT calls, attempts, input_tokens, source, server_port FROM usage").rows == [(1, 1, None, "unknown", 0)]
