"""Whatever stands in a usage, it is recorded: within 64 KiB, readable, with its numbers. Too much text is cut, what does not fit is "not stated"."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tokentrail
from tests.support.journal import adopt, usage
from tests.support.otlp_receiver import Otlp
from tokentrail import semconv
from tokentrail.journal.frames import MAX_PAYLOAD
from tokentrail.journal.records import Record, decode, encode_usage, repaired
from tokentrail.recording import recorder
from tokentrail.recording.runtime import Runtime
from tokentrail.settings import Settings
from tokentrail.usage import Usage

FIELDS = {field.name: field for field in msgspec.structs.fields(Usage)}
TEXTS = [name for name, field in FIELDS.items() if field.type is str]
NUMBERS = [name for name, field in FIELDS.items() if field.type is not str and field.type is not bool]
HOSTILE = {
    "lone surrogate": "tenant\udc80",
    "surrogate pair in halves": "\ud83d\ude00",
    "NUL": "a\0b",
    "newlines": "a\nb\r\n",
    "colons": "a:b:c",
    "emoji": "\U0001f600" * 100,
    "10 kB": "t" * 10_000,
    "10 kB of emoji": "\U0001f600" * 10_000,
    "1 MB": "m" * 1_000_000,
    "1 MB of surrogates": "\udcff" * 1_000_000,
    "empty": "",
}


def read_back(payload: bytes) -> Record:
    """The record of a payload; what travels is at most 64 KiB, and the same when it is read again."""
    record, body = decode(payload)
    assert len(body) <= MAX_PAYLOAD
    assert decode(body) == (record, body)
    return record


@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_any_text_in_any_field(field: str, text: str) -> None:
    payload = encode_usage(usage(**{field: text, "input_tokens": 12}))
    assert len(payload) <= MAX_PAYLOAD
    back = read_back(payload)
    assert isinstance(back, Usage)
    assert back.input_tokens == 12
    getattr(back, field).encode()
    if field == "metadata" and len(text) > 16 * 1024:
        assert back.metadata == "{}"
        assert back.metadata_cut
    elif len(text) < 1000 and text.isprintable():
        assert getattr(back, field) == text


def test_all_texts_at_once() -> None:
    for text in HOSTILE.values():
        payload = encode_usage(Usage(ts=1, input_tokens=7, **dict.fromkeys(TEXTS, text)))
        assert len(payload) <= MAX_PAYLOAD
        assert read_back(payload).input_tokens == 7


@pytest.mark.parametrize("more", [{}, {"metadata": '"' * 16_000}, {"metadata": "\x01" * 16_000, "tenant_id": "\x01" * 9000}])
def test_all_numbers_at_once(more: dict[str, str]) -> None:
    payload = encode_usage(Usage(key="k", ts=1, **dict.fromkeys(set(NUMBERS) - {"ts"}, 10**4000), **more))
    assert len(payload) <= MAX_PAYLOAD
    assert read_back(payload).input_tokens is None


def test_texts_that_are_cut_still_differ() -> None:
    """Two long tenants, two long keys, two broken keys: never one by being cut."""
    for field in ("tenant_id", "key", "request_model", "corrects_key"):
        for one, other in (("x" * 200_000 + "1", "x" * 200_000 + "2"), ("\ud800", "\ud801"), ("k" * 5000 + "\ud800", "k" * 5000 + "\ud801")):
            first, second = (read_back(encode_usage(usage(**{field: text}))) for text in (one, other))
            assert getattr(first, field) != getattr(second, field), field


def test_a_key_is_cut_the_same_way_every_time() -> None:
    long = "k" * 1_000_000
    small = read_back(encode_usage(usage(key=long)))
    large = read_back(encode_usage(usage(key=long, metadata='{"a": "' + "m" * 15_000 + '"}')))
    assert small.key == large.key
    assert read_back(encode_usage(usage(corrects_key=long))).corrects_key == small.key


@pytest.mark.parametrize("field", NUMBERS)
@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 2**64, 2**2000, 1.5, float("nan"), float("inf"), "many", None, object(), [1]])
def test_a_number_that_is_none_is_not_stated(field: str, number: Any) -> None:
    back = read_back(encode_usage(usage(**{field: number, "request_model": "kept"})))
    assert isinstance(back, Usage)
    assert back.request_model == "kept"
    if field == "input_tokens" and number is not None and number != 2**63:
        assert back.input_tokens is None
        assert back.input_source == "unknown"


@pytest.mark.parametrize("value", ["\ud800", float("nan"), 12])
@pytest.mark.parametrize("metadata", ["", '{"a":null}'])
def test_a_number_that_is_repaired_is_counted(value: object, metadata: str) -> None:
    counted: list[tuple[str, str]] = []
    given = usage(metadata=metadata, **({"tenant_id": value} if isinstance(value, str) else {"input_tokens": value}))
    read_back(encode_usage(given, lambda where, error: counted.append((where, type(error).__name__))))
    assert counted == ([("journal.encode", "ValueError")] if isinstance(value, float) else [])


def test_a_number_in_other_clothes_is_that_number() -> None:
    class Whole(int):
        pass

    back = read_back(encode_usage(usage(input_tokens=12.0, output_tokens=Whole(3), cache_read_tokens=True)))
    assert (back.input_tokens, back.output_tokens, back.input_source) == (12, 3, "reported")


ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=50), st.binary(max_size=20), st.lists(st.integers(), max_size=3)
)
SURROGATES = st.text(st.characters(codec=None, categories=None), max_size=80)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), st.one_of(ANYTHING, SURROGATES)))
@pytest.mark.slow
def test_any_value_in_any_field(values: dict[str, Any]) -> None:
    back = read_back(encode_usage(Usage(**({"key": "k", "ts": 1} | values))))
    assert isinstance(back, Usage)
    assert encode_usage(back)
    assert isinstance(repaired(values | {"unknown": 1}), Usage)


@settings(max_examples=300, deadline=None)
@given(
    st.fixed_dictionaries(
        {"key": st.text(min_size=1, max_size=300), "ts": st.integers(0, 2**62)},
        optional={name: st.text(max_size=300) for name in TEXTS if name != "key"}
        | {name: st.integers(0, 2**62) for name in ("input_tokens", "output_tokens", "duration_ns", "calls")},
    )
)
@pytest.mark.slow
def test_what_fits_comes_back_as_it_was(values: dict[str, Any]) -> None:
    given_usage = Usage(**values)
    back = read_back(encode_usage(given_usage))
    if len(encode_usage(given_usage)) < 4096:
        assert back == given_usage


@pytest.fixture
def service(root: Path, otlp: Otlp) -> Iterator[Path]:
    with Runtime(Settings().with_(journal_dir=str(root), endpoint=otlp.url, ship_interval=0.05, estimate=False)).in_place():
        yield root


def test_from_the_call_to_the_wire(service: Path, otlp: Otlp, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="tokentrail")
    for text in HOSTILE.values():
        key = tokentrail.track_token_usage(
            token_type="llm",
            operation="query",
            provider="groq" + text[:10],
            model=text,
            tenant_id=text,
            operation_id=text,
            input_tokens=5,
            output_tokens=2**62,
            metadata={"text": text},
            idempotency_key=text or None,
        )
        assert key
    recorder.record(usage(trace_id="not hexadecimal", span_id="\ud800"))
    assert tokentrail.flush(10)
    events = [record for record in otlp.taken if record.event == semconv.EVENT_USAGE]
    assert len(events) == len(HOSTILE) + 1
    assert sum(record.attributes[semconv.INPUT_TOKENS] for record in events) == 5 * len(HOSTILE) + 1
    assert len({record.fields["key"] for record in events}) == len(events)
    assert adopt(service, otlp).done
