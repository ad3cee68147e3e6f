"""The hooks of thread pools and HTTP clients. `instrument()` puts them in place, `uninstrument()` takes them away.

A task of a thread pool runs under the attribution of the caller of `submit`, as a task of asyncio does. Threads are not hooked: a thread that lives
longer than the request in which it was started would count the work of all tenants for one (`carry` is for threads that do not).
"""

from __future__ import annotations

from typing import Any, Final

from tokentrail.attribution import attribution
from tokentrail.frames import passed_over
from tokentrail.instrumentation import patching
from tokentrail.instrumentation.contract import Hook
from tokentrail.propagation.carrier import carry
from tokentrail.propagation.outgoing import through_aiohttp, through_httpcore, through_httpcore_async, through_urllib3
from tokentrail.recording.runtime import internal_error

__all__ = ["follow_requests", "follow_thread_pools", "remove"]


@passed_over
def _submitted(wrapped: Any, _instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Wraps `ThreadPoolExecutor.submit(function, …)`."""
    if attribution.get() is None or not args:
        return wrapped(*args, **kwargs)
    try:
        args = (carry(args[0]), *args[1:])
    except Exception as error:  # a callable whose class cannot be asked: a proxy of Werkzeug's without its request
        internal_error("propagation.hooks", error)
    return wrapped(*args, **kwargs)


_POOLS: Final = (Hook("concurrent.futures.thread", "ThreadPoolExecutor.submit", wraps=_submitted),)
_CLIENTS: Final = (
    *(
        hook
        for package in ("httpcore", "httpcore2")
        for hook in (
            Hook(f"{package}._sync.connection_pool", "ConnectionPool.handle_request", wraps=through_httpcore, optional=True),
            Hook(
                f"{package}._async.connection_pool",
                "AsyncConnectionPool.handle_async_request",
                wraps=through_httpcore_async,
                is_async=True,
                optional=True,
            ),
        )
    ),
    Hook("urllib3.connectionpool", "HTTPConnectionPool.urlopen", wraps=through_urllib3, optional=True),
    Hook("aiohttp.client_reqrep", "ClientRequest.send", wraps=through_aiohttp, is_async=True, optional=True),
)


def follow_thread_pools() -> None:
    """Carries the attribution to the tasks of thread pools."""
    for hook in _POOLS:
        patching.apply(hook)


def follow_requests() -> None:
    """Writes the header of requests to one's own hosts."""
    for hook in _CLIENTS:
        patching.apply(hook)


def remove() -> None:
    """Removes all of these hooks."""
    for hook in (*_POOLS, *_CLIENTS):
        patching.remove(hook)
