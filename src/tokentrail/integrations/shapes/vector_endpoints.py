"""The endpoint of embeddings, which every provider's API has: the same names, and a kind of token of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tokentrail.instrumentation.contract import Endpoint, Reading

__all__ = ["embeddings"]


def embeddings(texts: Callable[[Mapping[str, Any]], Sequence[str]], read: Callable[[Any], Reading | None], *, by_attribute: bool = False) -> Endpoint:
    """Returns the endpoint of embeddings, for requests and answers of a shape."""
    return Endpoint(
        name="embeddings",
        gen_ai_operation="embeddings",
        operation="vector_search",
        texts=texts,
        read=read,
        token_type="embedding",  # noqa: S106 - a kind of token
        by_attribute=by_attribute,
    )
