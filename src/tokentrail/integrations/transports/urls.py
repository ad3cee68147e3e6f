"""Base URLs that an SDK holds as texts."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from urllib3.util import Url

__all__ = ["parsed_url"]


@lru_cache(64)
def parsed_url(url: str) -> Url:
    """Returns a URL's parts, the same object for the same text: `server_of` reads each object once."""
    from urllib3.util import parse_url  # noqa: PLC0415 - 27 modules, 12 ms of CPU, which a program of openai alone does not need at its start

    parts = parse_url(url)
    return parts._replace(host=parts.host or "", path=parts.path or "/")
