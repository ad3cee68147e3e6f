"""`track_token_usage`: what is given is what is recorded, neither wrong arguments nor a broken journal raise or lose anything."""

from __future__ import annotations

import enum
import inspect
import time
import uuid
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


def test_whole_numbers_of_any_type_are_counts(tokentrail_usages: Usages, internal_errors: dict[str, int]) -> None:
    """pandas and numpy have integers of their own."""
    numpy = pytest.importorskip("numpy")
    spend(input_tokens=numpy.int64(7), output_tokens=numpy.uint16(3))
    assert (tokentrail_usages[0].input_tokens, tokentrail_usages[0].output_tokens) == (7, 3)
    assert type(tokentrail_usages[0].input_tokens) is int
    assert not internal_errors


NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 - that is the mistake


class Hostile:
    """Nothing can be asked of it."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError

    def __str__(self) -> str:
        raise RuntimeError

    def __bool__(self) -> bool:
        raise RuntimeError

    __eq__ = __hash__ = __str__  # type: ignore[assignment]


HOSTILE: dict[str, Callable[[], Any]] = {
    "hostile": Hostile,
    "object": object,
    "list": list,
    "dict": dict,
    "huge": lambda: 10**400,
    "infinite": lambda: float("inf"),
    "bytes": lambda: b"\xff",
    "surrogate": lambda: "\ud800",
    "function": lambda: list.append,
    "none": lambda: None,
}
ORG = uuid.UUID(int=7)
WRONG: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"token_type": "tokens"}, {"token_type": "tokens", "gen_ai_operation": ""}),
    ({"token_type": Operation.QUERY}, {"token_type": "query"}),
    ({"token_type": None}, {"token_type": ""}),
    ({"operation": "Query"}, {"operation": "Query"}),
    ({"operation": TokenType.LLM}, {"operation": "llm"}),
    ({"operation": None}, {"operation": ""}),
    ({"source": "guessed"}, {"input_source": "unknown", "input_tokens": 5}),
    ({"source": None}, {"input_source": "unknown", "input_tokens": 5}),
    ({"ended": "done"}, {"ended": "complete"}),
    ({"input_tokens": "5"}, {"input_tokens": 5}),
    ({"input_tokens": 5.0}, {"input_tokens": 5}),
    ({"input_tokens": 5.5}, {"input_tokens": None, "input_source": "unknown"}),
    ({"input_tokens": float("nan")}, {"input_tokens": None}),
    ({"input_tokens": "many"}, {"input_tokens": None}),
    ({"input_tokens": [5]}, {"input_tokens": None}),
    ({"output_tokens": True}, {"output_tokens": None, "input_tokens": 5}),
    ({"cache_read_tokens": -1}, {"cache_read_tokens": None}),
    ({"cache_write_tokens": "x"}, {"cache_write_tokens": None}),
    ({"reasoning_tokens": -1}, {"reasoning_tokens": None}),
    ({"cache_write_1h_tokens": -1}, {"cache_write_1h_tokens": None}),
    ({"input_tokens": -1}, {"input_tokens": None}),
    ({"input_tokens": 2**63}, {"input_tokens": None}),
    ({"input_tokens": -(2**63), "corrects_key": "k"}, {"input_tokens": None, "corrects_key": "k"}),
    ({"calls": -1}, {"calls": 1}),
    ({"calls": True}, {"calls": 1}),
    ({"calls": "many"}, {"calls": 1}),
    ({"tenant_id": 7}, {"tenant_id": "7"}),
    ({"tenant_id": ORG}, {"tenant_id": str(ORG)}),
    ({"tenant_id": None}, {"tenant_id": "block"}),
    ({"provider": None}, {"provider": ""}),
    ({"model": b"x"}, {"request_model": "x"}),
    ({"response_model": 4}, {"response_model": "4"}),
    ({"response_id": 4}, {"response_id": "4"}),
    ({"endpoint": 4}, {"endpoint": "4"}),
    ({"operation_id": ORG}, {"operation_id": str(ORG)}),
    ({"corrects_key": 4}, {"corrects_key": "4"}),
    ({"idempotency_key": ""}, {"key_kind": "automatic"}),
    ({"idempotency_key": 42}, {"key": "42"}),
    ({"idempotency_key": "k", "corrects_key": "k"}, {"corrects_key": "k"}),
    ({"timestamp": 1_790_000_000}, {}),
    ({"timestamp": 1_790_000_000.5}, {}),
    ({"timestamp": NAIVE}, {}),
    ({"timestamp": "2026-01-01"}, {}),
    ({"duration": -1.0}, {"duration_ns": None}),
    ({"duration": float("nan")}, {"duration_ns": None}),
    ({"duration": "1"}, {"duration_ns": None}),
    ({"metadata": ["a"]}, {"metadata": ""}),
    ({"metadata": "{}"}, {"metadata": ""}),
    ({"tenant": "acme"}, {"tenant_id": "block"}),
]


@pytest.mark.parametrize(("wrong", "recorded"), WRONG, ids=lambda given: str(given)[:40])
def test_a_wrong_argument_raises_nothing_and_loses_nothing(
    wrong: dict[str, Any],
    recorded: dict[str, Any],
    tokentrail_usages: Usages,
    internal_errors: dict[str, int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with track_tokens(tenant_id="block"):
        returned = spend(**({"input_tokens": 5} | wrong))
    (usage,) = tokentrail_usages.recorded
    assert usage.key == returned != ""
    assert {name: getattr(usage, name) for name in recorded} == recorded
    if "input_tokens" not in wrong:
        assert usage.input_tokens == 5
    assert abs(usage.ts - time.time_ns()) < 60e9
    assert internal_errors.pop("track_token_usage") >= 1
    assert not internal_errors
    name = next(name for name in wrong if name != "corrects_key" or len(wrong) == 1)
    assert f"track_token_usage: {name}" in caplog.text
    assert str(next(iter(wrong.values()))) not in caplog.text.replace("now is taken", "") or next(iter(wrong.values())) in (
        None,
        True,
        "",
        7,
        4,
        "k",
        "x",
        b"x",
        "5",
    )


@pytest.mark.parametrize("name", inspect.signature(track_token_usage).parameters)
@pytest.mark.parametrize("kind", HOSTILE)
def test_any_value_in_any_place_is_recorded(name: str, kind: str, tokentrail_usages: Usages) -> None:
    value = HOSTILE[kind]()
    returned = spend(**({"input_tokens": 5} | {name: value}))
    (usage,) = tokentrail_usages.recorded
    assert isinstance(returned, str)
    assert usage.key == returned != ""
    if name != "input_tokens":
        assert usage.input_tokens == 5


def test_what_is_missing_is_recorded_without(tokentrail_usages: Usages, internal_errors: dict[str, int]) -> None:
    track_token_usage(input_tokens=5)  # type: ignore[call-arg]
    track_token_usage("llm", "query", input_tokens=6)  # type: ignore[misc, call-arg]
    assert [(usage.input_tokens, usage.provider) for usage in tokentrail_usages] == [(5, ""), (6, "")]
    assert internal_errors["track_token_usage"] >= 2


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
assert "tokentrail.instrumentation.registry" not in sys.modules, "nothing is patched"
assert tokentrail.flush(1)
"""
    said = run_python(program, TOKENTRAIL_DISABLED="true", TOKENTRAIL_JOURNAL_DIR=str(tmp_path / "journal"))
    assert parse_key(said.strip()) is not None
    assert not (tmp_path / "journal").exists()


def test_settings_are_what_they_were() -> None:
    assert current.settings.disabled is False
