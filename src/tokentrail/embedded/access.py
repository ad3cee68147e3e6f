"""Who is answered by the embedded server: which names and pages, and who knows the password.

Source of what ClickHouse does: HTTPHandler.cpp and exceptionCodeToHTTPStatus.cpp (a wrong password is code 516, AUTHENTICATION_FAILED, and HTTP 403).
The password comes as `X-ClickHouse-User` and `X-ClickHouse-Key`, as HTTP Basic, or as `user` and `password` in the URL; two ways at once are refused,
as by ClickHouse. OTLP's port takes HTTP Basic, and the password as a Bearer token.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import re
import secrets
import threading
from binascii import Error as NotBase64
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final
from urllib.parse import urlsplit

from tokentrail.embedded.errors import AUTHENTICATION_FAILED, EngineError

__all__ = ["Access", "Gate", "TooOften"]

DEFAULT_USER: Final = "default"
MOST_WRONG: Final = 10
"""Different wrong passwords from one address within the window; one that is repeated, by a service that is set up wrongly, is no guess."""
WINDOW_SECONDS: Final = 60.0
MOST_ADDRESSES: Final = 4096
LOOPBACK_NAMES: Final = frozenset({"localhost", "::1", "host.docker.internal", "host.containers.internal"})
_BOTH_WAYS: Final = "Invalid authentication: it is not allowed to use two ways of authentication at once"


@dataclass(frozen=True, slots=True)
class Access:
    """The user and the password that are asked for, "" for none; and names beside this machine's own by which the server is called (`Host`)."""

    user: str = DEFAULT_USER
    password: str = field(default="", repr=False)
    hosts: Collection[str] = ()
    beyond: bool = False
    """Whether the server listens beyond loopback."""


class TooOften(EngineError):  # noqa: N818 - an answer, not an error
    """An address has tried too many passwords: further ones are not looked at before the window's end."""

    def __init__(self) -> None:
        super().__init__(AUTHENTICATION_FAILED, f"Too many wrong passwords: try again in {WINDOW_SECONDS:g} seconds. (AUTHENTICATION_FAILED)")


class Gate:
    """Tells who is let in; safe to use from several threads."""

    def __init__(self, access: Access = Access()) -> None:
        self._access = access
        self._names = frozenset(name.lower().rstrip(".") for name in access.hosts)
        self._salt = secrets.token_bytes(16)
        self._wanted = self._digest(access.user.encode(), access.password.encode())
        self.wrong: OrderedDict[str, tuple[float, set[bytes]]] = OrderedDict()
        """By address: when its window began, and the digests of the wrong passwords since."""
        self._lock = threading.Lock()

    @property
    def asks(self) -> bool:
        """Whether there is a password."""
        return bool(self._access.password)

    def knows(self, exchange: Any, *, for_people: bool = False) -> bool:
        """Whether a request's `Host` and `Origin` are this server's: a foreign web page is told by Origin, or by Host (DNS rebinding).

        `for_people`: a page on which browsers show what is there, to which other pages may lead.
        """
        host, origin = exchange.headers.get("host", ""), exchange.headers.get("origin", "")
        if host and not self._is_own(host, literal=self._access.beyond):
            return False
        if not origin:
            return for_people or not _is_of_a_page(exchange.headers)
        asking = urlsplit(origin).netloc if _can_be_split(origin) else ""
        return self._is_own(asking, literal=False) or (self._access.beyond and bool(host) and asking.lower() == host.lower())

    def _is_own(self, authority: str, *, literal: bool) -> bool:
        name = _name_of(authority)
        if name in LOOPBACK_NAMES or re.fullmatch(r"127\.\d+\.\d+\.\d+", name) or name.rstrip(".") in self._names:
            return True
        return literal and _is_address(name)  # a page that rebinds a name sends the name

    def admit(self, exchange: Any, *, bearer: bool = False) -> None:
        """Raises EngineError with ClickHouse's code unless a request has the password. `bearer`: also takes the password as a Bearer token."""
        if not self.asks:
            return
        address = _network_of(exchange.client)
        given = self._given(exchange, bearer=bearer)
        found = self._digest(*given)
        with self._lock:
            began, wrong = self.wrong.get(address, (0.0, set()))
            if monotonic() - began >= WINDOW_SECONDS:
                began, wrong = monotonic(), set()
            if len(wrong) >= MOST_WRONG and found not in wrong:
                raise TooOften
            if hmac.compare_digest(found, self._wanted):
                return
            if given[1]:  # without a password nothing was guessed
                self._remember(address, began, wrong | {found})
        user = given[0].decode("utf-8", "replace")[:64]
        sentence = f"{user}: Authentication failed: password is incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)"
        raise EngineError(AUTHENTICATION_FAILED, sentence)

    def _remember(self, address: str, began: float, wrong: set[bytes]) -> None:
        self.wrong[address] = began, wrong
        self.wrong.move_to_end(address)
        if len(self.wrong) > MOST_ADDRESSES:
            self.wrong.popitem(last=False)

    def _digest(self, user: bytes, password: bytes) -> bytes:
        """Returns a value of one length: comparing two of them tells nothing of a password's length or beginning."""
        return hmac.digest(self._salt, hashlib.sha256(user).digest() + hashlib.sha256(password).digest(), "sha256")

    def _given(self, exchange: Any, *, bearer: bool) -> tuple[bytes, bytes]:
        """Returns the user and the password of a request, "" where none is given."""
        headers, query = exchange.headers, exchange.query
        in_headers = "x-clickhouse-user" in headers or "x-clickhouse-key" in headers
        kind, _, credentials = headers.get("authorization", "").strip().partition(" ")
        in_url = "user" in query or "password" in query
        if in_headers + bool(kind) + in_url > 1:
            raise EngineError(AUTHENTICATION_FAILED, f"{_BOTH_WAYS}. (AUTHENTICATION_FAILED)")
        usual = self._access.user if bearer else DEFAULT_USER
        if in_headers:
            return headers.get("x-clickhouse-user", usual).encode("latin-1"), headers.get("x-clickhouse-key", "").encode("latin-1")
        if kind.lower() == "basic":
            return _of_basic(credentials.strip())
        if bearer and kind.lower() == "bearer":
            return usual.encode(), credentials.strip().encode("latin-1")
        return query.get("user", usual).encode("utf-8", "replace"), query.get("password", "").encode("utf-8", "replace")


def _is_of_a_page(headers: Mapping[str, str]) -> bool:
    """Whether a browser asks for another page's sake, or may do so: for images, scripts, frames and links it sends no `Origin`.

    `Sec-Fetch-Site` (W3C, Fetch Metadata) is sent to this machine by all browsers since 2023; by http to other machines it is not, so that there
    nothing tells what a person has typed from what a page has asked for.
    """
    site = headers.get("sec-fetch-site", "")
    return site not in ("same-origin", "none") if site else headers.get("user-agent", "").startswith("Mozilla/")


def _of_basic(credentials: str) -> tuple[bytes, bytes]:
    try:
        user, _, password = base64.b64decode(credentials, validate=True).partition(b":")
    except (NotBase64, ValueError):
        raise EngineError(AUTHENTICATION_FAILED, "Invalid authentication: HTTP Basic is not in base64. (AUTHENTICATION_FAILED)") from None
    return user, password


def _can_be_split(origin: str) -> bool:
    try:
        urlsplit(origin)
    except ValueError:
        return False
    return True


def _name_of(authority: str) -> str:
    try:
        return urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _network_of(client: str) -> str:
    """Returns the address whose guesses are counted together: an IPv4 address, or the /64 of an IPv6 address, which one machine may have whole."""
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))
