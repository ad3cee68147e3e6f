"""A service of before: it imports its team's `common.tracking`, and calls it as it always did."""

from __future__ import annotations

import asyncio
from enum import Enum

from common.tracking import OPERATION_QUERY, TOKEN_TYPE_LLM, count_tokens, estimate_prompt_tokens, track_token_usage


class Provider(Enum):
    """The team's own enum."""

    GROQ = "groq"


def answer(question: str, tenant: str) -> str:
    """Answers from a model (left out here), and counts as it always did: in order, and with the words of an API."""
    text = f"An answer to {question}"
    track_token_usage(
        TOKEN_TYPE_LLM,
        OPERATION_QUERY,
        tenant,
        Provider.GROQ,
        "llama-3.1-8b-instant",
        prompt_tokens=estimate_prompt_tokens(question, "llama-3.1-8b-instant"),
        completion_tokens=count_tokens(text, model="llama-3.1-8b-instant"),
        source="estimated",
        request_id="r1",
    )
    return text


async def embed(texts: list[str], tenant: str) -> None:
    """Counts an embedding by its total, and awaits the function, which used to write to a database."""
    await track_token_usage("embedding", "VECTOR_SEARCH", tenant, model="text-embedding-3-small", provider="OpenAI", total_tokens=7, batch=len(texts))


if __name__ == "__main__":
    answer("What is a token?", "acme")
    asyncio.run(embed(["one", "two"], "acme"))
