"""A recorded exchange, and finding the one that answers a request.

The files are those of `scripts/reduce_recordings.py` (a corpus of unreduced exchanges has the same form, with more fields).
"""

from __future__ import annotations

import base64
import json
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

__all__ = ["SHIPPED", "Match", "Recording", "Shelf", "read_recordings"]

SHIPPED = Path(__file__).parent / "recordings"
"""The folder of the reduced recordings that come with tokentrail."""

_IGNORED_QUERY = {"alt", "beta", "key", "stream"}
_STREAM_VERBS = ("streamGenerateContent", "converse-stream", "invoke-with-response-stream", "streamRawPredict")
_CONTENT_TYPES = {"sse": "text/event-stream", "ndjson": "application/x-ndjson", "eventstream": "application/vnd.amazon.eventstream"}


@dataclass(frozen=True, slots=True, repr=False)
class Recording:
    """One HTTP exchange with a provider.

    `expected` has the provider's own counts, in its own meaning: `input_tokens`, `output_tokens`, `cached_input_tokens`, `cache_write_tokens`,
    `reasoning_tokens`, `model`; `None` is "the answer does not state it". `expected_totals` makes them comparable between providers
    (`input_total` with cache reads and writes, `output_total` with reasoning), and is `None` where the answer has no usage.
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

    def __repr__(self) -> str:
        return f"<Recording {self.id} {self.method} {self.path} {self.status}{' stream' if self.stream else ''}>"

    @property
    def chunks(self) -> list[bytes]:
        """The body, cut where the provider flushed: at server-sent events, lines, or AWS frames. A plain body is one chunk."""
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
        while at < len(body):  # a frame begins with its own length; a torn last one is sent as it is
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
    )


def read_recordings(folder: str | Path | None = None, *, providers: Iterable[str] | None = None) -> list[Recording]:
    """Read all recordings below `folder` (default: the shipped ones), in the order of their paths; `providers` keeps only these.

    Raises `ValueError` with a sentence that names the folder or file if there is nothing to read, or something that is no recording.
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


@dataclass(frozen=True, slots=True)
class Match:
    """The recording that answers a request, and how it was found: `id`, `exact` or `loose`."""

    recording: Recording
    how: str


class Shelf:
    """Recordings, and whose turn it is where several answer the same request."""

    def __init__(self, recordings: Iterable[Recording]) -> None:
        self.by_id = {recording.id: recording for recording in recordings}
        self._places: defaultdict[tuple[object, ...], list[Recording]] = defaultdict(list)
        self._turns: Counter[tuple[object, ...]] = Counter()
        self._lock = threading.Lock()
        for recording in self.by_id.values():
            for path in _paths(recording):
                for place in _places_of(recording.provider, recording.method, path, recording.request):
                    self._places[place].append(recording)
        for place, there in self._places.items():
            if place[0] == "loose":  # nobody wants an error by chance: they answer only where there is nothing else
                self._places[place] = [recording for recording in there if recording.status < 400] or there  # noqa: PLR2004

    def find(self, provider: str, method: str, path: str, request: Any, name: str | None = None) -> Match | None:
        """Find the recording that is named; else the next of an equal request; else the next of the most similar one."""
        if name is not None:
            return Match(self.by_id[name], "id") if name in self.by_id else None
        for place in _places_of(provider, method, _normal_path(path), request):
            if there := self._places.get(place):
                with self._lock:
                    turn = self._turns[place]
                    self._turns[place] += 1
                return Match(there[turn % len(there)], str(place[0]))
        return None

    def restart(self) -> None:
        """Start every round robin from its first recording again."""
        with self._lock:
            self._turns.clear()


def _places_of(provider: str, method: str, path: str, request: Any) -> list[tuple[object, ...]]:
    """Where a request is looked up, the most exact place first."""
    body = request if isinstance(request, dict) else {}
    stream, model = _wants_stream(provider, path, body), body.get("model")
    usage = bool((body.get("stream_options") or {}).get("include_usage"))
    bare = path.partition("?")[0]
    return [
        ("exact", provider, method, path, _canonical(request)),
        ("loose", provider, method, path, stream, usage, model),
        ("loose", provider, method, path, stream, model),
        ("loose", provider, method, path, stream, usage),
        ("loose", provider, method, path, stream),
        ("loose", provider, method, bare, stream, "without query"),
    ]


def _canonical(request: Any) -> str:
    """The request without what SDKs add or leave out by default: nulls, empty lists, `stream: false`, `encoding_format`."""
    if isinstance(request, dict):
        request = {
            key: value
            for key, value in request.items()
            if value is not None and value not in ([], {}) and key != "encoding_format" and (key, value) != ("stream", False)
        }
    return json.dumps(request, sort_keys=True, separators=(",", ":"))


def _normal_path(path: str) -> str:
    parts = urlsplit(path)
    query = sorted((key, value) for key, value in parse_qsl(parts.query) if key not in _IGNORED_QUERY)
    plain = "/" + "/".join(step for step in unquote(parts.path).split("/") if step)
    return plain + ("?" + "&".join(f"{key}={value}" for key, value in query) if query else "")


def _paths(recording: Recording) -> list[str]:
    """The path, and the path below `/v1` where a recorder lost that prefix (seen: Ollama's `/chat/completions`)."""
    path = _normal_path(recording.path)
    return [path, "/v1" + path] if path == "/chat/completions" else [path]


def _wants_stream(provider: str, path: str, body: Mapping[str, Any]) -> bool:
    if any(verb in path for verb in _STREAM_VERBS):
        return True
    if "stream" in body:
        return bool(body["stream"])
    return provider == "ollama" and path.startswith(("/api/chat", "/api/generate"))  # Ollama streams unless told not to
