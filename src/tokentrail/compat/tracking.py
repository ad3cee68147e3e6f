"""The names of a hand-made `common.tracking` module: that module becomes one line, and no caller changes.

    from tokentrail.compat.tracking import *                    # common/tracking.py, as a whole

The constants `TOKEN_TYPE_*` and `OPERATION_*`, `track_token_usage()`, `count_tokens()` and `estimate_prompt_tokens()` are here. The functions take
what such modules take: positional arguments, other words for a field (`prompt_tokens`, `tenant`), members of another enum, further keywords, which
become metadata. They never raise: what cannot be read is logged once a minute, and the rest is recorded. New code uses `tokentrail` itself, which is
strict.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from enum import Enum
from functools import partial
from typing import Any, Final

from tokentrail.attribution import attribution
from tokentrail.compat.own_names import DURATIONS, field_of, provider_name
from tokentrail.counting import count_tokens as count
from tokentrail.idempotency import nanoseconds
from tokentrail.recording.runtime import current, internal_error
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
    Ended,
    Operation,
    Source,
    TokenType,
    parse_ended,
    parse_operation,
    parse_source,
    parse_token_type,
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

_COUNTS: Final = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
_TEXTS: Final = ("tenant_id", "provider", "model", "response_id", "operation_id", "endpoint")
_MOST: Final = 10**12
_EPOCH_UNITS: Final = ((1e17, 1), (1e14, 10**3), (1e11, 10**6), (0, 10**9))
"""Numbers from so large are in units of so many nanoseconds: nanoseconds, microseconds, milliseconds, seconds since 1970."""


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


def _call(order: tuple[str, ...], *args: Any, **given: Any) -> Key:
    return _track(order, args, given)


def _track(order: tuple[str, ...], args: tuple[Any, ...], given: Mapping[str, Any]) -> Key:
    try:
        return Key(record_by_hand(**_Read(order, args, given).arguments()))
    except Exception as failure:  # the caller is a service whose answer is due
        internal_error("compat.track_token_usage", failure)
        return Key("")


class _Read:
    """The arguments of one call: fields by their names, and what is left as metadata."""

    def __init__(self, order: tuple[str, ...], args: tuple[Any, ...], given: Mapping[str, Any]) -> None:
        self.fields: dict[str, Any] = {}
        self.strict: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        for at, value in enumerate(args):
            if at < len(order):
                self.fields[order[at]] = value
            else:
                self.metadata[f"argument_{at + 1}"] = value
        for word, value in given.items():
            field = field_of(word)
            if word in _STRICT:
                self.strict[word] = value
            elif field and field not in self.fields:
                self.fields[field] = value * DURATIONS[word] if word in DURATIONS and isinstance(value, (int, float)) else value
            else:
                self.metadata[word] = _plain(value)
        self.take_metadata()

    def take_metadata(self) -> None:
        stated = self.fields.pop("metadata", None)
        if isinstance(stated, Mapping):
            self.metadata = {**stated, **self.metadata}
        elif stated is not None:
            self.metadata["metadata"] = _plain(stated)

    def arguments(self) -> dict[str, Any]:
        """Returns the arguments of `record_by_hand`."""
        token_type = self.word("token_type", parse_token_type, TokenType.LLM.value)
        counts = {name: self.count(name) for name in _COUNTS}
        total = self.count("total_tokens")
        if total is not None:
            self.use_total(counts, total, token_type)
        key = _text(self.fields.pop("idempotency_key", None))
        return {
            "token_type": token_type,
            "operation": self.word("operation", parse_operation, "") or _usual_operation(token_type),
            **{name: self.text(name) for name in _TEXTS},
            **counts,
            "idempotency_key": key or None,
            "timestamp": self.time(),
            "duration": self.duration(),
            **self.kept_strict(),
            "metadata": self.metadata or None,
        }

    def use_total(self, counts: dict[str, int | None], total: int, token_type: str) -> None:
        given, answered = counts["input_tokens"], counts["output_tokens"]
        if given is None and answered is None:
            if token_type == TokenType.LLM.value:
                self.metadata["total_tokens"] = total
            else:
                counts["input_tokens"] = total
        elif given is None or answered is None:
            rest = total - (given or answered or 0)
            if rest >= 0 and not (token_type != TokenType.LLM.value and answered is None):
                counts["input_tokens" if given is None else "output_tokens"] = rest

    def word(self, name: str, parse: Callable[[Any], Any], default: str) -> str:
        """Returns a word of the vocabulary, of a text in any case, or of a member of any enum. What is none is kept."""
        value = self.fields.pop(name, None)
        for candidate in (value, _plain(value), value.name if isinstance(value, Enum) else None):
            for form in (candidate, candidate.lower()) if isinstance(candidate, str) else ():
                with suppress(ValueError):
                    return str(parse(form).value)
        if value is None or (isinstance(value, str) and not value):
            return default
        self.complain(name, "is no word of the vocabulary")
        if default:
            self.metadata[name] = _plain(value)
        return default or _text(value)

    def text(self, name: str) -> str:
        text = _text(self.fields.pop(name, None))
        return provider_name(text) if name == "provider" else text

    def count(self, name: str) -> int | None:
        value = self.fields.pop(name, None)
        if value is None:
            return None
        number = _number(value)
        if number is None or not number.is_integer() or not 0 <= number <= _MOST:
            self.complain(name, "is no number of tokens")
            self.metadata[name] = _plain(value)
            return None
        return int(number)

    def duration(self) -> float | None:
        number = _number(self.fields.pop("duration", None))
        return number if number is not None and 0 <= number < _MOST / 1e3 else None

    def time(self) -> int | None:
        """Returns the time in nanoseconds: of a datetime (without a zone: UTC), of a number of seconds to nanoseconds, of a text."""
        value = self.fields.pop("timestamp", None)
        if value is None:
            return None
        try:
            if isinstance(value, str) and _number(value) is None:
                value = datetime.fromisoformat(value.strip().replace("Z", "+00:00"))
            if isinstance(value, datetime):
                return nanoseconds(value if value.tzinfo else value.replace(tzinfo=timezone.utc))
            number = _number(value)
            unit = next(unit for least, unit in _EPOCH_UNITS if number is not None and number >= least)
            return nanoseconds(value * unit if isinstance(value, int) else round((number or 0) * unit))
        except (ValueError, TypeError, OverflowError, StopIteration):
            self.complain("timestamp", "is no time from 2020 on")
            self.metadata["timestamp"] = _plain(value)
            return None

    def kept_strict(self) -> dict[str, Any]:
        """Returns the keywords that have no other words. One that the strict function would refuse is left out, and kept as metadata."""
        kept: dict[str, Any] = {}
        for name, value in self.strict.items():
            try:
                kept[name] = _STRICT[name](value)
            except (ValueError, TypeError):
                self.complain(name, "cannot be used")
                self.metadata[name] = _plain(value)
        return kept

    def complain(self, name: str, what: str) -> None:
        current.runtime.diagnostics.complain(f"track_token_usage of common.tracking: {name} {what}", about=f"compat.{name}")


def _usual_operation(token_type: str) -> str:
    """Returns the operation of a call that states none: that of the enclosing block, else that of the setting `operations`, else the usual one."""
    block = attribution.get()
    endpoint, usual = _USUAL[token_type]
    return (block.operation if block else "") or current.settings.operations.get(endpoint) or usual.value


_USUAL: Final = {
    TokenType.LLM.value: ("chat", Operation.CHAT),
    TokenType.EMBEDDING.value: ("embeddings", Operation.VECTOR_SEARCH),
    TokenType.FINE_TUNING.value: ("fine_tuning", Operation.INTERNAL),
}


def _plain(value: Any) -> Any:
    """Returns the value of a member of an enum, any other value as it is."""
    return value.value if isinstance(value, Enum) else value


def _number(value: Any) -> float | None:
    """Returns a number of any kind, also a text's or NumPy's; None for what is none, such as True and NaN."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(value)
    except Exception:  # an object of the application's own
        return None
    return number if math.isfinite(number) else None


