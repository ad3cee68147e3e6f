"""Answers a question from a tenant's documents: plans, searches, and streams the answer, with the help of the other three services.

    uvicorn app:app --app-dir examples/services/agent --port 8004

It counts nothing itself, and has no row in the ledger: the services that it calls count what they spend. W3C trace context (OpenTelemetry) makes one
trace of all, W3C baggage (tokentrail, for the hosts named below alone) tells them the tenant and the operation id.
"""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
from fastapi import Depends, FastAPI, Header
from fastapi.responses import StreamingResponse
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from pydantic import BaseModel, Field

import tokentrail
from tokentrail import argument, track_tokens

QUERY = os.environ.get("QUERY_URL", "http://127.0.0.1:8001")
EMBEDDING = os.environ.get("EMBEDDING_URL", "http://127.0.0.1:8002")
INGESTION = os.environ.get("INGESTION_URL", "http://127.0.0.1:8003")

tokentrail.configure(baggage_hosts=[urlsplit(url).netloc for url in (QUERY, EMBEDDING, INGESTION)])
tokentrail.setup_opentelemetry(service_name="agent")
HTTPXClientInstrumentor().instrument()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Spans and metrics that wait are sent at the end."""
    async with httpx.AsyncClient(timeout=120) as app.state.http:
        yield
    await asyncio.to_thread(tokentrail.flush, 5)


app = FastAPI(title="agent", lifespan=lifespan)
FastAPIInstrumentor.instrument_app(app, excluded_urls="/healthz", exclude_spans=["receive", "send"])


class Question(BaseModel):
    """What is asked."""

    question: Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the agent: for whom, and under which id all of its calls stand."""

    tenant: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


def run(x_tenant_id: Annotated[str, Header(min_length=1)], x_request_id: Annotated[str, Header()] = "") -> Run:
    """Say whose run this is: our gateway has checked it."""
    return Run(x_tenant_id, x_request_id) if x_request_id else Run(x_tenant_id)


async def asked(url: str, given: dict[str, Any], headers: dict[str, bytes] | None = None) -> Any:
    """Ask one of our own services; `httpx.HTTPError` where it fails."""
    answer = await app.state.http.post(url, json=given, headers=headers)
    answer.raise_for_status()
    return answer.json()


def event(name: str, data: Any) -> str:
    """Write a server-sent event."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


async def steps(question: str, tenant: str) -> AsyncIterator[str]:
    """Take the steps one by one: the search words, the vector, the passages, the answer."""
    try:
        plan = await asked(f"{QUERY}/query", {"question": f"Which words would you search for to answer this? {question}"})
        yield event("plan", plan["text"])
        vector = (await asked(f"{EMBEDDING}/embeddings", {"text": f"{question} {plan['text']}"}))["vectors"][0]
        found = await asked(f"{INGESTION}/search", {"vector": vector, "limit": 3}, {"X-Tenant-ID": tenant.encode("latin-1")})  # as it came
        yield event("sources", [{name: part[name] for name in ("document", "place", "distance")} for part in found])
        answer = {"question": question, "passages": [part["text"] for part in found]}
        async with app.state.http.stream("POST", f"{QUERY}/chat", json=answer) as words:
            words.raise_for_status()
            async for line in words.aiter_lines():
                yield f"{line}\n"  # the query service's own events: words, `restart`, `done`
    except httpx.HTTPError as error:
        yield event("error", f"a service that is needed fails: {type(error).__name__}")


@app.post("/ask")
@track_tokens(tenant_id=argument("run.tenant"), operation_id=argument("run.id"))
async def ask(asked: Question, run: Annotated[Run, Depends(run)]) -> StreamingResponse:
    """Answer a question, step by step, as server-sent events."""
    return StreamingResponse(steps(asked.question, run.tenant), media_type="text/event-stream", headers={"X-Request-ID": run.id})


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """The service answers."""
    return {"service": "agent", "asks": f"{QUERY} {EMBEDDING} {INGESTION}"}
