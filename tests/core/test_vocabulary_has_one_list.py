"""Enums, constants, texts and ClickHouse's numbers follow from one list; the numbers are stored and never change."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable

import pytest

import tokentrail
from tokentrail import vocabulary
from tokentrail.vocabulary import Ended, KeyKind, Operation, Source, TokenType, Word, clickhouse_enum

STORED = {
    Operation: {
        "unknown": 0,
        "query": 1,
        "chat": 2,
        "summarize": 3,
        "vector_search": 4,
        "generation": 5,
        "classification": 6,
        "extraction": 7,
        "batch": 8,
        "internal": 9,
    },
    TokenType: {"unknown": 0, "llm": 1, "embedding": 2, "fine_tuning": 3},
    Source: {"unknown": 0, "estimated": 1, "reported": 2},
    Ended: {"unknown": 0, "complete": 1, "partial": 2, "error": 3},
    KeyKind: {"unknown": 0, "automatic": 1, "four_part": 2, "opaque": 3, "object": 4},
}
PARSERS: list[tuple[type[Word], Callable[..., Word], str]] = [
    (Operation, vocabulary.parse_operation, "OPERATION_"),
    (TokenType, vocabulary.parse_token_type, "TOKEN_TYPE_"),
    (Source, vocabulary.parse_source, ""),
    (Ended, vocabulary.parse_ended, ""),
]


@pytest.mark.parametrize("kind", STORED)
def test_the_stored_numbers_never_change(kind: type[Word]) -> None:
    """Rows that are years old hold these numbers: a word may only be added at the end."""
    pairs = ", ".join(f"'{word}' = {number}" for word, number in STORED[kind].items())
    assert clickhouse_enum(kind) == f"Enum8({pairs})"


@pytest.mark.parametrize(("kind", "parse", "prefix"), PARSERS)
def test_members_texts_and_constants_names_are_taken(kind: type[Word], parse: Callable[..., Word], prefix: str) -> None:
    for member in kind:
        assert parse(member) is member
        assert parse(member.value) is member
        assert parse(str(member)) is member
        if prefix:
            assert parse(f"{prefix}{member.name}") is member
            assert getattr(tokentrail, f"{prefix}{member.name}") is member


@pytest.mark.parametrize(
    "wrong", ["", "Query", "QUERY", "OPERATION_query", "OPERATION_", " query", None, 1, b"query", KeyKind.OPAQUE, "OPERATION_OPERATION_QUERY"]
)
@pytest.mark.parametrize(("kind", "parse", "prefix"), PARSERS)
def test_anything_else_raises_with_all_the_words(kind: type[Word], parse: Callable[..., Word], prefix: str, wrong: object) -> None:
    with pytest.raises(ValueError, match="use one of") as raised:
        parse(wrong)
    sentence = str(raised.value)
    assert repr(wrong) in sentence
    assert all(member.value in sentence for member in kind)


def test_another_vocabularys_word_is_a_mistake_even_where_the_text_fits() -> None:
    class Other(Word):
        CHAT = "chat"

    with pytest.raises(ValueError, match="is not an operation"):
        vocabulary.parse_operation(Other.CHAT)  # type: ignore[arg-type]


def test_a_member_is_its_text_everywhere() -> None:
    word = Operation.VECTOR_SEARCH
    assert (f"{word}", str(word), word == "vector_search", json.dumps(word)) == ("vector_search", "vector_search", True, '"vector_search"')
    assert pickle.loads(pickle.dumps(word)) is word
    assert copy.deepcopy(word) is word
