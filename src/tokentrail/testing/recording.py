"""A recorded HTTP exchange, and the reader of a folder of recordings (`shelf` finds the recording that answers a request).

The files are written by `scripts/reduce_recordings.py` (a corpus of unreduced recordings has the same form, with more fields).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["SHIPPED", "Recording", "read_recordings"]

SHIPPED = Path(__file__).parent / "recordings"
"""The folder of the reduced recordings in the package."""

_CONTENT_TYPES = {"sse": "text/event-stream", "ndjson": "application/x-ndjson", "eventstream": "application/vnd.amazon.eventstream"}


@dataclass(frozen=True, slots=True, repr=False)
class Recording:
    """One HTTP exchange with a provider.

    `expected` has the provider's counts, with the provider's meaning: `input_tokens`, `output_tokens`, `cached_input_tokens`, `cache_write_tokens`,
    `reasoning_tokens`, `model`; `None` is "not stated in the answer". `expected_totals` has counts that are comparable between providers
    (`input_total` with cache reads and writes, `output_total` with reasoning), and is `None` where the answer has no usage.

    `expected_usages` has the usages that tokentrail records of the exchange, once a caller has read it to its end and before anything is estimated:
    none (a job that goes on, a model that is only loaded) or one. Each has fields of `tokentrail.usage.Usage`: who answered what (`provider`,
    `endpoint`, `gen_ai_operation`, `operation`, `token_type`, `request_model`, `response_model`, `response_id`, `stream`), `key_kind`, `ended`,
    `error_type`, every count, `input_source` and `output_source`. A count that is `None` is not stated; an `error_type` that is `None` is named by
    the SDK (a stream that fails has no HTTP status). `expected_usages` itself is `None` where nobody has stated it, as in a folder of one's own.
    """

    id: str
    provider: str
    endpoint: str
    method: str
    path: str
    request: Any
    stream: bool
    status: int
    headers: Mapping[str, str]
    shape: str
    body: bytes
    expected: Mapping[str, Any]
    expected_totals: Mapping[str, Any] | None
    flags: Mapping[str, Any]
    made_by_hand: bool = False
    expected_usages: Sequence[Mapping[str, Any]] | None = None

    def __repr__(self) -> str:
        return f"<Recording {self.id} {self.method} {self.path} {self.status}{' stream' if self.stream else ''}>"

    @property
    def chunks(self) -> list[bytes]:
        """The body, split where the provider flushed: at server-sent events, lines, or AWS frames. A plain body is one chunk."""
        return list(_chunks(self.body, self.shape))

    @property
    def content_type(self) -> str:
        """The recorded content type, or the usual one of the body's shape where none was recorded."""
        return self.headers.get("content-type") or _CONTENT_TYPES.get(self.shape, "application/json")


def _chunks(body: bytes, shape: str) -> Iterator[bytes]:
    if shape == "sse":
        end = b"\r\n\r\n" if b"\r\n\r\n" in body else b"\n\n"
        *whole, rest = body.split(end)
        yield from (event + end for event in whole)
        if rest:
            yield rest
    elif shape == "ndjson":
        yield from body.splitlines(keepends=True)
    elif shape == "eventstream":
        at = 0
        while at < len(body):  # a frame starts with its own length; a torn last frame is sent unchanged
            size = max(int.from_bytes(body[at : at + 4], "big"), 12)
            yield body[at : at + size]
            at += size
    else:
        yield body


def _recording(given: Mapping[str, Any]) -> Recording:
    text = given["response_body"]
    return Recording(
        id=given["id"],
        provider=given["provider"],
        endpoint=given["endpoint"],
        method=given["method"],
        path=given["path"],
        request=given["request"],
        stream=bool(given["stream"]),
        status=given["status"],
        headers=given["response_headers"],
        shape=given["response_shape"],
        body=base64.b64decode(text) if given["response_encoding"] == "base64" else text.encode(),
        expected=given["expected"],
        expected_totals=given["expected_totals"],
        flags=given["flags"],
        made_by_hand=given.get("made_by_hand", False),
        expected_usages=given.get("expected_usages"),
    )


def read_recordings(folder: str | Path | None = None, *, providers: Iterable[str] | None = None) -> list[Recording]:
    """Reads all recordings below `folder` (default: the package's), in the order of their paths; `providers` selects recordings of these providers.

    Raises `ValueError` with a sentence that names the folder or file if the folder has no recording, or a file is no recording.
    """
    home = SHIPPED if folder is None else Path(folder)
    if not home.is_dir():
        raise ValueError(f"{home}: there is no such folder of recordings")
    found = []
    for path in sorted(home.rglob("*.json")):
        try:
            found.append(_recording(json.loads(path.read_text(encoding="utf-8"))))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: this is no recording ({type(error).__name__}: {error})") from None
    if not found:
        raise ValueError(f"{home}: there is no recording (*.json) in this folder")
    wanted = None if providers is None else set(providers)
    return [recording for recording in found if wanted is None or recording.provider in wanted]
