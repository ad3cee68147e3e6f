"""The middleware of ASGI applications: FastAPI, Starlette, Django, Quart, Litestar."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any

from tokentrail.tracking.values import OverBudget
from tokentrail.vocabulary import OperationLike
from tokentrail.web.attributing import Attributing
from tokentrail.web.request import Request

__all__ = ["ASGIMiddleware"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class ASGIMiddleware(Attributing):
    """Attributes the calls of each HTTP request and websocket, streamed answers and background tasks of the response included.

    The values are texts, or callables of the `Request`: `header`, `bearer_claim`, one's own. A callable that fails is counted and logged, and the
    request goes on without the value. `metadata` is a mapping, also with `header(…)` as values, or a callable. `baggage`: the callers are one's own
    services, and where the source of tenant or operation id has none, the header `baggage` counts. Leave it False for a service that strangers reach:
    the header says what its sender likes. Wrong values raise `TypeError` or `ValueError` when the application is built.
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
            await self.app(scope, receive, send)
            return
        with self.attributed(_request_of(scope)):
            await self.app(scope, receive, send)


def _request_of(scope: Scope) -> Request:
    query = scope.get("query_string") or b""  # a text, or None, from some adapters of serverless platforms
    return Request(
        scope.get("method") or "",
        scope.get("path") or "",
        query.decode("latin-1") if isinstance(query, bytes) else str(query),
        lambda: ((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope.get("headers", ())),
        scope,
    )
