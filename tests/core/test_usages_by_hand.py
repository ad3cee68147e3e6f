"""`track_token_usage`: what is given is what is recorded, wrong arguments raise where they are written, a broken journal never does."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from tests.core.conftest import Configure
from tests.support.calls import journal_of
from tokentrail import Ended, Operation, Source, TokenType, track_token_usage, track_tokens
from tokentrail.idempotency import parse_key
from tokentrail.process.current import current
from tokentrail.testing import Usages
from tokentrail.usage import Usage

GIVEN: dict[str, Any] = {"token_type": "llm", "operation": "query", "provider": "groq", "model": "llama-3.1-8b"}
AT = 1_790_000_000 * 10**9


def spend(**more: Any) -> str:
    return track_token_usage(**(GIVEN | more))


def test_what_is_given_is_what_is_recorded(tokentrail_usages: Usages) -> None:
    key = spend(
        tenant_id="acme",
        input_tokens=12,
        output_tokens=5,
        cache_read_tokens=4,
        cache_write_tokens=0,
        reasoning_tokens=2,
        calls=3,
        timestamp=AT,
        duration=1.5,
        response_model="llama-3.1-8b-instant",
        response_id="r-1",
        endpoint="chat",
        operation_id="op-1",
        metadata={"request": "r1"},
    )
    (usage,) = tokentrail_usages
    assert usage.as_dict() | {"trace_id": "", "span_id": ""} == Usage(key=key, ts=AT).as_dict() | {
        "key_time": AT,
        "tenant_id": "acme",
        "operation": "query",
        "operation_id": "op-1",
        "metadata": '{"request": "r1"}',
        "endpoint": "chat",
        "gen_ai_operation": "chat",
        "provider": "groq",
        "request_model": "llama-3.1-8b",
        "response_model": "llama-3.1-8b-instant",
        "response_id": "r-1",
        "model_family": "llama",
        "calls": 3,
        "duration_ns": 1_500_000_000,
        "input_tokens": 12,
        "output_tokens": 5,
        "cache_read_tokens": 4,
        "cache_write_tokens": 0,
        "reasoning_tokens": 2,
        "input_source": "reported",
        "output_source": "reported",
        "source": "reported",
    }
    parsed = parse_key(key)
    assert parsed is not None
    assert (parsed.operation, parsed.tenant_id, parsed.timestamp) == (Operation.QUERY, "acme", AT)


def test_enums_texts_and_constants_names_say_the_same(tokentrail_usages: Usages) -> None:
    for token_type in (TokenType.EMBEDDING, "embedding", "TOKEN_TYPE_EMBEDDING"):
        for operation in (Operation.VECTOR_SEARCH, "vector_search", "OPERATION_VECTOR_SEARCH"):
            for source in (Source.ESTIMATED, "estimated"):
                for ended in (Ended.PARTIAL, "partial"):
                    spend(token_type=token_type, operation=operation, source=source, ended=ended, input_tokens=1)
    assert {(u.token_type, u.operation, u.input_source, u.output_source, u.ended) for u in tokentrail_usages} == {
        ("embedding", "vector_search", "estimated", "estimated", "partial")
    }


def test_what_is_not_stated_is_unknown_and_not_zero(tokentrail_usages: Usages) -> None:
    spend()
    spend(input_tokens=0)
    first, second = tokentrail_usages
    assert (first.input_tokens, first.input_source, first.source) == (None, "unknown", "unknown")
    assert (second.input_tokens, second.input_source, second.output_source, second.source) == (0, "reported", "unknown", "unknown")


def test_a_claimed_key_is_returned_and_recorded(tokentrail_usages: Usages) -> None:
    assert spend(idempotency_key="order:42:refund:7") == "order:42:refund:7"
    long = spend(idempotency_key="k" * 5000)
    assert spend(idempotency_key="k" * 5000) == long
    assert len(long) <= 1024
    assert [(usage.key_kind, usage.key_time) for usage in tokentrail_usages.recorded] == [("opaque", 0)] * 3
    assert tokentrail_usages.recorded[1].key == long


def test_a_correction_takes_back_under_a_key_of_its_own(tokentrail_usages: Usages) -> None:
    key = spend(input_tokens=100, output_tokens=10)
    correction = spend(input_tokens=-40, output_tokens=0, calls=-1, corrects_key=key)
    assert correction != key
    assert correction.startswith("correction:")
    assert (tokentrail_usages.input_tokens, tokentrail_usages.calls) == (60, 0)
    assert tokentrail_usages[1].corrects_key == key
    assert spend(input_tokens=-1, corrects_key=key, idempotency_key="ticket-7") == "ticket-7"


def test_the_block_around_says_what_is_left_out(tokentrail_usages: Usages) -> None:
    with track_tokens("chat", tenant_id="acme", operation_id="op", metadata={"a": 1}) as spent:
        spend(input_tokens=5, output_tokens=2)
        spend(tenant_id="other", operation_id="mine", metadata={"b": 2}, input_tokens=1)
    spend()
    assert [(u.tenant_id, u.operation, u.operation_id, u.metadata) for u in tokentrail_usages] == [
        ("acme", "query", "op", '{"a": 1}'),
        ("other", "query", "mine", '{"b": 2}'),
        ("", "query", "", ""),
    ]
    assert (spent.calls, spent.input_tokens, spent.output_tokens, spent.total_tokens, spent.source) == (2, 6, 2, 8, "unknown")


def test_the_default_tenant_is_the_settings(tokentrail_usages: Usages, configure: Configure) -> None:
    configure(tenant_id="everyone")
    spend()
    assert tokentrail_usages[0].tenant_id == "everyone"


@pytest.mark.parametrize(
    ("given", "nanoseconds"),
    [
        (AT, AT),
        (datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc), 1767323045678901000),
        (datetime(2026, 1, 2, 4, 4, 5, 678901, tzinfo=timezone(timedelta(hours=1))), 1767323045678901000),
    ],
)
def test_times(given: object, nanoseconds: int, tokentrail_usages: Usages) -> None:
    spend(timestamp=given)
    assert (tokentrail_usages[0].ts, tokentrail_usages[0].key_time) == (nanoseconds, nanoseconds)


class Five(enum.IntEnum):
    FIVE = 5


def test_an_int_of_another_class_is_stored_as_an_int(tokentrail_usages: Usages) -> None:
    spend(input_tokens=Five.FIVE)
    assert type(tokentrail_usages[0].input_tokens) is int


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"token_type": "tokens"}, "'tokens' is not a token type: use one of llm, embedding, fine_tuning"),
        ({"token_type": Operation.QUERY}, "is not a token type"),
        ({"operation": "Query"}, "'Query' is not an operation"),
        ({"operation": None}, "None is not an operation"),
        ({"source": "guessed"}, "'guessed' is not a source: use one of unknown, estimated, reported"),
        ({"ended": "done"}, "'done' is not a way in which a call ends"),
        ({"input_tokens": "5"}, "input_tokens is a number"),
        ({"input_tokens": 5.0}, "input_tokens is a number"),
        ({"output_tokens": True}, "output_tokens is a number"),
        ({"input_tokens": -1}, "only a correction"),
        ({"calls": -1}, "only a correction"),
        ({"calls": True}, "calls is a number"),
        ({"input_tokens": 2**63}, "64 bits"),
        ({"input_tokens": -(2**63), "corrects_key": "k"}, "64 bits"),
        ({"tenant_id": 7}, "tenant_id is a text, not int"),
        ({"tenant_id": None}, "tenant_id is a text, not NoneType"),
        ({"provider": None}, "provider is a text"),
        ({"model": b"x"}, "model is a text"),
        ({"idempotency_key": ""}, "idempotency_key is empty"),
        ({"idempotency_key": 42}, "idempotency_key is a text"),
        ({"idempotency_key": "k", "corrects_key": "k"}, "needs another key"),
        ({"timestamp": 1_790_000_000}, "not a time in UTC nanoseconds"),
        ({"timestamp": 1_790_000_000.5}, "not float"),
        ({"timestamp": datetime(2026, 1, 1)}, "without a time zone"),  # noqa: DTZ001 - that is the mistake
        ({"duration": -1.0}, "duration is -1.0"),
        ({"duration": float("nan")}, "duration is nan"),
        ({"duration": "1"}, "duration is a number of seconds"),
        ({"metadata": ["a"]}, "metadata is a mapping"),
        ({"metadata": "{}"}, "metadata is a mapping"),
        ({"tenant": "acme"}, "unexpected keyword argument 'tenant'"),
    ],
)
def test_a_wrong_argument_raises_and_records_nothing(wrong: dict[str, Any], sentence: str, tokentrail_usages: Usages) -> None:
    with pytest.raises((ValueError, TypeError), match=sentence):
        spend(**wrong)
    assert len(tokentrail_usages) == 0


@pytest.mark.parametrize("text", ["\ud800", "\x00", "x" * 100_000, "😀" * 5000, "a\nb"])
def test_hostile_texts_are_recorded(text: str, journal: Path, internal_errors: dict[str, int]) -> None:
    names = ("tenant_id", "provider", "model", "response_model", "response_id", "endpoint", "operation_id", "corrects_key")
    returned = spend(**dict.fromkeys(names, text), metadata={text: text}, idempotency_key=f"{text}!", input_tokens=1)
    ((_, _, usage),) = journal_of(journal)
    assert not internal_errors
    assert usage.key == returned
    assert usage.input_tokens == 1
    assert len(usage.tenant_id) <= 300


def test_the_signature_is_typed_and_documented() -> None:
    hints = get_type_hints(track_token_usage)
    parameters = inspect.signature(track_token_usage).parameters.values()
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters)
    assert {parameter.name for parameter in parameters} | {"return"} == hints.keys()
    assert hints["return"] is str


def test_disabled_it_returns_a_key_and_records_nothing(configure: Configure, tmp_path: Path) -> None:
    configure(disabled=True)
    key = spend(tenant_id="acme", input_tokens=5)
    assert parse_key(key) is not None
    with track_tokens("chat") as spent:
        assert spend(idempotency_key="mine") == "mine"
    assert spent.calls == 0
    assert not (tmp_path / "journal").exists()


def test_a_journal_that_cannot_be_written_never_raises(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    configure(journal_dir=tmp_path / "file" / "journal")
    assert spend(input_tokens=5)


def test_disabled_by_the_environment(tmp_path: Path, run_python: Callable[..., str]) -> None:
    program = """
import sys, tokentrail
from tests.support.calls import call
with tokentrail.track_tokens("chat", tenant_id="t"):
    call()
    print(tokentrail.track_token_usage(token_type="llm", operation="query", provider="p", model="m", input_tokens=1))
@tokentrail.track_tokens
def work(): call()
work()
assert "tokentrail.instrumentation" not in sys.modules, "nothing is patched"
assert tokentrail.flush(1)
"""
    said = run_python(program, TOKENTRAIL_DISABLED="true", TOKENTRAIL_JOURNAL_DIR=str(tmp_path / "journal"))
    assert parse_key(said.strip()) is not None
    assert not (tmp_path / "journal").exists()


def test_settings_are_what_they_were() -> None:
    assert current.settings.disabled is False
