"""A bound on how many objects a request of OTLP makes: an empty record has two bytes in protobuf, three in JSON, and becomes 130 bytes of memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

__all__ = ["MOST_REPEATED", "MOST_ROWS", "MOST_TINY", "TINY", "check_density", "check_rows"]

MOST_TINY: Final = 2 << 20
"""Messages of at most eight bytes in protobuf, and objects and lists in JSON; larger ones are few, in a request of 20 MiB."""
MOST_ROWS: Final = 200_000
"""Log records, spans or data points of one request: a row takes some 2 KiB of memory while it is made."""
MOST_REPEATED: Final = 512 << 20
"""Bytes of resources, scopes and names of metrics in the rows of one request."""

# The tag of a length-delimited field (1 to 15, which is all that OTLP has), then a length up to 8; both also spelt longer than they need.
TINY: Final = re.compile(rb"(?:[\x0a\x12\x1a\x22\x2a\x32\x3a\x42\x4a\x52\x5a\x62\x6a\x72\x7a]|[\x8a\x92\x9a\xa2\xaa\xb2\xba\xc2\xca\xd2\xda\xe2\xea\xf2\xfa]\x80*\x00)(?:[\x00-\x08]|[\x80-\x88]\x80*\x00)")  # fmt: skip  # noqa: E501

_SMALL: Final = bytes(range(9))
"""The lengths up to 8; a longer spelling of a length ends with a zero byte, too."""


def check_density(body: bytes, *, is_json: bool) -> None:
    """Raises OverflowError for a body of too many small messages, before it is parsed; short texts are counted as messages too."""
    if len(body) <= 2 * MOST_TINY:
        return
    if is_json:
        packed = body.count(b"{") + body.count(b"[")
    else:
        # each such message has one of nine bytes: a look for them takes 2 µs a record, and the search 25 (measured, 8,000 usages in 9.7 MB)
        small = len(body) - len(body.translate(None, _SMALL))
        packed = small if small <= MOST_TINY else sum(1 for _ in islice(TINY.finditer(body), MOST_TINY + 1))
    if packed > MOST_TINY:
        raise OverflowError(f"it has more than {MOST_TINY} parts: send smaller batches")


def check_rows(request: Any) -> None:
    """Raises OverflowError for a request of too many rows, or whose rows repeat too much: each one has its resource, its scope, its metric's name."""
    rows = size = 0
    for repeated, count in _groups(request):
        rows += count
        size += repeated * count
    if rows > MOST_ROWS:
        raise OverflowError(f"it has {rows} rows, more than {MOST_ROWS}: send smaller batches")
    if size > MOST_REPEATED:
        raise OverflowError(f"its rows need more than {MOST_REPEATED >> 20} MiB: send smaller batches")


def _groups(request: Any) -> Iterator[tuple[int, int]]:
    """Yields how many bytes are repeated in each of how many rows."""
    signal = next(name for name in ("logs", "spans", "metrics") if f"resource_{name}" in request.DESCRIPTOR.fields_by_name)
    entries = "log_records" if signal == "logs" else signal
    for resource in getattr(request, f"resource_{signal}"):
        of_resource = resource.resource.ByteSize() + len(resource.schema_url)
        for scope in getattr(resource, f"scope_{signal}"):
            of_scope = of_resource + scope.scope.ByteSize() + len(scope.schema_url)
            if signal != "metrics":
                yield of_scope, len(getattr(scope, entries))
                continue
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                named = len(metric.name) + len(metric.description) + len(metric.unit)
                yield of_scope + named, len(getattr(metric, kind).data_points) if kind else 1
