"""A request as the sources of an attribution read it, the same for ASGI and WSGI."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import parse_qsl

from tokentrail.tracking.values import Source

__all__ = ["Headers", "Request", "bearer_claim", "header"]

_BEARER: Final = "bearer"


class Headers(Mapping[str, str]):
    """Headers by name, in any case. A header that occurs more than once is one text, with commas (RFC 9110, 5.3)."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, str] = {}
        for name, value in pairs:
            known = self._values.get(name.lower())
            self._values[name.lower()] = value if known is None else f"{known}, {value}"

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class Request:
    """A request: `method` ("" for a websocket), `path`, `query_string`, `headers`, `query`, `cookies`, `native` (the ASGI scope or the WSGI environ).

    Frameworks and authentication that run before the middleware leave what they found in `native`: `request.native["user"]`.
    """

    def __init__(self, method: str, path: str, query_string: str, pairs: Callable[[], Iterable[tuple[str, str]]], native: Any) -> None:
        self.method = method
        self.path = path
        self.query_string = query_string
        self.native = native
        self._pairs = pairs

    @cached_property
    def headers(self) -> Headers:
        """The headers by name, in any case."""
        return Headers(self._pairs())

    @cached_property
    def query(self) -> dict[str, str]:
        """The parameters of the address; of two with one name the last one."""
        return dict(parse_qsl(self.query_string, keep_blank_values=True))

    @cached_property
    def cookies(self) -> dict[str, str]:
        """The cookies; none where the header cannot be read."""
        try:
            return {name: morsel.value for name, morsel in SimpleCookie(self.headers.get("cookie", "")).items()}
        except CookieError:
            return {}

    @property
    def bearer_token(self) -> str:
        """The token of the header `Authorization: Bearer …`; "" without one."""
        scheme, _, token = self.headers.get("authorization", "").strip().partition(" ")
        return token.strip() if scheme.lower() == _BEARER else ""


class _Header(Source):
    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, request: Request) -> str | None:
        return request.headers.get(self._name)


class _Claim(Source):
    __slots__ = ("_decode", "_name")

    def __init__(self, name: str, decode: Callable[[str], Mapping[str, Any]]) -> None:
        self._name, self._decode = name, decode

    def __call__(self, request: Request) -> Any:
        token = request.bearer_token
        if not token:
            return None
        try:
            return self._decode(token).get(self._name)
        except Exception:  # a refused token is no error of tokentrail's, and its text belongs in no log
            return None


def header(name: str) -> Callable[[Request], Any]:
    """Returns a source: the header of this name. A caller can write what it likes there: name a header that your gateway sets, or removes.

    Raises `ValueError` for a text that is no name of a header.
    """
    if not isinstance(name, str) or not name or not name.isascii() or not all(char.isalnum() or char in "!#$%&'*+-.^_`|~" for char in name):
        raise ValueError(f"header is the name of a header, such as X-Tenant-ID, not {name!r}")
    return _Header(name)


def bearer_claim(name: str, *, decode: Callable[[str], Mapping[str, Any]]) -> Callable[[Request], Any]:
    """Returns a source: a claim of the request's bearer token. `decode` verifies the token and returns its claims, or raises.

        bearer_claim("org", decode=lambda token: jwt.decode(token, key, algorithms=["RS256"], audience="api"))

    A request without a token, or whose token `decode` refuses, has no value here; refusing the request is the application's part.
    Raises `TypeError` without a `decode` that can be called: an unverified claim says what its sender likes.
    """
    if not callable(decode):
        raise TypeError("bearer_claim: decode is the function that verifies a token and returns its claims")
    return _Claim(name, decode)
