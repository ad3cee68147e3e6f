"""Takes documents, splits them, has the parts embedded, and keeps them in ClickHouse, where they can be searched.

    uvicorn app:app --app-dir examples/services/ingestion --port 8003

It spends nothing itself. The tokens of a part are a statistic of the part; what its embedding costs is counted by the service that pays. Endpoints
are plain functions, which FastAPI runs in threads: the tenant goes along.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any
from urllib.parse import urlsplit

import clickhouse_connect
import httpx
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.responses import JSONResponse
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from pydantic import BaseModel, Field, StringConstraints

import tokentrail
from tokentrail import argument, content_hash, count_tokens, track_tokens

EMBEDDING = os.environ.get("EMBEDDING_URL", "http://127.0.0.1:8002")
CLICKHOUSE = os.environ.get("CLICKHOUSE_DSN", "http://127.0.0.1:8123")
MODEL = os.environ.get("EMBEDDING_MODEL", "text-embedding-3-small")
PART_TOKENS = 200
PARTS_AT_ONCE = 500

tokentrail.configure(baggage_hosts=[urlsplit(EMBEDDING).netloc])  # tenant and operation id go there, and nowhere else
tokentrail.setup_opentelemetry(service_name="ingestion")
HTTPXClientInstrumentor().instrument()

TABLE = """CREATE TABLE IF NOT EXISTS documents.parts (
    tenant_id String, document String, place UInt32, text String, tokens UInt32, vector Array(Float32){index}
) ENGINE = ReplacingMergeTree ORDER BY (tenant_id, document, place)"""
INDEX = ", INDEX nearest vector TYPE vector_similarity('hnsw', 'cosineDistance', {dimensions})"
NEAREST = """SELECT document, place, text, cosineDistance(vector, {vector:Array(Float32)}) AS distance FROM documents.parts
WHERE tenant_id = {tenant:String} ORDER BY distance LIMIT {limit:UInt32}"""


class Store:
    """The parts of all documents. The table is made with the first vector, whose length the index needs to know."""

    def __init__(self) -> None:
        self._client: Client = clickhouse_connect.get_client(dsn=CLICKHOUSE, autogenerate_session_id=False)
        self._making = threading.Lock()
        self.search = "not known before the first document"

    def prepare(self, dimensions: int) -> None:
        """Make the table: with a vector index where ClickHouse has one, else every search compares all parts of the tenant."""
        with self._making:
            if self.search.startswith("not"):
                self._client.command("CREATE DATABASE IF NOT EXISTS documents")
                try:
                    self._client.command(TABLE.format(index=INDEX.format(dimensions=dimensions)))
                except DatabaseError:
                    self._client.command(TABLE.format(index=""))
                made = self._client.command("SELECT count() FROM system.data_skipping_indices WHERE database = 'documents' AND table = 'parts'")
                self.search = "by a vector index" if made else "by comparing all vectors of the tenant"

    def has(self, tenant: str, document: str) -> int:
        """Return the number of parts of a document."""
        if not int(self._client.command("EXISTS TABLE documents.parts")):
            return 0
        question = "SELECT uniqExact(place) FROM documents.parts WHERE tenant_id = {tenant:String} AND document = {document:String}"
        return int(self._client.query(question, {"tenant": tenant, "document": document}).result_rows[0][0])

    def keep(self, rows: list[tuple[Any, ...]]) -> None:
        """Keep parts; a part that is kept again replaces the former."""
        self._client.insert("documents.parts", rows, column_names=["tenant_id", "document", "place", "text", "tokens", "vector"])

    def nearest(self, tenant: str, vector: list[float], limit: int) -> list[dict[str, Any]]:
        """Return the parts that are nearest to a vector."""
        self.prepare(len(vector))
        return list(self._client.query(NEAREST, {"tenant": tenant, "vector": vector, "limit": limit}).named_results())


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Spans and metrics that wait are sent at the end."""
    app.state.store = Store()
    with httpx.Client(base_url=EMBEDDING, timeout=60) as app.state.embedding:
        yield
    await asyncio.to_thread(tokentrail.flush, 5)


