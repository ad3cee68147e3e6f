"""The names of a hand-made `common.tracking` module: that module becomes one line, and no caller changes.

    from tokentrail.compat.tracking import *                    # common/tracking.py, as a whole

The constants `TOKEN_TYPE_*` and `OPERATION_*`, `track_token_usage()`, `count_tokens()` and `estimate_prompt_tokens()` are here. The functions take
what such modules take: positional arguments, other words for a field (`prompt_tokens`, `tenant`), members of another enum, further keywords, which
become metadata. They never raise: what cannot be read is logged once a minute, and the rest is recorded. New code uses `tokentrail` itself, which is
strict.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from functools import partial
from typing import Any, Final

from tokentrail.compat.arguments import arguments_of, text_of
from tokentrail.compat.own_names import field_of, provider_name
from tokentrail.counting import count_tokens as count
from tokentrail.recording.runtime import internal_error
from tokentrail.tracking.decorator import track_tokens
from tokentrail.tracking.manual import record_by_hand
from tokentrail.vocabulary import (
    OPERATION_BATCH,
    OPERATION_CHAT,
    OPERATION_CLASSIFICATION,
    OPERATION_EXTRACTION,
    OPERATION_GENERATION,
    OPERATION_INTERNAL,
    OPERATION_QUERY,
    OPERATION_SUMMARIZE,
    OPERATION_VECTOR_SEARCH,
    TOKEN_TYPE_EMBEDDING,
    TOKEN_TYPE_FINE_TUNING,
    TOKEN_TYPE_LLM,
    Operation,
    TokenType,
)

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
    "Operation",
    "TokenType",
    "count_tokens",
    "estimate_prompt_tokens",
    "in_order",
    "track_token_usage",
    "track_tokens",
]

ORDER: Final = ("token_type", "operation", "tenant_id", "provider", "model", "input_tokens", "output_tokens", "metadata")
"""The fields of positional arguments, unless `in_order` states others."""


class Key(str):
    """An idempotency key, which may be awaited too: a hand-made function is a coroutine function as often as not."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, Key]:
        return self
        yield  # a generator, which waits for nothing


def track_token_usage(*args: Any, **given: Any) -> Key:
    """Records a usage, and returns its idempotency key; the key may be awaited. On return the usage is in the journal. Never raises.

    Positional arguments are `token_type, operation, tenant_id, provider, model, input_tokens, output_tokens, metadata`; see `in_order` for another
    order. Keywords may be any word of `tokentrail.compat.own_names`; `source`, `calls`, `ended` and the other keywords of
    `tokentrail.track_token_usage` mean the same here; all others become metadata.

    Where only `total_tokens` is stated, it is the input of an embedding; of an answer it is kept as metadata, since no half of it is known. A word
    that is no operation is kept as it is; a token type that is none becomes `llm`.
    """
    return _track(ORDER, args, given)


def in_order(*fields: str) -> Callable[..., Key]:
    """Makes a `track_token_usage` whose positional arguments are these fields, in this order.

        track_token_usage = in_order("tenant_id", "operation", "model", "prompt_tokens", "completion_tokens")

    Raises `ValueError` for a field that a usage does not have.
    """
    named = [field_of(field) for field in fields]
    for field, name in zip(fields, named, strict=True):
        if not name:
            raise ValueError(f"{field!r} is no field of a usage: see tokentrail.compat.own_names")
    return partial(_call, tuple(named))


def _call(order: tuple[str, ...], /, *args: Any, **given: Any) -> Key:
    return _track(order, args, given)


def _track(order: tuple[str, ...], args: tuple[Any, ...], given: Mapping[str, Any]) -> Key:
    try:
        return Key(record_by_hand(**arguments_of(order, args, given)))
    except Exception as failure:  # the caller is a service whose answer is due
        internal_error("compat.track_token_usage", failure)
        return Key("")


def count_tokens(content: Any, model: Any = "", provider: Any = "", **_ignored: Any) -> int:
    """Counts the tokens of a text, of texts or of chat messages, as `tokentrail.count_tokens` does. Never raises: what is no text counts 0 tokens."""
    try:
        if content is None:
            return 0
        return count(content, model=text_of(model), provider=provider_name(text_of(provider)))
    except Exception as failure:
        internal_error("compat.count_tokens", failure)
        return 0


def estimate_prompt_tokens(content: Any, model: Any = "", provider: Any = "", **ignored: Any) -> int:
    """Counts like `count_tokens`: there is one counter."""
    return count_tokens(content, model, provider, **ignored)
