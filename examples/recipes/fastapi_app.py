"""FastAPI: `uvicorn fastapi_app:app`, then `curl -H 'X-Tenant-ID: acme' localhost:8000/answer?question=why`."""

from collections.abc import AsyncIterator

from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse
from openai import AsyncOpenAI, OpenAI

from tokentrail import OPERATION_CHAT, OPERATION_INTERNAL, OPERATION_QUERY, track_tokens
from tokentrail.web import ASGIMiddleware, header

app = FastAPI()
app.add_middleware(ASGIMiddleware, tenant_id=header("X-Tenant-ID"), operation_id=header("X-Request-ID"))
client, streams = OpenAI(), AsyncOpenAI()


def ask(question: str) -> str:
    completion = client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": question}])
    return completion.choices[0].message.content or ""


@track_tokens(operation=OPERATION_INTERNAL)
def warm_up(question: str) -> None:
    ask(question)


@app.get("/answer")
@track_tokens(operation=OPERATION_QUERY)
def answer(question: str, later: BackgroundTasks) -> dict[str, str]:
    later.add_task(warm_up, question)  # runs after the answer, and is still the tenant's
    return {"answer": ask(question)}


@app.get("/chat")
@track_tokens(operation=OPERATION_CHAT)
async def chat(question: str) -> StreamingResponse:
    async def words() -> AsyncIterator[str]:  # where the reader leaves, Starlette closes an async generator, and no plain one
        messages = [{"role": "user", "content": question}]
        async with await streams.chat.completions.create(model="gpt-4o-mini", messages=messages, stream=True) as chunks:
            async for chunk in chunks:
                yield chunk.choices[0].delta.content or "" if chunk.choices else ""

    return StreamingResponse(words(), media_type="text/plain")
