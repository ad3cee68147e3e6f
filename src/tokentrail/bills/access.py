"""A provider's API over HTTPS, with an administrator's key, which appears in no log, no error and no `repr`.

Every request is a GET, so it is repeated where another attempt may succeed, by the policy of `tokentrail.retry`: after timeouts, connection errors,
408, 409, 429 and 5xx, with the pause that the server asks for, and after an answer that ends in the middle. A redirect is not followed: the key is
for one host.
"""

from __future__ import annotations

import http.client
import os
import re
import urllib.request
from collections.abc import Container, Iterable, Mapping, Sequence
from importlib.metadata import version
from types import TracebackType
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import urllib3

from tokentrail.addresses import bare
from tokentrail.bills.errors import BillError, EndsEarlyError
from tokentrail.bills.values import decoded, mapping_of
from tokentrail.journal.deadline import Deadline, pools
from tokentrail.retrying.decorator import retry

__all__ = ["LARGEST_ANSWER", "Access", "Answered", "Patience", "key_of"]

LARGEST_ANSWER: Final = 64 * 2**20
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_WORD: Final = re.compile(r"[a-z][a-z0-9_.]{0,60}")
_PIECE: Final = 2**16


def key_of(variables: Sequence[str], what: str, environment: Mapping[str, str] = os.environ) -> tuple[str, str]:
    """Returns the name and the value of the first variable that is set. Raises `BillError` if none is, or if no header can hold the value."""
    for name in variables:
        if value := environment.get(name, "").strip():
            if not value.isascii() or not value.isprintable() or " " in value:
                raise BillError(f"{name} holds characters that no key has")
            return name, value
    raise BillError(f"{' or '.join(variables)} is not set: a live read needs {what}")


class Answered(Exception):  # noqa: N818 - an answer with a status, of which the caller decides whether it is an error
    """An answer that is no success. `status_code` and `headers` are what the rules of `tokentrail.retry` look at."""

    def __init__(self, status: int, headers: Mapping[str, str], code: str) -> None:
        super().__init__(f"status {status}")
        self.status_code = status
        self.headers = headers
        self.code = code
        """The error's code in the provider's words, if it is a word."""


class _CutShortError(ConnectionError):
    """An answer that ends in the middle."""


class Patience:
    """How long a live read waits: seconds for one answer, attempts of one request, and the seconds after which no attempt begins."""

    __slots__ = ("attempts", "deadline", "first", "seconds")

    def __init__(self, seconds: float = 120.0, attempts: int = 6, deadline: float = 600.0, first: float = 1.0) -> None:
        self.seconds, self.attempts, self.deadline, self.first = seconds, attempts, deadline, first


