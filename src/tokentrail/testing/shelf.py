"""Finds the recording that answers a request: by id, by an equal request, or by the most similar request."""

from __future__ import annotations

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tokentrail.testing.recording import Recording

__all__ = ["Match", "Shelf"]

_IGNORED_QUERY = {"alt", "beta", "key", "stream"}
_STREAM_VERBS = ("streamGenerateContent", "converse-stream", "invoke-with-response-stream", "streamRawPredict")
_MEDIA = ('"image_url"', '"input_image"', '"input_audio"', '"input_file"', '"images"', '"audio"')
_FAILED = 400
_NO_SUCH_MODEL = 404


@dataclass(frozen=True, slots=True)
class Match:
    """The recording that answers a request, and how the recording was found: `id`, `exact` or `loose`."""

    recording: Recording
    how: str


class Shelf:
    """Recordings by request, with a round robin where several recordings answer the same request."""

    def __init__(self, recordings: Iterable[Recording]) -> None:
        self.by_id = {recording.id: recording for recording in recordings}
        self._equal: defaultdict[tuple[object, ...], list[Recording]] = defaultdict(list)
        self._similar: defaultdict[tuple[object, ...], list[Recording]] = defaultdict(list)
        self._turns: Counter[tuple[str, ...]] = Counter()
        self._lock = threading.Lock()
        for recording in self.by_id.values():
            for path in _paths(recording):
                self._equal[recording.provider, recording.method, path, _canonical(recording.request)].append(recording)
                streams = _wants_stream(recording.provider, path, recording.request)
                for each in {path, _bare(path)}:
                    self._similar[recording.provider, recording.method, each, streams].append(recording)

    def find(self, provider: str, method: str, path: str, request: Any, name: str | None = None) -> Match | None:
        """Returns the recording with the id `name`; else the next recording of an equal request; else the next of the most similar requests."""
        if name is not None:
            return Match(self.by_id[name], "id") if name in self.by_id else None
        path = _normal_path(path)
        if equal := self._equal.get((provider, method, path, _canonical(request))):
            return Match(self._next(equal), "exact")
        streams = _wants_stream(provider, path, request)
        similar = self._similar.get((provider, method, path, streams)) or self._similar.get((provider, method, _bare(path), streams))
        if not similar:
            return None
        wanted = _Properties.of(request)
        best = max(map(wanted.fit, similar))
        return Match(self._next([recording for recording in similar if wanted.fit(recording) == best]), "loose")

    def _next(self, recordings: list[Recording]) -> Recording:
        """Returns the next recording, by a round robin among recordings that fit equally well."""
        these = tuple(recording.id for recording in recordings)
        with self._lock:
            turn = self._turns[these]
            self._turns[these] += 1
        return recordings[turn % len(recordings)]

    def restart(self) -> None:
        """Restarts every round robin at its first recording."""
        with self._lock:
            self._turns.clear()


@dataclass(frozen=True, slots=True)
class _Properties:
    """The properties of a request that an answer shows."""

    model: Any
    usage: bool
    tools: bool
    choices: bool
    media: bool
    structured: bool

    @classmethod
    def of(cls, request: Any) -> _Properties:
        """Reads the properties from a request's body."""
        body = request if isinstance(request, dict) else {}
        return cls(
            model=body.get("model"),
            usage=_asks_for_usage(body),
            tools=bool(body.get("tools") or body.get("functions")),
            choices=isinstance(body.get("n"), int) and body["n"] > 1,
            media=any(word in json.dumps(body) for word in _MEDIA),
            structured=bool(body.get("response_format")),
        )

    def fit(self, recording: Recording) -> tuple[object, ...]:
        """Returns how well a recording fits, as a tuple with the most important criterion first.

        The criteria: the recording's error is that this model does not exist; the recording has no error; both requests ask for usage in the stream,
        or neither; the recording states usage; the answer is of the requested kind (text, unless the request has tools, choices, media or a
        structure); the models are equal.
        """
        flags = recording.flags
        body = recording.request if isinstance(recording.request, dict) else {}
        surprises = [
            bool(flags.get("tool_call")) and not self.tools,
            bool(flags.get("multi_choice")) != self.choices,
            bool(flags.get("media")) != self.media,
            bool(flags.get("refusal")) and not self.structured,
            bool(flags.get("incomplete")),
        ]
        return (
            recording.status == _NO_SUCH_MODEL and body.get("model") == self.model,
            recording.status < _FAILED and not flags.get("error"),
            _asks_for_usage(body) == self.usage,
            recording.expected_totals is not None,
            -sum(surprises),
            body.get("model") == self.model,
        )


def _asks_for_usage(body: Mapping[str, Any]) -> bool:
    options = body.get("stream_options")
    return isinstance(options, dict) and bool(options.get("include_usage"))


def _bare(path: str) -> str:
    return path.partition("?")[0]


def _canonical(request: Any) -> str:
    """Returns the request without the fields that SDKs add or leave out by default: nulls, empty lists, `stream: false`, `encoding_format`."""
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
    """Returns the path, and the path below `/v1` where a recorder lost that prefix (seen: Ollama's `/chat/completions`)."""
    path = _normal_path(recording.path)
    return [path, "/v1" + path] if path == "/chat/completions" else [path]


def _wants_stream(provider: str, path: str, request: Any) -> bool:
    body = request if isinstance(request, dict) else {}
    if any(verb in path for verb in _STREAM_VERBS):
        return True
    if "stream" in body:
        return bool(body["stream"])
    return provider == "ollama" and path.startswith(("/api/chat", "/api/generate"))  # Ollama streams by default