app = FastAPI(title="ingestion", lifespan=lifespan)
FastAPIInstrumentor.instrument_app(app, excluded_urls="/healthz", exclude_spans=["receive", "send"])


class Document(BaseModel):
    """A text to keep."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Kept(BaseModel):
    """A document, and its parts as statistics."""

    document: str
    parts: int
    tokens: int
    embedded: bool


class Wanted(BaseModel):
    """A vector whose neighbours are looked for."""

    vector: Annotated[list[float], Field(min_length=1)]
    limit: Annotated[int, Field(ge=1, le=100)] = 5


def tenant(x_tenant_id: Annotated[str, Header(min_length=1)]) -> str:
    """Whose documents these are: our gateway has checked it."""
    return x_tenant_id


Tenant = Annotated[str, Depends(tenant)]


def halves(text: str) -> Iterator[tuple[str, int]]:
    """Halve a sentence that is too long, between words where there are any, and its halves again."""
    tokens = count_tokens(text, model=MODEL)
    if tokens <= PART_TOKENS or len(text) < 2:  # noqa: PLR2004 - one character
        yield text, tokens
    else:
        middle = max(text.rfind(" ", 0, len(text) // 2), 0) or len(text) // 2
        yield from halves(text[:middle].rstrip())
        yield from halves(text[middle:].lstrip())


def parts_of(text: str) -> Iterator[tuple[str, int]]:
    """Split a text between sentences into parts of some 200 tokens, each with its number of tokens."""
    held: list[str] = []
    tokens = 0
    for sentence, more in (short for long in re.split(r"(?<=[.!?])\s+", text) for short in halves(long)):
        if held and tokens + more > PART_TOKENS:
            yield " ".join(held), tokens
            held, tokens = [], 0
        held.append(sentence)
        tokens += more
    yield " ".join(held), tokens


def embedded(parts: list[tuple[str, int]]) -> list[list[float]]:
    """Have some parts embedded; `httpx.HTTPError` where that fails."""
    answer = app.state.embedding.post("/internal/embed", json={"texts": [text for text, _tokens in parts]}, headers={"X-Purpose": "index"})
    vectors: list[list[float]] = answer.raise_for_status().json()["vectors"]
    return vectors


@app.post("/documents")
@track_tokens(tenant_id=argument("tenant"), operation_id=argument("x_request_id"))
def ingest(given: Document, tenant: Tenant, x_request_id: Annotated[str, Header()] = "") -> Kept:  # noqa: ARG001 - read by the decorator
    """Keep a document. The same text again is known by its hash: nothing is embedded, and nobody is paid."""
    document = content_hash(given.text)
    parts = list(parts_of(given.text))
    total = sum(tokens for _text, tokens in parts)
    if app.state.store.has(tenant, document) == len(parts):
        return Kept(document=document, parts=len(parts), tokens=total, embedded=False)
    try:
        vectors = [vector for begin in range(0, len(parts), PARTS_AT_ONCE) for vector in embedded(parts[begin : begin + PARTS_AT_ONCE])]
    except httpx.HTTPError as error:
        raise HTTPException(502, f"the embedding service fails: {type(error).__name__}") from error
    app.state.store.prepare(len(vectors[0]))
    app.state.store.keep([(tenant, document, place, *part, vector) for place, (part, vector) in enumerate(zip(parts, vectors, strict=True))])
    return Kept(document=document, parts=len(parts), tokens=total, embedded=True)


@app.post("/search")
def search(wanted: Wanted, tenant: Tenant) -> list[dict[str, Any]]:
    """Find the parts nearest to a vector, of the tenant's own documents."""
    store: Store = app.state.store
    return store.nearest(tenant, wanted.vector, wanted.limit)


@app.exception_handler(DatabaseError)
def refused(_request: Request, error: Exception) -> JSONResponse:
    """ClickHouse is away, or refuses a vector of another model."""
    if isinstance(error, OperationalError):
        return JSONResponse({"detail": "ClickHouse does not answer"}, 503)
    return JSONResponse({"detail": "ClickHouse refuses the vector: is it of another model?"}, 422)


@app.get("/healthz")
def healthz() -> dict[str, str]:
    """The service answers, and says how it searches."""
    return {"service": "ingestion", "search": app.state.store.search}
