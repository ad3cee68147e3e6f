"""Base URLs that an SDK holds as texts."""

from __future__ import annotations

from functools import lru_cache

from urllib3.util import Url, parse_url

__all__ = ["parsed"]


@lru_cache(64)
def parsed(url: str) -> Url:
    """Returns a URL's parts, the same object for the same text: `server_of` reads each object once."""
    parts = parse_url(url)
    return parts._replace(host=parts.host or "", path=parts.path or "/")