def _text(value: Any) -> str:
    """Returns the text of any value; of a value that has none, the name of its type."""
    plain = _plain(value)
    try:
        return "" if plain is None else str(plain)
    except Exception:  # same
        return f"<{type(plain).__name__}>"


def _whole(value: Any) -> int:
    number = _number(value)
    if number is None or not number.is_integer() or not 0 <= number <= _MOST:
        raise ValueError
    return int(number)


def _ended(value: Any) -> Ended:
    return parse_ended(_plain(value))


def _source(value: Any) -> Source:
    return parse_source(_text(value).lower())


_STRICT: Final[Mapping[str, Callable[[Any], Any]]] = {
    "source": _source,
    "calls": _whole,
    "ended": _ended,
    "response_model": _text,
    "corrects_key": _text,
    "cache_write_1h_tokens": _whole,
}


def count_tokens(content: Any, model: Any = "", provider: Any = "", **_ignored: Any) -> int:
    """Counts the tokens of a text, of texts or of chat messages, as `tokentrail.count_tokens` does. Never raises: what is no text counts 0 tokens."""
    try:
        if content is None:
            return 0
        return count(content, model=_text(model), provider=provider_name(_text(provider)))
    except Exception as failure:
        internal_error("compat.count_tokens", failure)
        return 0


def estimate_prompt_tokens(content: Any, model: Any = "", provider: Any = "", **ignored: Any) -> int:
    """Counts like `count_tokens`: there is one counter."""
    return count_tokens(content, model, provider, **ignored)
