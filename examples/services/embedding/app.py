"""Turns texts into vectors: OpenAI's models, or Ollama's, by the setting `EMBEDDING_PROVIDER`.

    EMBEDDING_PROVIDER=ollama uvicorn app:app --app-dir examples/services/embedding --port 8002

Three ways to ask, three operations in the ledger: a user's search, a batch, and what our own services index. A text that was embedded before is
answered from memory: nobody is paid, and nothing is counted.
"""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import httpx
import ollama
import openai
from fastapi import Depends, FastAPI, Header, HTTPException
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor, HTTPXClientInstrumentor
from pydantic import BaseModel, Field

import tokentrail
from tokentrail import (
    OPERATION_BATCH,
    OPERATION_INTERNAL,
    OPERATION_VECTOR_SEARCH,
    RetryBudget,
    Spent,
    argument,
    content_hash,
    count_tokens,
    retry,
    track_tokens,
)
from tokentrail.web import ASGIMiddleware, header

PROVIDER = os.environ.get("EMBEDDING_PROVIDER", "openai")
MODEL = os.environ.get("EMBEDDING_MODEL", {"openai": "text-embedding-3-small", "ollama": "nomic-embed-text"}.get(PROVIDER, ""))
REMEMBERED = 10_000
LONGEST_TEXT = 8191
"""Tokens that the models read."""

Vector = list[float]


patience = retry(attempts=3, deadline=20, budget=RetryBudget())
"""One policy for both providers: where many calls fail, few are tried again. Each attempt is a row of its own."""


@patience
async def with_openai(texts: list[str]) -> list[Vector]:
    """Ask OpenAI, whose key and address are the SDK's own variables."""
    made = await app.state.openai.embeddings.create(model=MODEL, input=texts)
    return [item.embedding for item in made.data]


@patience
async def with_ollama(texts: list[str]) -> list[Vector]:
    """Ask a local Ollama."""
    made = await app.state.ollama.embed(model=MODEL, input=texts)
    return [list(vector) for vector in made.embeddings]


EMBEDDERS = {"openai": with_openai, "ollama": with_ollama}
if PROVIDER not in EMBEDDERS:
    raise SystemExit(f"EMBEDDING_PROVIDER is {PROVIDER!r}: write one of {', '.join(EMBEDDERS)}")

tokentrail.setup_opentelemetry(service_name="embedding")
for sdks in (HTTPXClientInstrumentor, HTTPX2ClientInstrumentor):  # Ollama's client sends with httpx, OpenAI's with httpx2
    sdks().instrument()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Spans and metrics that wait are sent at the end. Usages need nothing: they are in the journal."""
    app.state.remembered = OrderedDict[str, Vector]()
    app.state.ollama = ollama.AsyncClient(timeout=60)
    if PROVIDER == "openai":
        app.state.openai = openai.AsyncOpenAI(timeout=30, max_retries=0)  # `retry` does it
    yield
    await asyncio.to_thread(tokentrail.flush, 5)


app = FastAPI(title="embedding", lifespan=lifespan)
app.add_middleware(ASGIMiddleware, tenant_id=header("X-Tenant-ID"), operation_id=header("X-Request-ID"), baggage=True)
FastAPIInstrumentor.instrument_app(app, excluded_urls="/healthz", exclude_spans=["receive", "send"])


class Text(BaseModel):
    """One text."""

    text: Annotated[str, Field(min_length=1)]


class Texts(BaseModel):
    """Some texts."""

    texts: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=2048)]


class Statistics(BaseModel):
    """What was embedded, and what it took: texts, characters, and the tokens of those that were not remembered."""

    texts: int
    characters: int
    mean_length: float
    remembered: int
    tokens: int
    source: str


class Embedded(BaseModel):
    """Vectors in the order of the texts."""

    model: str
    vectors: list[Vector]
    statistics: Statistics


async def embedded(texts: list[str], spent: Spent) -> Embedded:
    """Embed the texts that are not remembered, and state what they took."""
    memory: OrderedDict[str, Vector] = app.state.remembered
    keys = [content_hash(MODEL, text) for text in texts]
    unknown = {key: text for key, text in zip(keys, texts, strict=True) if key not in memory}
    known = {key: memory[key] for key in keys if key in memory}  # kept here: other requests push texts out meanwhile
    if unknown:
        if any(count_tokens(text, model=MODEL) > LONGEST_TEXT for text in unknown.values()):
            raise HTTPException(413, f"a text has more than {LONGEST_TEXT} tokens")
        try:
            made = dict(zip(unknown, await EMBEDDERS[PROVIDER](list(unknown.values())), strict=True))
        except (openai.APIError, ollama.ResponseError, ConnectionError, httpx.TransportError) as error:
            raise HTTPException(503, f"{PROVIDER} does not answer") from error
        memory.update(made)
        known |= made
    vectors = [known[key] for key in keys]
    while len(memory) > REMEMBERED:
        memory.popitem(last=False)
    characters = sum(map(len, texts))
    statistics = Statistics(
        texts=len(texts),
        characters=characters,
        mean_length=characters / len(texts),
        remembered=len(texts) - len(unknown),
        tokens=spent.input_tokens,
        source=spent.source if spent.calls else "remembered",
    )
    return Embedded(model=MODEL, vectors=vectors, statistics=statistics)


@app.post("/embeddings")
async def embed_one(given: Text) -> Embedded:
    """The vector of a text that somebody searches with."""
    with track_tokens(OPERATION_VECTOR_SEARCH) as spent:
        return await embedded([given.text], spent)


@app.post("/embeddings/batch")
async def embed_batch(given: Texts) -> Embedded:
    """The vectors of many texts."""
    with track_tokens(OPERATION_BATCH) as spent:
        return await embedded(given.texts, spent)


def purpose(x_purpose: Annotated[str, Header()] = "") -> str:
    """Say what our own services embed for; a dependency as any other."""
    return x_purpose


@app.post("/internal/embed")
@track_tokens(operation=OPERATION_INTERNAL, metadata={"purpose": argument("purpose")})
async def embed_internal(given: Texts, purpose: Annotated[str, Depends(purpose)]) -> Embedded:  # noqa: ARG001 - read by the decorator
    """The vectors of what our own services index. `argument` names a parameter, which may as well be injected."""
    with track_tokens() as spent:
        return await embedded(given.texts, spent)


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """The service answers."""
    return {"service": "embedding", "model": f"{MODEL} of {PROVIDER}"}
