"""The vocabulary of a usage: token types, operations, sources, ends, kinds of keys.

Each vocabulary is one enum; the ClickHouse enums (`clickhouse_enum`) and the tables in the docs are generated from the enum.
The numbers are stored: members are only appended, never renumbered.
"""

from __future__ import annotations

from contextlib import suppress
from enum import Enum
from typing import Literal, TypeAlias, TypeVar

__all__ = [
    "OPERATION_BATCH",
    "OPERATION_CHAT",
    "OPERATION_CLASSIFICATION",
    "OPERATION_EXTRACTION",
    "OPERATION_GENERATION",
    "OPERATION_INTERNAL",
    "OPERATION_QUERY",
    "OPERATION_SUMMARIZE",
    "OPERATION_VECTOR_SEARCH",
    "TOKEN_TYPE_EMBEDDING",
    "TOKEN_TYPE_FINE_TUNING",
    "TOKEN_TYPE_LLM",
    "Ended",
    "EndedLike",
    "KeyKind",
    "Operation",
    "OperationLike",
    "Origin",
    "Source",
    "SourceLike",
    "TokenType",
    "TokenTypeLike",
    "clickhouse_enum",
    "parse_ended",
    "parse_operation",
    "parse_source",
    "parse_token_type",
]


class Word(str, Enum):
    """A word of a vocabulary. The value is the wire text; `number` is the number in ClickHouse's enum, where 0 is reserved for `unknown`."""

    def __str__(self) -> str:
        return str(self.value)

    @property
    def number(self) -> int:
        """The member's number in the ClickHouse enum, from 1."""
        return list(type(self)).index(self) + 1


class TokenType(Word):
    """The kind of the tokens."""

    LLM = "llm"
    EMBEDDING = "embedding"
    FINE_TUNING = "fine_tuning"


class Operation(Word):
    """The purpose of the call, in the service's own terms."""

    QUERY = "query"
    CHAT = "chat"
    SUMMARIZE = "summarize"
    VECTOR_SEARCH = "vector_search"
    GENERATION = "generation"
    CLASSIFICATION = "classification"
    EXTRACTION = "extraction"
    BATCH = "batch"
    INTERNAL = "internal"


class Source(Word):
    """The source of a count. The order is the order of trust: a later source replaces an earlier source of the same key."""

    UNKNOWN = "unknown"
    ESTIMATED = "estimated"
    REPORTED = "reported"

    @property
    def number(self) -> int:
        """The rank: 0 unknown, 1 estimated, 2 reported."""
        return list(type(self)).index(self)


class Ended(Word):
    """How a call ended: completely, interrupted (a stream), or with an error."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    ERROR = "error"


class KeyKind(Word):
    """The origin of an idempotency key, which decides the identity of a record (see `tokentrail.idempotency`)."""

    AUTOMATIC = "automatic"
    FOUR_PART = "four_part"
    OPAQUE = "opaque"
    OBJECT = "object"


class Origin(Word):
    """The origin of a record: tokentrail's own record of the call, or a span or an event of another instrumentation (see `tokentrail.bridge`).

    Spans are sampled, and a queue of telemetry drops what does not fit, so bridged records are of lower assurance.
    """

    RECORDED = "recorded"
    BRIDGED = "bridged"


# The same words as literals, for type checkers and editors (a test compares literals and enums). A `str` of unknown value is no literal:
# `Operation(text)` converts such a text, or raises.
TokenTypeLike: TypeAlias = TokenType | Literal["llm", "embedding", "fine_tuning"]
OperationLike: TypeAlias = (
    Operation | Literal["query", "chat", "summarize", "vector_search", "generation", "classification", "extraction", "batch", "internal"]
)
SourceLike: TypeAlias = Source | Literal["unknown", "estimated", "reported"]
EndedLike: TypeAlias = Ended | Literal["complete", "partial", "error"]

TOKEN_TYPE_LLM = TokenType.LLM
TOKEN_TYPE_EMBEDDING = TokenType.EMBEDDING
TOKEN_TYPE_FINE_TUNING = TokenType.FINE_TUNING

OPERATION_QUERY = Operation.QUERY
OPERATION_CHAT = Operation.CHAT
OPERATION_SUMMARIZE = Operation.SUMMARIZE
OPERATION_VECTOR_SEARCH = Operation.VECTOR_SEARCH
OPERATION_GENERATION = Operation.GENERATION
OPERATION_CLASSIFICATION = Operation.CLASSIFICATION
OPERATION_EXTRACTION = Operation.EXTRACTION
OPERATION_BATCH = Operation.BATCH
OPERATION_INTERNAL = Operation.INTERNAL

_W = TypeVar("_W", bound=Word)


_MEANINGS = {"Operation": "an operation", "TokenType": "a token type", "Source": "a source", "Ended": "a way in which a call ends"}


def _parse(kind: type[_W], given: object, prefix: str = "") -> _W:
    if isinstance(given, kind):
        return given
    if isinstance(given, str) and not isinstance(given, Word):  # a member of another vocabulary is a mistake, even with the same text
        name = given[len(prefix) :] if prefix and given.startswith(prefix) else ""
        if name in kind.__members__:
            return kind[name]
        with suppress(ValueError):
            return kind(given)
    allowed = ", ".join(member.value for member in kind)
    raise ValueError(f"{given!r} is not {_MEANINGS[kind.__name__]}: use one of {allowed} (or {kind.__name__}.{next(iter(kind)).name}, …)")


def parse_operation(given: Operation | str) -> Operation:
    """Parses `Operation.QUERY`, `"query"` or `"OPERATION_QUERY"`; otherwise raises `ValueError` with the allowed words."""
    return _parse(Operation, given, "OPERATION_")


def parse_token_type(given: TokenType | str) -> TokenType:
    """Parses `TokenType.LLM`, `"llm"` or `"TOKEN_TYPE_LLM"`; otherwise raises `ValueError` with the allowed words."""
    return _parse(TokenType, given, "TOKEN_TYPE_")


def parse_source(given: Source | str) -> Source:
    """Parses `Source.REPORTED` or `"reported"`; otherwise raises `ValueError` with the allowed words."""
    return _parse(Source, given)


def parse_ended(given: Ended | str) -> Ended:
    """Parses `Ended.COMPLETE` or `"complete"`; otherwise raises `ValueError` with the allowed words."""
    return _parse(Ended, given)


def clickhouse_enum(kind: type[Word]) -> str:
    """Returns the words as a ClickHouse type: `Enum8('unknown' = 0, 'llm' = 1, …)`."""
    pairs = {"unknown": 0} | {member.value: member.number for member in kind}
    return "Enum8(" + ", ".join(f"'{word}' = {number}" for word, number in pairs.items()) + ")"
