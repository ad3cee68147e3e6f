"""A bound on what is held of one answer: a ClickHouse, or what stands in its place, may answer without an end.

Redirects are not followed: a statement, and the rows of an INSERT, are for the one server of the address.
Answers that are streamed are read piece by piece and never held; their rows are bounded where lines are read (`rows.py`). Heads are bounded by
`http.client`: 100 lines of 64 KiB.
"""

from __future__ import annotations

from typing import Any, Final

from urllib3 import HTTPResponse, PoolManager
from urllib3.response import BaseHTTPResponse

from tokentrail.clickhouse.errors import ClickHouseError

__all__ = ["MOST_ANSWER", "bind_pool"]

MOST_ANSWER: Final = 256 << 20
"""Bytes of an answer that is held whole, unpacked."""
_PIECE: Final = 1 << 18
_ENCODINGS: Final = frozenset({"", "identity", "gzip", "deflate"})
"""What urllib3 unpacks piece by piece; the driver would unpack others at once, however large they become."""


class Bounded(HTTPResponse):
    """An answer whose whole body is read only as far as the bound."""

    def read(self, amt: int | None = None, decode_content: bool | None = None, cache_content: bool = False) -> bytes:
        """Reads so many bytes, or all of them within the bound; raises `ClickHouseError` beyond."""
        if amt is not None and amt >= 0:
            return super().read(amt, decode_content, cache_content)
        pieces, size = [], 0
        while piece := super().read(_PIECE, decode_content):
            pieces.append(piece)
            size += len(piece)
            if size > MOST_ANSWER:
                self.close()  # the rest is not read: the connection is of no use any more
                raise ClickHouseError(f"ClickHouse's answer is larger than {MOST_ANSWER >> 20} MiB, and is not read further: ask for less")
        whole = b"".join(pieces)
        if cache_content:
            self._body = whole
        return whole


def bind_pool(pool: PoolManager) -> None:
    """Bounds every answer that comes over a pool, also those that urllib3 or the driver would read at once; refuses redirects."""
    open_url = pool.urlopen

    def urlopen(method: str, url: str, *args: Any, preload_content: bool = True, **more: Any) -> BaseHTTPResponse:
        response = open_url(method, url, *args, preload_content=False, **(more | {"redirect": False}))
        if not isinstance(response, HTTPResponse):
            return response
        response.__class__ = Bounded
        if response.get_redirect_location():
            response.close()
            raise ClickHouseError("ClickHouse's answer is a redirect, which is not followed: write the address that it leads to")
        encoding = response.headers.get("content-encoding", "").strip().lower()
        if encoding not in _ENCODINGS:
            response.close()
            raise ClickHouseError(f"ClickHouse's answer is packed as {encoding[:20]!r}, which nobody asked for")
        if preload_content:
            _ = response.data
        return response

    pool.urlopen = urlopen  # type: ignore[method-assign]
