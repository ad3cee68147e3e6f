"""A service under test: real calls of the openai SDK, a line on standard output for each call that has returned.

python -m tests.support.service MODE NAME CALLS      MODE: run | exit | fork | web
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from collections.abc import AsyncIterator

import openai

from tokentrail import track_tokens

MODEL = "gpt-4"


def print_answer(operation_id: str, usage: openai.types.CompletionUsage) -> None:
    """One write a line: a kill leaves whole lines."""
    os.write(1, f"{operation_id} {usage.prompt_tokens} {usage.completion_tokens}\n".encode())


def call(client: openai.OpenAI, name: str, number: int) -> None:
    operation_id = f"{name}-{os.getpid()}-{number}"
    with track_tokens("query", tenant_id=name, operation_id=operation_id):
        answer = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": f"call {number}"}])
    print_answer(operation_id, answer.usage)


def run(name: str, calls: int) -> None:
    """Calls without an end, or so many."""
    client = openai.OpenAI(max_retries=0)
    for number in itertools.count(1) if calls == 0 else range(1, calls + 1):
        call(client, name, number)


def exit_hard(name: str, calls: int) -> None:
    """No atexit handler runs, no thread is joined."""
    run(name, calls)
    os._exit(0)


def fork(name: str, calls: int) -> None:
    """The parent calls, forks, and both go on; the children end as multiprocessing's do, one is killed."""
    run(name, calls)
    children = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            run(name, calls)
            os._exit(0)
        children.append(pid)
    run(f"{name}-after", calls)
    for pid in children:
        os.waitpid(pid, 0)


def web(name: str, _calls: int) -> None:
    """A web service on uvicorn: streams come through a generator that the framework reads, and SIGTERM ends it as it likes."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, StreamingResponse
    from starlette.routing import Route

    client = openai.AsyncOpenAI(max_retries=0)

    async def plain(request: Request) -> PlainTextResponse:
        operation_id = f"{name}-{request.path_params['number']}"
        async with track_tokens("query", tenant_id=name, operation_id=operation_id):
            answer = await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "x"}])
        print_answer(operation_id, answer.usage)
        return PlainTextResponse("ok")

    @track_tokens("chat", tenant_id=name, operation_id=lambda request: f"{name}-stream-{request.path_params['number']}")
    async def stream(request: Request) -> StreamingResponse:
        async def words() -> AsyncIterator[str]:
            async for chunk in await client.chat.completions.create(model="gpt-5-mini", messages=[{"role": "user", "content": "x"}], stream=True):
                yield chunk.choices[0].delta.content or "" if chunk.choices else ""

        return StreamingResponse(words())

    app = Starlette(routes=[Route("/plain/{number}", plain), Route("/stream/{number}", stream)])
    config = uvicorn.Config(app, host="127.0.0.1", port=int(os.environ["SERVICE_PORT"]), log_level="warning")
    asyncio.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    mode, given_name, given_calls = sys.argv[1:]
    {"run": run, "exit": exit_hard, "fork": fork, "web": web}[mode](given_name, int(given_calls))
