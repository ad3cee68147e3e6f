"""The header `baggage` of HTTP requests to one's own services: those that the setting `baggage_hosts` names.

A request of a provider's SDK gets no member (also one that is no call of a model: the list of models, a file), nor does a request to a host that the
table of providers or the setting `provider_hosts` names, whatever `baggage_hosts` says. The header is written where a single request leaves
(httpcore's pool, urllib3's pool, aiohttp's request): a redirect to another host is another request, and the application's own objects stay as they
are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Final
from urllib.parse import urlsplit

from tokentrail.attribution import attribution
from tokentrail.frames import passed_over
from tokentrail.host_rules import HostRule, own_hosts
from tokentrail.instrumentation.around import under_way
from tokentrail.propagation import baggage
from tokentrail.providers.lookup import is_named
from tokentrail.recording.runtime import current, internal_error

__all__ = ["is_own", "through_aiohttp", "through_httpcore", "through_httpcore_async", "through_urllib3"]

_PORTS: Final = {"http": 80, "https": 443}
_HEADER: Final = baggage.HEADER.encode()
_OF_SDKS: Final = ("x-stainless-", "x-fern-", "x-goog-api-client", "anthropic-version")
"""Beginnings of the headers by which generated SDKs (of Stainless, Fern, Google) name themselves."""
_AGENTS: Final = ("ollama-python/", "mistral-client-python/", "speakeasy-sdk/", "boto3/", "botocore/", "google-genai-sdk/")
"""Beginnings of the user agents of SDKs without such a header."""
_rules: dict[int, tuple[tuple[str, ...], tuple[HostRule, ...]]] = {}


def is_own(host: str, port: int | None, scheme: str) -> bool:
    """Whether requests to a server may carry the attribution: `baggage_hosts` names the server, and it is no provider's."""
    given = current.settings.baggage_hosts
    known = _rules.get(id(given))
    if known is None or known[0] is not given:
        _rules.clear()
        known = _rules[id(given)] = given, own_hosts(given)
    host, usual = host.lower().strip("[]").rstrip("."), _PORTS.get(scheme, 0)
    if not any(rule.matches_host(host, (port or usual,)) for rule in known[1]):
        return False
    return not is_named(host, 0 if port in (None, usual) else port or 0, current.settings.provider_hosts)


def _members(host: str, port: int | None, scheme: str, headers: Iterable[tuple[Any, Any]]) -> str | None:
    """Returns what a request to a server carries; None where the request is left as it is."""
    try:
        if not current.settings.baggage_hosts or current.settings.disabled:
            return None
        if under_way.get() is not None or not is_own(host, port, scheme) or _is_of_an_sdk(headers):
            return ""  # also a redirect of a request that carried members
        return baggage.written(attribution.get())  # "" too: what a stranger stated is no attribution of this process
    except Exception as error:
        internal_error("propagation.outgoing", error)
        return None


def _is_of_an_sdk(headers: Iterable[tuple[Any, Any]]) -> bool:
    for name, value in headers:
        known = _lower(name)
        if known.startswith(_OF_SDKS) or (known == "user-agent" and _lower(value).startswith(_AGENTS)):
            return True
    return False


def _headers(given: Iterable[tuple[bytes, bytes]], members: str) -> list[tuple[bytes, bytes]]:
    former = ",".join(value.decode("latin-1") for name, value in given if name.lower() == _HEADER)
    others = [(name, value) for name, value in given if name.lower() != _HEADER]
    text = baggage.merged(former, members)
    return [*others, (_HEADER, text.encode("latin-1"))] if text else others


def _change_httpcore(request: Any) -> None:
    url = request.url
    members = _members(url.host.decode("ascii"), url.port, url.scheme.decode("ascii"), request.headers)
    if members is not None and (members or any(name.lower() == _HEADER for name, _value in request.headers)):
        request.headers = _headers(request.headers, members)


@passed_over
def through_httpcore(wrapped: Any, _instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Wraps `httpcore.ConnectionPool.handle_request`: httpx sends every request through a pool."""
    try:
        _change_httpcore(args[0] if args else kwargs["request"])
    except Exception as error:
        internal_error("propagation.outgoing", error)
    return wrapped(*args, **kwargs)


@passed_over
async def through_httpcore_async(wrapped: Any, _instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Wraps `httpcore.AsyncConnectionPool.handle_async_request`."""
    try:
        _change_httpcore(args[0] if args else kwargs["request"])
    except Exception as error:
        internal_error("propagation.outgoing", error)
    return await wrapped(*args, **kwargs)


def _changed(headers: Mapping[str, str] | None, members: str) -> MutableMapping[str, str] | None:
    """Returns a copy of the headers with these members; None where nothing changes."""
    names = [name for name in headers or {} if _lower(name) == baggage.HEADER]
    if not members and not names:
        return None
    former = ",".join(_text((headers or {})[name]) for name in names)
    changed: Any = headers.copy() if headers is not None and hasattr(headers, "copy") else dict(headers or {})
    for name in names:
        del changed[name]
    text = baggage.merged(former, members)
    if text:
        changed[baggage.HEADER] = text
    return changed  # type: ignore[no-any-return]


def _lower(name: Any) -> str:
    return _text(name).lower()


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


@passed_over
def through_urllib3(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Wraps `urllib3.HTTPConnectionPool.urlopen(method, url, body, headers)`: requests sends through such a pool, too."""
    try:
        place = 3
        given = args[place] if len(args) > place else kwargs.get("headers")
        headers = instance.headers if given is None else given
        members = _members(*_target(instance, args[1] if len(args) > 1 else kwargs.get("url")), (headers or {}).items())
        if members is not None:
            changed = _changed(headers, members)
            if changed is not None and len(args) > place:
                args = (*args[:place], changed, *args[place + 1 :])
            elif changed is not None:
                kwargs = {**kwargs, "headers": changed}
    except Exception as error:
        internal_error("propagation.outgoing", error)
    return wrapped(*args, **kwargs)


def _target(pool: Any, url: Any) -> tuple[str, int | None, str]:
    """Returns host, port and scheme of a request's server. A pool of a proxy is of the proxy's host; its requests have whole addresses."""
    if isinstance(url, str) and not url.startswith("/") and "://" in url:
        whole = urlsplit(url)
        return whole.hostname or "", whole.port, whole.scheme.lower()
    return pool.host, pool.port, pool.scheme


@passed_over
async def through_aiohttp(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Wraps `ClientRequest.send` of aiohttp, which sends one request of a session's call."""
    try:
        members = _members(instance.url.host or "", instance.url.port, instance.url.scheme, instance.headers.items())
        if members is not None:
            changed = _changed(instance.headers, members)
            if changed is not None:
                instance.headers = changed
    except Exception as error:
        internal_error("propagation.outgoing", error)
    return await wrapped(*args, **kwargs)
