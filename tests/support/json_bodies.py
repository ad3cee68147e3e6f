"""The JSON documents inside a recorded exchange: the request, and every chunk of the answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

Leaf = tuple[tuple[str, ...], Any]


def documents(recording: dict[str, Any]) -> list[Any]:
    """The answer's parsed chunks; a plain answer is one."""
    body, shape = recording["response_body"], recording["response_shape"]
    if shape == "json":
        return [json.loads(body)]
    lines = [line.removeprefix("data:").strip() for line in body.splitlines() if shape == "ndjson" or line.startswith("data:")]
    return [json.loads(line) for line in lines if line.startswith("{")]


def lines_without_json(recording: dict[str, Any]) -> list[str]:
    """What a stream has beside its JSON: event names, the end mark, blank lines."""
    if recording["response_shape"] == "json":
        return []
    return [line for line in recording["response_body"].splitlines() if not line.removeprefix("data:").lstrip().startswith("{")]


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Every value that is no object or list, with the keys above it."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, path)
    else:
        yield path, value
