"""The arguments of one call of a hand-made `track_token_usage`, as arguments of `record_by_hand`. What cannot be read is kept as metadata."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from enum import Enum
from typing import Any, Final

from tokentrail.attribution import attribution
from tokentrail.compat.own_names import field_of, provider_name, unit_of
from tokentrail.compat.own_values import MOST_TOKENS, completed, since_epoch
from tokentrail.idempotency import nanoseconds
from tokentrail.recording.runtime import current
from tokentrail.vocabulary import Ended, Operation, Source, TokenType, parse_ended, parse_operation, parse_source, parse_token_type

__all__ = ["arguments_of", "text_of"]

_COUNTS: Final = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
_TEXTS: Final = ("tenant_id", "provider", "model", "response_id", "operation_id", "endpoint")
_LONGEST_S: Final = 1e9


def arguments_of(order: tuple[str, ...], args: tuple[Any, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the arguments of `record_by_hand`. `order`: the fields of positional arguments."""
    return _Read(order, args, given).arguments()


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
                number = _number(value) if field == "duration" else None
                self.fields[field] = value if number is None else number * unit_of(word)
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
            halves = completed(counts["input_tokens"], counts["output_tokens"], total, token_type)
            counts["input_tokens"], counts["output_tokens"] = halves
            if halves == (None, None):
                self.metadata["total_tokens"] = total
        key = text_of(self.fields.pop("idempotency_key", None))
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
        return default or text_of(value)

    def text(self, name: str) -> str:
        text = text_of(self.fields.pop(name, None))
        return provider_name(text) if name == "provider" else text

    def count(self, name: str) -> int | None:
        value = self.fields.pop(name, None)
        if value is None:
            return None
        with suppress(ValueError):
            number = _whole(value)
            if number >= 0 or "corrects_key" in self.strict:
                return number
        self.complain(name, "is no number of tokens")
        self.metadata[name] = _plain(value)
        return None

    def duration(self) -> float | None:
        number = _number(self.fields.pop("duration", None))
        return number if number is not None and 0 <= number < _LONGEST_S else None

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
            number = value if isinstance(value, int) and not isinstance(value, bool) else _number(value)
            if number is None:
                raise ValueError("no number")  # noqa: TRY301 - the one way out for what is no time
            return nanoseconds(since_epoch(number))
        except (ValueError, TypeError, OverflowError):
            self.complain("timestamp", "is no time from 2020 on")
            self.metadata["timestamp"] = _plain(value)
            return None

    def kept_strict(self) -> dict[str, Any]:
        """Returns the keywords that have no other words. One that the strict function would refuse is left out, and kept as metadata."""
        kept: dict[str, Any] = {}
        for name, value in self.strict.items():
            try:
                kept[name] = _STRICT[name](value)
            except Exception:  # a value of the application's own, which may have no text for an error's sentence
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


def text_of(value: Any) -> str:
    """Returns the text of any value; of a value that has none, the name of its type."""
    plain = _plain(value)
    try:
        return "" if plain is None else str(plain)
    except Exception:  # same
        return f"<{type(plain).__name__}>"


def _whole(value: Any) -> int:
    number = _number(value)
    if number is None or not number.is_integer() or abs(number) > MOST_TOKENS:
        raise ValueError("no whole number within a trillion")
    return int(number)


def _ended(value: Any) -> Ended:
    return parse_ended(_plain(value))


def _source(value: Any) -> Source:
    return parse_source(text_of(value).lower())


_STRICT: Final[Mapping[str, Callable[[Any], Any]]] = {
    "source": _source,
    "calls": _whole,
    "ended": _ended,
    "response_model": text_of,
    "corrects_key": text_of,
    "cache_write_1h_tokens": _whole,
}
