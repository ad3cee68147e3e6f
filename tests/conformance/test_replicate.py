"""Replicate's SDK keeps every promise: predictions that are created, waited for, polled, cancelled, run and streamed.

A prediction is a job. It is a row when an answer shows its end and its tokens; no row tells of a job that was refused, that goes on, or whose model
counts no tokens. A stream shows none either: it is a row when the prediction is asked for after its end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.support.planted import KEY
from tokentrail.testing import Recording, read_recordings
from tokentrail.testing.conformance import Case, Conformance

replicate = pytest.importorskip("replicate", reason="make test-apart installs it")

SHIPPED = {recording.id.removeprefix("replicate-predictions-"): recording for recording in read_recordings(providers=["replicate"])}
STARTING, SUCCEEDED, POLLED = SHIPPED["by-hand-starting"], SHIPPED["by-hand-succeeded"], SHIPPED["by-hand-polled"]
MODEL = "meta/meta-llama-3-8b-instruct"
STREAM_URL = "/v1/streams/lorem"


def like(recording: Recording, name: str, body: Mapping[str, Any], **more: Any) -> Recording:
    return replace(recording, id=f"replicate-{name}", body=json.dumps(body).encode(), **more)


def body_of(recording: Recording, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(recording.body)
    return found | more


def events(*texts: str) -> bytes:
    named = [("output", text) for text in texts] + [("done", "{}")]
    return "".join(f"event: {name}\nid: {number}\ndata: {text}\n\n" for number, (name, text) in enumerate(named)).encode()


STREAMED = replace(
    SHIPPED["6bb26c37fa5a"],
    id="replicate-streamed",
    method="GET",
    path=STREAM_URL,
    status=200,
    headers={"content-type": "text/event-stream"},
    shape="sse",
    body=events("lorem ", "ipsum ", "dolor ", "sit"),
)
TO_STREAM = like(STARTING, "to-stream", body_of(STARTING, urls={"stream": STREAM_URL}))
PROCESSING = like(POLLED, "processing", body_of(STARTING, status="processing"))
SCHEMA = {"components": {"schemas": {"Output": {"type": "array", "x-cog-array-type": "iterator", "items": {"type": "string"}}}}}
VERSION = like(POLLED, "version", {"id": "v1", "created_at": "2026-01-15T10:00:00Z", "cog_version": "0.9", "openapi_schema": SCHEMA})
REFUSED = {"detail": "lorem", "status": 422, "title": "ipsum"}
RECORDINGS = [
    *(replace(recording, stream=False) for recording in SHIPPED.values()),
    STREAMED,
    replace(SUCCEEDED, id="replicate-deployed", path="/v1/deployments/lorem/ipsum/predictions"),
    like(STARTING, "refused", REFUSED, status=422),
    like(POLLED, "polled-refused", REFUSED, status=404, expected_usages=[]),
]
STYLES: dict[str, Sequence[Recording]] = {
    "wait": [STARTING, PROCESSING],
    "run": [STARTING, PROCESSING],
    "run a version": [STARTING, VERSION, PROCESSING],
    "stream and ask": [TO_STREAM, STREAMED],
}
"""Ways to the answer of a prediction that is asked for, with the answers before."""


class TestReplicate(Conformance):
    integration = "replicate"
    key = KEY
    recordings = RECORDINGS

    def client(self, url: str, case: Case) -> Any:
        client = replicate.Client(api_token=self.key, base_url=url)
        client.poll_interval = 0.001
        tries = (client._async_client if case.asynchronous else client._client)._transport
        tries.max_attempts, tries.backoff_factor = case.retries + 1, 0.001
        return client

    def ask(self, client: Any, case: Case) -> Any:
        if case.recording is STREAMED:
            return _async_stream(client) if case.asynchronous and case.style else _stream(client, case)
        if case.style:
            return _in_style_async(client, case.style) if case.asynchronous else _in_style(client, case.style)
        kind, given = "async_" if case.asynchronous else "", case.request
        _, first, *names, last = case.recording.path.strip("/").split("/")
        if first == "predictions" and names:
            return getattr(client.predictions, f"{kind}cancel")(names[0])
        if case.recording.method == "GET":
            return getattr(client.predictions, f"{kind}get")(last)
        if first == "predictions":
            return getattr(client.predictions, f"{kind}create")(version=given["version"], input=given["input"])
        return getattr(getattr(client, first).predictions, f"{kind}create")("/".join(names), **given)

    def earlier(self, case: Case) -> Sequence[Recording]:
        if case.recording is STREAMED:
            return [TO_STREAM]
        return STYLES.get(case.style, ()) if case.recording.method == "GET" else ()

    def styles_of(self, recording: Recording) -> Sequence[str]:
        if recording is STREAMED:
            return ("of the prediction",)
        if recording.path == POLLED.path:
            return tuple(STYLES)
        return ("run",) if recording.id == SUCCEEDED.id else ()

    def private_cases(self) -> Sequence[Case]:
        """Also a prediction that is created: asking for it again needs no text."""
        created = [Case(each, kind == "async") for each in self.all_recordings() if each.id == SUCCEEDED.id for kind in self.kinds]
        return [*self.some_cases(), *created]

    def expected(self, recording: Recording) -> Sequence[Any] | None:
        """The path of a prediction that is created names the model, which the body does not."""
        of_model = recording.path.startswith("/v1/models/")
        return [{**usage, "request_model": MODEL} if of_model else usage for usage in recording.expected_usages or ()]


INPUT = {"prompt": "lorem ipsum"}


def _stream(client: Any, case: Case) -> Any:
    if case.style:
        return list(client.models.predictions.create(MODEL, INPUT, stream=True).stream())
    return client.async_stream(MODEL, input=INPUT) if case.asynchronous else client.stream(MODEL, input=INPUT)


async def _async_stream(client: Any) -> Any:
    made = await client.models.predictions.async_create(MODEL, INPUT, stream=True)
    return [event async for event in made.async_stream()]


def _in_style(client: Any, style: str) -> Any:
    if style == "run":
        return client.run(MODEL, INPUT)
    if style == "run a version":
        return list(client.run(f"{MODEL}:v1", INPUT, wait=False))
    made = client.models.predictions.create(MODEL, INPUT, stream=style == "stream and ask")
    if style == "wait":
        made.wait()
    else:
        list(made.stream())
        made.reload()
    return made


async def _in_style_async(client: Any, style: str) -> Any:
    if style == "run":
        return await client.async_run(MODEL, INPUT)
    if style == "run a version":
        return [output async for output in await client.async_run(f"{MODEL}:v1", INPUT, wait=False)]
    made = await client.models.predictions.async_create(MODEL, INPUT, stream=style == "stream and ask")
    if style == "wait":
        await made.async_wait()
    else:
        [event async for event in made.async_stream()]
        await made.async_reload()
    return made
