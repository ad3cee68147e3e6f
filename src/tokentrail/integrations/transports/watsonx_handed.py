"""Clients of httpx that an application hands to IBM's SDK (`APIClient(httpx_client=…, async_httpx_client=…)`, or sets later).

APIClient._get_headers()          runs before each request, also of the asynchronous client, whichever clients are in place by then

Only these clients are followed, and no class of httpx: `send`, by which every method of a client sends, is replaced in the one object. One of the
SDK's own class is none of these.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, Final
from weakref import WeakSet

from tokentrail.instrumentation.around import wrapper_of
from tokentrail.instrumentation.contract import Exchange, Hook
from tokentrail.instrumentation.patching import is_on

__all__ = ["hook_of_handed"]

OWN: Final = "HTTPX"
"""The beginning of the names of the SDK's own classes."""

_followed: WeakSet[Any] = WeakSet()


def hook_of_handed(package: str, opens: Callable[..., Exchange | None]) -> Hook:
    """Returns the hook; `opens` is that of `send`, whose first argument says whether it is awaited."""
    place = Hook(f"{package}.client", "APIClient._get_headers", opens=lambda *_: None, optional=True)
    return Hook(place.module, place.name, opens=partial(_follow_clients, place, opens), optional=True)


def _follow_clients(place: Hook, opens: Callable[..., Exchange | None], owner: Any, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
    held = vars(owner)
    for name, is_async in (("_httpx_client", False), ("_async_httpx_client", True)):
        client = held.get(name)
        if client is not None and not type(client).__name__.startswith(OWN) and client not in _followed:
            _follow(place, opens, client, is_async=is_async)


def _follow(place: Hook, opens: Callable[..., Exchange | None], client: Any, *, is_async: bool) -> None:
    """Replaces `send` of one client; after `uninstrument` the replaced one passes on what it is given."""
    send = client.send
    wrapper = wrapper_of(Hook(type(client).__module__, f"{type(client).__name__}.send", opens=partial(opens, is_async), is_async=is_async))

    @wraps(send)
    def followed(*args: Any, **kwargs: Any) -> Any:
        return wrapper(send, client, args, kwargs) if is_on(place) else send(*args, **kwargs)

    client.send = followed
    _followed.add(client)
