"""Services and workers for the experiment `ends`: each request or task is one call, whose operation id the client has chosen.

`wsgi` and `asgi` are applications for web servers, `app` is a Celery application, `job` a job for RQ, `python -m torture.services METHOD NAME` uses
multiprocessing's pools.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

from celery import Celery

from torture.calls import call

app = Celery("torture", broker=os.environ.get("TORTURE_BROKER", "memory://"))
app.conf.update(task_ignore_result=True, worker_hijack_root_logger=False, broker_connection_retry_on_startup=True)


@app.task  # type: ignore[untyped-decorator]
def task(operation: str) -> None:
    """Is one call."""
    call(operation)


def job(operation: str) -> None:
    """Is one call."""
    call(operation)


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Calls once with the path as the operation id; every third path is a stream."""
    operation = environ["PATH_INFO"].strip("/")
    call(operation, stream=operation.endswith(("0", "3", "6", "9")))
    start_response("200 OK", [("content-type", "text/plain"), ("content-length", "2")])
    return [b"ok"]


async def asgi(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    """Calls once with the path as the operation id, in a thread of the loop."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    operation = scope["path"].strip("/")
    await asyncio.get_running_loop().run_in_executor(None, partial(call, operation, stream=operation.endswith("0")))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def pools(method: str, name: str) -> None:
    """Calls in a process, a pool that is terminated, a pool that is closed, and an executor."""
    context = multiprocessing.get_context(method)
    call(f"{name}-parent-1")
    process = context.Process(target=call, args=(f"{name}-process",))  # type: ignore[attr-defined]
    process.start()
    process.join()
    with context.Pool(2) as terminated:
        terminated.map(call, [f"{name}-terminated-{number}" for number in range(6)])
    with context.Pool(2, maxtasksperchild=1 if method == "fork" else None) as closed:
        closed.map(call, [f"{name}-closed-{number}" for number in range(4)], chunksize=1)
        closed.close()
        closed.join()
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        list(executor.map(call, [f"{name}-executor-{number}" for number in range(6)]))
    call(f"{name}-parent-2")


if __name__ == "__main__":
    pools(*sys.argv[1:])
