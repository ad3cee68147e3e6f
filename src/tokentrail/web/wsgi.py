"""The middleware of WSGI applications: Flask, Django, Bottle, Pyramid."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tokentrail.attribution import Attribution
from tokentrail.tracking.values import OverBudget
from tokentrail.vocabulary import OperationLike
from tokentrail.web.attributing import Attributing, in_force
from tokentrail.web.request import Request

__all__ = ["WSGIMiddleware"]

WSGIApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class WSGIMiddleware(Attributing):
    """Attributes the calls of each request, those of a body that is made while the server reads it included.

    The values are those of `ASGIMiddleware`.
    """

    def __init__(
        self,
        app: WSGIApp,
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

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Runs the application under the request's attribution.

        A body that is complete (a list) or the server's own file wrapper is passed on as it is: servers look for these.
        """
        with self.attributed(_request_of(environ)) as block:
            body = self.app(environ, start_response)
        wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(body, (list, tuple)) or (isinstance(wrapper, type) and isinstance(body, wrapper)):
            return body
        return _SizedBody(body, block) if hasattr(type(body), "__len__") else _Body(body, block)


class _Body:
    """A body whose parts are made under an attribution."""

    def __init__(self, body: Iterable[bytes], block: Attribution) -> None:
        self._body, self._block = body, block
        self._parts: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with in_force(self._block):
            if self._parts is None:
                self._parts = iter(self._body)
            return next(self._parts)

    def close(self) -> None:
        """Closes the application's body, which may still call a provider."""
        close = getattr(self._body, "close", None)
        if close is not None:
            with in_force(self._block):
                close()


class _SizedBody(_Body):
    """A body that says of how many parts it is made: servers state the length of an answer of one part."""

    def __len__(self) -> int:
        return len(self._body)  # type: ignore[arg-type]


def _request_of(environ: dict[str, Any]) -> Request:
    return Request(
        environ.get("REQUEST_METHOD") or "",
        f"{environ.get('SCRIPT_NAME') or ''}{environ.get('PATH_INFO') or ''}",
        environ.get("QUERY_STRING") or "",
        lambda: ((name[5:].replace("_", "-"), value) for name, value in environ.items() if name.startswith("HTTP_") and isinstance(value, str)),
        environ,
    )
