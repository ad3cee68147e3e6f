"""Answers questions, as one text or word by word; summarizes, classifies, extracts. `models.py` says who answers.

    uvicorn app:app --app-dir examples/services/query --port 8001

The tenant stands in the header `X-Tenant-ID`, which a gateway sets, or in the baggage of one of our own services.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Header, HTTPException, Request
from fastapi.responses import JSONResponse, StreamingResponse
from models import GROQ_MODEL, OLLAMA_MODEL, Messages, Models, NobodyAnswersError, Restart
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from pydantic import BaseModel, Field, StringConstraints

import tokentrail
from tokentrail import (
    OPERATION_CHAT,
    OPERATION_CLASSIFICATION,
    OPERATION_EXTRACTION,
    OPERATION_QUERY,
    OPERATION_SUMMARIZE,
    BudgetExceeded,
    IdempotencyKeyReused,
    Source,
    Spent,
    argument,
    count_tokens,
    idempotent,
    track_tokens,
)
from tokentrail.web import ASGIMiddleware, header

LONGEST_PROMPT = 100_000

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
"""Nobody is paid for blanks."""

tokentrail.setup_opentelemetry(service_name="query")
tokentrail.use_prices(Path(__file__).with_name("prices.toml"))
HTTPXClientInstrumentor().instrument()  # the SDKs' requests too: each try is a span


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Spans and metrics that wait are sent at the end. Usages need nothing: they are in the journal."""
    async with Models() as app.state.models:
        yield
    await asyncio.to_thread(tokentrail.flush, 5)


app = FastAPI(title="query", lifespan=lifespan)
app.add_middleware(
    ASGIMiddleware, tenant_id=header("X-Tenant-ID"), operation_id=header("X-Request-ID"), baggage=True, budget="query", over_budget="raise"
)
FastAPIInstrumentor.instrument_app(app, excluded_urls="/healthz", exclude_spans=["receive", "send"])


class Question(BaseModel):
    """What is asked, with passages to answer from."""

    question: Words
    passages: list[str] = []


class Text(BaseModel):
    """A text to summarize."""

    text: Words


class Labelled(Text):
    """A text, and the labels of which one fits."""

    labels: Annotated[list[Words], Field(min_length=2)]


class Wanted(Text):
    """A text, and the fields that are looked for in it."""

    fields: Annotated[list[Words], Field(min_length=1)]


class Answer(BaseModel):
    """A text, and what it took: the tokens of both models where both were asked."""

    text: str
    calls: int
    input_tokens: int
    output_tokens: int
    exact: bool
    cost: Decimal | None


def answer(text: str, spent: Spent) -> Answer:
    """State beside a text what the block has spent for it."""
    counts = {name: getattr(spent, name) for name in ("calls", "input_tokens", "output_tokens", "cost")}
    return Answer(text=text, exact=spent.source == Source.REPORTED, **counts)


def conversation(task: str, text: str) -> Messages:
    """Make the messages of one task. A text that is too long is refused before anybody is paid for it."""
    messages: Messages = [{"role": "system", "content": task}, {"role": "user", "content": text}]
    tokens = count_tokens(messages, model=GROQ_MODEL)
    if tokens > LONGEST_PROMPT:
        raise HTTPException(413, f"the text has {tokens} tokens, {LONGEST_PROMPT} are the most")
    return messages


def with_passages(asked: Question) -> Messages:
    """Make the messages of a question."""
    passages = "\n\n".join(asked.passages)
    return conversation("Answer in few words, from the passages if there are any.", f"{passages}\n\n{asked.question}".strip())


@app.post("/query")
@idempotent(key=argument("idempotency_key"), content=argument("asked"))
async def query(asked: Question, idempotency_key: Annotated[str | None, Header()] = None) -> Answer:  # noqa: ARG001 - read by the decorator
    """One answer. A client that asks again under its key gets the same one, and nobody is paid again."""
    with track_tokens(OPERATION_QUERY) as spent:
        return answer(await app.state.models.complete(with_passages(asked)), spent)


@app.post("/chat")
@track_tokens(operation=OPERATION_CHAT)
async def chat(asked: Question) -> StreamingResponse:
    """The words of an answer as server-sent events. What is streamed after the return stays attributed."""

    async def events() -> AsyncIterator[str]:
        try:
            async for word in app.state.models.stream(messages):
                yield "event: restart\ndata: null\n\n" if isinstance(word, Restart) else f"data: {json.dumps(word)}\n\n"
            yield "event: done\ndata: null\n\n"
        except (NobodyAnswersError, BudgetExceeded) as error:
            yield f"event: error\ndata: {json.dumps(type(error).__name__)}\n\n"

    messages = with_passages(asked)
    return StreamingResponse(events(), media_type="text/event-stream")


@app.post("/summarize")
async def summarize(given: Text) -> Answer:
    """A text in two sentences."""
    with track_tokens(OPERATION_SUMMARIZE) as spent:
        return answer(await app.state.models.complete(conversation("Summarize the text in two sentences.", given.text)), spent)


@app.post("/classify")
@track_tokens(operation=OPERATION_CLASSIFICATION)
async def classify(given: Labelled) -> dict[str, str | None]:
    """The label that fits; null where the model names none."""
    task = "Answer with the label that fits the text, and nothing else."
    text = await app.state.models.complete(conversation(task, f"Labels: {', '.join(given.labels)}\n\n{given.text}"))
    named = [label for label in given.labels if label.lower() in text.lower()]
    return {"label": max(named, key=len, default=None)}  # of "art" and "smart art" the longer one


@app.post("/extract")
@track_tokens(operation=OPERATION_EXTRACTION)
async def extract(given: Wanted) -> dict[str, Any]:
    """The fields that the text states, as JSON."""
    task = f"Answer with a JSON object of these fields: {', '.join(given.fields)}."
    try:
        found = json.loads(await app.state.models.complete(conversation(task, given.text), as_json=True))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise HTTPException(502, "the model's answer is no JSON object")
    return {name: found.get(name) for name in given.fields}


REFUSALS = {BudgetExceeded: 429, IdempotencyKeyReused: 422, NobodyAnswersError: 503}


@app.exception_handler(BudgetExceeded)
@app.exception_handler(IdempotencyKeyReused)
@app.exception_handler(NobodyAnswersError)
async def refused(_request: Request, error: Exception) -> JSONResponse:
    """The budget is spent (`tokentrail budgets set`), so nobody was asked; one key has two questions; both attempts are in the ledger as errors."""
    return JSONResponse({"detail": str(error)}, REFUSALS[type(error)])


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """The service answers."""
    return {"service": "query", "models": f"{GROQ_MODEL}, else {OLLAMA_MODEL}"}