class Access:
    """Requests to one API, one after another. `variable` is the environment variable that holds the key, for sentences."""

    __slots__ = ("_deadline", "_fetch", "_headers", "_pool", "_url", "_variable")

    def __init__(self, url: str, headers: Mapping[str, str], variable: str, patience: Patience | None = None) -> None:
        """Raises `BillError` for an address to which no key is sent."""
        patience = patience or Patience()
        self._url = url.rstrip("/")
        self._variable = variable
        self._headers = {"accept": "application/json", "user-agent": f"tokentrail/{version('tokentrail')}", **headers}
        parts = urlsplit(self._url)
        if "@" in parts.netloc or parts.scheme not in ("https", "http") or not parts.hostname:
            raise BillError(f"{bare(url)} is no address of an API: write https://host/path")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise BillError(f"{url} is not encrypted: a key is sent over https only")
        self._deadline = Deadline(patience.seconds)
        self._pool = _pool(parts.scheme, parts.hostname, min(patience.seconds, 10.0), patience.seconds)
        self._pool.pool_classes_by_scheme = pools(self._deadline)
        again = retry(attempts=patience.attempts, deadline=patience.deadline, first=patience.first, longest=60.0)
        self._fetch = again(self._attempt)

    def __enter__(self) -> Access:  # noqa: PYI034 - typing.Self is younger than Python 3.10
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pool.clear()
        self._deadline.close()

    def get(self, path: str, query: Iterable[tuple[str, str]] = (), expected: Container[int] = ()) -> Mapping[str, Any]:
        """Returns the answer's object. Raises `Answered` for a status that is expected, and `BillError` for every other one but 200."""
        where = f"{self._url}{path}"
        encoded = urlencode(list(query))
        try:
            body: Any = self._fetch(f"{where}?{encoded}" if encoded else where)
        except Answered as answer:
            if answer.status_code in expected:
                raise
            raise BillError(self._refusal(where, answer)) from None
        except _CutShortError:
            raise BillError(f"{where} answers with JSON that ends in the middle, again and again") from None
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            raise BillError(f"{where} cannot be read: {_cause(error)}") from None
        try:
            return mapping_of(body, "the answer")
        except BillError as error:
            raise BillError(f"{where}: {error}") from None

    def _attempt(self, target: str) -> Any:
        self._deadline.begin()
        response = self._pool.request("GET", target, headers=self._headers, redirect=False, preload_content=False)
        where = target.partition("?")[0]
        body = bytearray()
        while len(body) <= LARGEST_ANSWER and (piece := response.read(_PIECE)):
            body += piece
        if len(body) > LARGEST_ANSWER:
            response.close()  # the rest is not read, and the next request must not read the rest
            raise BillError(f"{where} answers with more than {LARGEST_ANSWER // 2**20} MiB")
        response.release_conn()
        if response.status != http.client.OK:
            raise Answered(response.status, dict(response.headers), _code(bytes(body)))
        try:
            return decoded(bytes(body))
        except EndsEarlyError as error:
            raise _CutShortError(str(error)) from None
        except BillError as error:
            raise BillError(f"{where}: {error}") from None

    def _refusal(self, where: str, answer: Answered) -> str:
        status, code = answer.status_code, f" ({answer.code})" if answer.code else ""
        if status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
            return f"{where} refuses the key in {self._variable} with status {status}{code}: it needs an administrator's key"
        if 300 <= status < 400:  # noqa: PLR2004 - the statuses of redirects
            return f"{where} answers with a redirect, which is not followed with a key"
        if status == http.client.TOO_MANY_REQUESTS:
            return f"{where} limits the rate of requests{code}, and did so until the end of all attempts"
        return f"{where} answers with status {status}{code}"


def _pool(scheme: str, host: str, connect: float, read: float) -> urllib3.PoolManager:
    """Returns a pool of connections, by way of the proxy that the environment names for other hosts than this machine."""
    timeout = urllib3.Timeout(connect=connect, read=read)
    proxy = "" if host in _LOOPBACK or urllib.request.proxy_bypass(host) else urllib.request.getproxies().get(scheme, "")
    if proxy.startswith(("http://", "https://")):
        return urllib3.ProxyManager(proxy, maxsize=1, timeout=timeout, retries=False)
    return urllib3.PoolManager(maxsize=1, timeout=timeout, retries=False)


def _code(body: bytes) -> str:
    """Returns the code of an error: a word, never a sentence, which may repeat the key or a part of it."""
    try:
        error = mapping_of(decoded(body), "the answer").get("error")
    except BillError:
        return ""
    held = error if isinstance(error, Mapping) else {}
    found = next((value for value in (held.get("code"), held.get("type")) if isinstance(value, str)), "")
    return found if _WORD.fullmatch(found) else ""


def _cause(error: Exception) -> str:
    """Returns why there was no answer: the network's reason, without the exceptions around it, whose texts hold the whole address."""
    below = getattr(error, "reason", None)
    innermost: BaseException = below if isinstance(below, BaseException) else error
    while (further := innermost.__cause__ or innermost.__context__) is not None:
        innermost = further
    if isinstance(innermost, TimeoutError) or "timed out" in str(error):
        return "no whole answer came in time"
    strerror = getattr(innermost, "strerror", None) or getattr(innermost, "verify_message", None)
    return str(strerror or type(innermost).__name__)
