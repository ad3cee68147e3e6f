"""The JSON documents inside a recorded exchange: the request, and every chunk of the answer."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from botocore.eventstream import EventStreamBuffer

Leaf = tuple[tuple[str, ...], Any]


def documents(recording: dict[str, Any]) -> list[Any]:
    """The answer's parsed chunks; a plain answer is one."""
    body, shape = recording["response_body"], recording["response_shape"]
    if shape == "eventstream":
        return list(_messages(body))
    if shape == "json":
        return [json.loads(body)]
    lines = [line.removeprefix("data:").strip() for line in body.splitlines() if shape == "ndjson" or line.startswith("data:")]
    return [json.loads(line) for line in lines if line.startswith("{")]


def _messages(body: str) -> Iterator[Any]:
    """The payloads of AWS frames, as botocore decodes them; of those with a chunk in base64, the chunk and the padding."""
    buffer = EventStreamBuffer()
    buffer.add_data(base64.b64decode(body))
    for message in buffer:
        payload = json.loads(message.payload)
        yield {"chunk": json.loads(base64.b64decode(payload["bytes"])), "p": payload["p"]} if "bytes" in payload else payload


def lines_without_json(recording: dict[str, Any]) -> list[str]:
    """What a stream has beside its JSON: event names, the end mark, blank lines."""
    if recording["response_shape"] in {"json", "eventstream"}:
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
