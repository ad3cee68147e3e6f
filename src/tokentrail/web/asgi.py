"""The middleware of ASGI applications: FastAPI, Starlette, Django, Quart, Litestar."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, Final

from tokentrail.recording.runtime import current, internal_error
from tokentrail.tracking.values import OverBudget
from tokentrail.vocabulary import OperationLike
from tokentrail.web.attributing import Attributing
from tokentrail.web.request import Request

__all__ = ["ASGIMiddleware"]

_ENDS: Final = ("lifespan.shutdown.complete", "lifespan.shutdown.failed")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class ASGIMiddleware(Attributing):
    """Attributes the calls of each HTTP request and websocket, streamed answers and background tasks of the response included.

    The values are texts, or callables of the `Request`: `header`, `bearer_claim`, one's own. A callable that fails is counted and logged, and the
    request goes on without the value. `metadata` is a mapping, also with `header(…)` as values, or a callable. `baggage`: the callers are one's own
    services, and where the source of tenant or operation id has none, the header `baggage` counts. Leave it False for a service that strangers reach:
    the header says what its sender likes. Wrong values raise `TypeError` or `ValueError` when the application is built. Streams that were left are
    recorded before the server hears of the lifespan's end.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        tenant_id: str | Callable[[Request], str | None] | None = None,
        operation: OperationLike | Callable[[Request], OperationLike | None] | None = None,
        operation_id: str | Callable[[Request], str | None] | None = None,
        metadata: Mapping[str, Any] | Callable[[Request], Mapping[str, Any] | None] | None = None,
        budget: str | Sequence[str] | None = None,
        over_budget: OverBudget | None = None,
        baggage: bool = False,
    ) -> None:
        super().__init__(tenant_id, operation, operation_id, metadata, budget, over_budget, baggage=baggage)
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the application under the request's attribution. The lifespan passes."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, _recording(send) if scope["type"] == "lifespan" else send)
            return
        with self.attributed(_request_of(scope)):
            await self.app(scope, receive, send)


def _recording(send: Send) -> Send:
    """Returns a `send` that records what waits before the server hears of the lifespan's end.

    uvicorn ends by the signal that has stopped it, and no exit handler runs: streams that were left would have no record.
    """

    async def send_recorded(message: Any) -> None:
        if message.get("type") in _ENDS:
            await _settled()
        await send(message)

    return send_recorded


async def _settled() -> None:
    try:
        await asyncio.get_running_loop().run_in_executor(None, current.runtime.settle, current.settings.exit_timeout)
    except Exception as error:  # another library than asyncio runs the loop, or no thread can be started any more
        internal_error("the lifespan's end", error)


def _request_of(scope: Scope) -> Request:
    query = scope.get("query_string") or b""  # a text, or None, from some adapters of serverless platforms
    return Request(
        scope.get("method") or "",
        scope.get("path") or "",
        query.decode("latin-1") if isinstance(query, bytes) else str(query),
        lambda: ((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope.get("headers", ())),
        scope,
    )
