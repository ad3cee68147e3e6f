"""Recordings, each with the endpoint that reads it: of every integration, of watsonx.ai's documented answers, and of litellm's routes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib import import_module
from typing import Any

from tests.support import watsonx
from tokentrail.instrumentation.contract import Endpoint, Integration
from tokentrail.integrations.ibm_watsonx_ai import PATHS as PATHS_OF_WATSONX
from tokentrail.integrations.litellm import API
from tokentrail.integrations.transports.litellm import Route
from tokentrail.testing import Recording, read_recordings
from tokentrail.testing.conformance.bodies import documents

HOMES = {
    "anthropic": "anthropic",
    "azure_ai": "azure_ai_inference",
    "bedrock": "botocore",
    "cerebras": "cerebras",
    "claude_agent": "claude_agent_sdk",
    "cohere": "cohere",
    "fireworks": "fireworks",
    "google_genai": "google_genai",
    "groq": "openai",
    "huggingface": "huggingface_hub",
    "mistral": "mistralai",
    "ollama": "ollama",
    "openai": "openai",
    "openrouter": "openrouter",
    "replicate": "replicate",
    "together": "together",
    "vertex": "google_genai",
    "voyage": "voyageai",
    "writer": "writer",
    "xai_grpc": "xai_sdk",
}
"""The integrations whose endpoints read the recordings of a provider."""
BY_DICTIONARY = frozenset({"azure_ai", "openrouter", "watsonx"})
"""Providers whose transports give events and answers as dictionaries, also to shapes that read objects with attributes elsewhere."""
NOT_BY_BODY = frozenset({"live"})
"""Endpoints whose recordings are sessions, whose bytes are no body."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A recording, and the endpoint that reads it. `at_hand` reads the body without an SDK; `route`: as litellm's integration reads it, by its bytes."""

    recording: Recording
    endpoint: Endpoint
    at_hand: Endpoint | None = None
    route: Route | None = None

    def __str__(self) -> str:
        return f"{'litellm ' if self.route else ''}{self.recording.id}"


@lru_cache(maxsize=1)
def all_recordings() -> dict[str, Recording]:
    """The shipped recordings and those of watsonx.ai, by id."""
    return {recording.id: recording for recording in (*read_recordings(), *_of_watsonx())}


@lru_cache(maxsize=1024)
def documents_of(name: str) -> list[Any]:
    """The documents of a recording."""
    return documents(all_recordings()[name])


@lru_cache(maxsize=1)
def subjects() -> list[Subject]:
    """Every recording that an endpoint of ours reads."""
    found = []
    for recording in all_recordings().values():
        if recording.provider == "bedrock" and recording.stream != (recording.shape == "eventstream"):
            continue  # an error in place of a stream
        found += _subjects_of(recording)
        if recording.status < 400 and (route := _route_of(recording)) is not None:
            found += [Subject(recording, endpoint, route=route) for endpoint in _endpoints_of_route(route, recording)]
    return found


def _subjects_of(recording: Recording) -> Iterator[Subject]:
    if recording.provider == "watsonx":
        endpoint = PATHS_OF_WATSONX[recording.path.removeprefix("/ml/v1/")]
        yield Subject(recording, endpoint, endpoint)
        return
    constants = vars(import_module(f"tokentrail.integrations.{_home_of(recording)}"))
    integrations = [value for value in constants.values() if isinstance(value, Integration)]
    read = {endpoint.name: endpoint for endpoint in _endpoints_in(constants.values())}
    at_hand = {endpoint.name: endpoint for integration in integrations for endpoint in _endpoints_in(integration.answers.values())}
    if recording.provider == "xai_grpc":
        read = at_hand  # the SDK's own answers are protobufs
    for name in sorted({usage["endpoint"] for usage in recording.expected_usages or ()} & read.keys() - NOT_BY_BODY):
        yield Subject(recording, _chosen(read[name], recording), _chosen(at_hand[name], recording) if name in at_hand else None)


def _chosen(endpoint: Endpoint, recording: Recording) -> Endpoint:
    """The endpoint of the recording's model, where answers under one name are of several kinds."""
    if endpoint.chosen is None:
        return endpoint
    request = recording.request if isinstance(recording.request, dict) else {}
    return endpoint.chosen(str(recording.expected.get("model") or ""), request)


def _home_of(recording: Recording) -> str:
    if recording.provider == "ollama":
        return "ollama" if recording.path.startswith("/api/") else "openai"
    if recording.provider == "azure_ai" and recording.path.startswith("/openai/"):
        return "openai"
    return HOMES[recording.provider]


def _endpoints_in(values: Iterable[Any]) -> Iterator[Endpoint]:
    """The endpoints among values, and inside dictionaries and tuples of endpoints."""
    for value in values:
        if isinstance(value, Endpoint):
            yield value
        elif isinstance(value, (dict, tuple)):
            yield from _endpoints_in(value.values() if isinstance(value, dict) else value)


def _route_of(recording: Recording) -> Route | None:
    """The route of litellm's integration whose path is the end of the recording's."""
    path = recording.path.partition("?")[0]
    path = path.rpartition(":")[2] if ":" in path.rpartition("/")[2] and not path.startswith("/model/") else path
    ends = [key for key in API.paths if path == key or fnmatchcase(path, f"*/{key}")]
    return API.paths[max(ends, key=len)] if ends else None


def _endpoints_of_route(route: Route, recording: Recording) -> Iterator[Endpoint]:
    request = recording.request if isinstance(recording.request, dict) else {}
    endpoint = route.endpoint(recording.path.removeprefix("/model/").partition("/")[0], request)
    if endpoint is not None:
        provider = {"mistral": "mistral_ai"}.get(recording.provider, recording.provider)
        yield API.own.get((provider, endpoint.name), endpoint)


def _of_watsonx() -> Iterator[Recording]:
    asked: dict[str, Any] = {"model_id": "ibm/granite", "input": "lorem", "messages": [{"role": "user", "content": "lorem"}]}
    for path, answer in {
        "text/chat": watsonx.CHAT,
        "text/generation": watsonx.GENERATED,
        "text/embeddings": watsonx.EMBEDDED,
        "text/rerank": watsonx.RANKED,
    }.items():
        yield _recording_of_watsonx(path, asked, json.dumps(answer).encode(), stream=False)
    for path, events in {"text/chat_stream": watsonx.chat_events(), "text/generation_stream": watsonx.generation_events()}.items():
        yield _recording_of_watsonx(path, asked, b"".join(watsonx.events(events)), stream=True)


def _recording_of_watsonx(path: str, asked: dict[str, Any], body: bytes, *, stream: bool) -> Recording:
    return Recording(
        id=f"watsonx-{path.removeprefix('text/')}",
        provider="watsonx",
        endpoint=path,
        method="POST",
        path=f"/ml/v1/{path}",
        request=asked,
        stream=stream,
        status=200,
        headers={},
        shape="sse" if stream else "json",
        body=body,
        expected={},
        expected_totals=None,
        flags={},
    )
