"""A bound on how many objects a request of OTLP makes: an empty record has two bytes in protobuf, three in JSON, and becomes 130 bytes of memory."""

from __future__ import annotations

import re
from itertools import islice
from typing import Final

__all__ = ["MOST_TINY", "check_density"]

MOST_TINY: Final = 2 << 20
"""Messages of at most eight bytes in protobuf, and objects and lists in JSON; larger ones are few, in a request of 20 MiB."""

# The tag of a length-delimited field (1 to 15, which is all that OTLP has), then a length up to 8; both also spelt longer than they need.
_TINY: Final = re.compile(rb"(?:[\x0a\x12\x1a\x22\x2a\x32\x3a\x42\x4a\x52\x5a\x62\x6a\x72\x7a]|[\x8a\x92\x9a\xa2\xaa\xb2\xba\xc2\xca\xd2\xda\xe2\xea\xf2\xfa]\x80*\x00)(?:[\x00-\x08]|[\x80-\x88]\x80*\x00)")  # fmt: skip  # noqa: E501


def check_density(body: bytes, *, is_json: bool) -> None:
    """Raises OverflowError for a body of too many small messages, before it is parsed; short texts are counted as messages too."""
    if len(body) <= 2 * MOST_TINY:
        return
    packed = body.count(b"{") + body.count(b"[") if is_json else sum(1 for _ in islice(_TINY.finditer(body), MOST_TINY + 1))
    if packed > MOST_TINY:
        raise OverflowError(f"it has more than {MOST_TINY} parts: send smaller batches")
