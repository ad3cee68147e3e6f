"""Headers of the settings, as a request can hold them.

A value may be a secret, and so may be what stands in a name's place: `authorization: Bearer abc==` is read as name and value, cut at the first `=`.
The libraries' own errors repeat what they refuse, so that headers are looked at before; and hpack, the part of HTTP/2 that packs them, logs them at
DEBUG, as they are and packed.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

__all__ = ["header_problem", "unlogged"]

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110, 5.6.2."""
_GRPC_NAME: Final = re.compile(r"[0-9A-Za-z_.-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
_GRPC_VALUE: Final = re.compile(r"[\x20-\x7e]*")


def header_problem(headers: Mapping[str, str], *, grpc: bool) -> str | None:
    """Returns one sentence, without the header's value, if a header cannot be sent over HTTP or gRPC, else `None`."""
    names, values = (_GRPC_NAME, _GRPC_VALUE) if grpc else (_NAME, _VALUE)
    for number, (name, value) in enumerate(headers.items(), 1):
        if not names.fullmatch(name):
            return f"the name of header {number} cannot be sent: write name=value, with no blank and no colon in the name"
        if not values.fullmatch(value):
            return f"the header {name!r} cannot be sent: its value holds a line end or another sign that no header can hold"
    return None


class _OfThread(threading.local):
    is_silent = False


_of_thread: Final = _OfThread()


def _is_logged(_record: logging.LogRecord) -> bool:
    return not _of_thread.is_silent


for _name in ("hpack.hpack", "hpack.table"):
    logging.getLogger(_name).addFilter(_is_logged)


@contextmanager
def unlogged() -> Iterator[None]:
    """Keeps hpack silent in this thread; connections of the application, in other threads, are logged as ever."""
    _of_thread.is_silent = True
    try:
        yield
    finally:
        _of_thread.is_silent = False
