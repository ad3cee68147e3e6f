"""xAI's SDK keeps every promise, over gRPC: chats that are sampled, streamed, parsed, deferred and compacted, images and videos."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel

from tokentrail.testing import Recording, read_recordings
from tokentrail.testing.conformance import Case, Conformance

xai_sdk = pytest.importorskip("xai_sdk", reason="make test-apart installs it")

from google.protobuf.json_format import ParseDict  # noqa: E402
from xai_sdk.proto import chat_pb2  # noqa: E402

from tests.support.planted import KEY  # noqa: E402
from tokentrail.testing.conformance.grpc_stage import GrpcStage  # noqa: E402

SHIPPED = {recording.id.removeprefix("xai_grpc-").replace("-by-hand", ""): recording for recording in read_recordings(providers=["xai_grpc"])}
PLAIN, STREAM = SHIPPED["chat-plain"], SHIPPED["chat-stream"]
USAGE = (PLAIN.expected_usages or [{}])[0]
SERVICE = "/xai_api.Chat"
SOON = {"interval": dt.timedelta(milliseconds=1)}


class Word(BaseModel):
    word: str


def like(recording: Recording, name: str, body: Any, **more: Any) -> Recording:
    """A recording of another answer, which expects the same usage but for what `more` says."""
    return replace(recording, id=f"xai_grpc-{name}", body=json.dumps(body).encode(), **more)


def with_text(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(PLAIN.body)
    found["outputs"][0]["message"]["content"] = text
    return found


def error(recording: Recording, name: str, code: int) -> Recording:
    """A recording of an error with this code of gRPC's."""
    failed = {"provider": "xai_grpc", "ended": "error", "input_tokens": None, "output_tokens": None, "stream": recording.stream}
    return replace(
        recording, id=f"xai_grpc-{name}", headers={"grpc-status": str(code), "grpc-message": "lorem"}, status=400, body=b"", expected_usages=[failed]
    )


DEFERRED = like(PLAIN, "chat-deferred", {"status": "DONE", "response": json.loads(PLAIN.body)}, path=f"{SERVICE}/GetDeferredCompletion")
STARTED = like(PLAIN, "chat-started", {"request_id": "d-1"}, path=f"{SERVICE}/StartDeferredCompletion")
PENDING = like(DEFERRED, "chat-pending", {"status": "PENDING"})
IMAGE = like(
    PLAIN,
    "images",
    {"model": "grok-imagine-byhand", "images": [{"url": "https://lorem", "respectModeration": True}], "usage": json.loads(PLAIN.body)["usage"]},
    path="/xai_api.Image/GenerateImage",
    endpoint="images",
    request={"prompt": "lorem ipsum", "model": "grok-imagine"},
    expected_usages=[
        {
            **USAGE,
            "endpoint": "images",
            "gen_ai_operation": "generate_content",
            "operation": "generation",
            "request_model": "grok-imagine",
            "response_model": "grok-imagine-byhand",
            "response_id": "",
        }
    ],
)
VIDEO_ANSWER = {"model": "grok-imagine-byhand", "video": {"url": "https://lorem", "duration": 4}, "usage": json.loads(PLAIN.body)["usage"]}
VIDEO = like(
    IMAGE,
    "videos",
    {"status": "DONE", "response": VIDEO_ANSWER},
    path="/xai_api.Video/GetDeferredVideo",
    endpoint="videos",
    expected_usages=[{**(IMAGE.expected_usages or [{}])[0], "endpoint": "videos"}],
)
FAILED = {"status": "FAILED", "response": {"error": {"code": "lorem", "message": "ipsum"}}}
VIDEO_STARTED = replace(STARTED, path="/xai_api.Video/GenerateVideo")
RECORDINGS = [
    *SHIPPED.values(),
    like(PLAIN, "chat-parsed", with_text('{"word": "lorem"}'), flags={**PLAIN.flags, "parsed": True}),
    DEFERRED,
    like(PLAIN, "chat-stored", json.loads(PLAIN.body), path=f"{SERVICE}/GetStoredCompletion", expected_usages=[]),
    IMAGE,
    error(IMAGE, "images-refused", 3),
    VIDEO,
    replace(error(VIDEO, "videos-failed", 0), body=json.dumps(FAILED).encode(), status=200),
    error(PLAIN, "chat-refused", 8),
    error(STREAM, "chat-stream-refused", 13),
    error(DEFERRED, "chat-deferred-refused", 14),
]
BATCHES = {"GetCompletion": "sample_batch", "GetCompletionChunk": "stream_batch", "GetDeferredCompletion": "defer_batch"}


class TestXai(Conformance):
    integration = "xai-sdk"
    key = KEY
    server = GrpcStage
    recordings = RECORDINGS
    shows_retries = False  # the channel itself tries again, below every function of Python

    def client(self, url: str, case: Case) -> Any:
        policy = {"maxAttempts": case.retries + 1, "initialBackoff": "0.05s", "maxBackoff": "0.05s", "backoffMultiplier": 1}
        tried = {"name": [{}], "retryPolicy": {**policy, "retryableStatusCodes": ["UNAVAILABLE"]}}
        options = [("grpc.service_config", json.dumps({"methodConfig": [tried]}))] if case.retries else [("grpc.enable_retries", 0)]
        kind = xai_sdk.AsyncClient if case.asynchronous else xai_sdk.Client
        return kind(api_key=self.key, api_host=url, timeout=20, channel_options=options)

    def ask(self, client: Any, case: Case) -> Any:
        method, given = case.recording.path.rpartition("/")[2], case.request
        if method == "GenerateImage":
            image = client.image
            return image.sample_batch(given["prompt"], given["model"], 1) if case.style else image.sample(given["prompt"], given["model"])
        if method == "GetDeferredVideo":
            ask = client.video.extend if case.style else client.video.generate
            return ask(given["prompt"], given["model"], **({"video_url": "https://ipsum"} if case.style else {}), **SOON)
        messages = [ParseDict(each, chat_pb2.Message()) for each in given["messages"]]
        chat = client.chat.create(given["model"], messages=messages)
        if case.style == "parse":
            return chat.parse(Word)
        if method == "CompactContext":
            return chat.compact() if case.style else client.chat.compact_context(model=given["model"], messages=messages)
        if method == "GetStoredCompletion":
            return client.chat.get_stored_completion("r-1")
        if case.style == "batch":
            found = getattr(chat, BATCHES[method])(1, **(SOON if method == "GetDeferredCompletion" else {}))
            if not case.stream:
                return found
            return _items(found) if case.asynchronous else list(found)
        if method == "GetDeferredCompletion":
            return chat.defer(**SOON)
        return chat.stream() if case.stream else chat.sample()

    def earlier(self, case: Case) -> Sequence[Recording]:
        if case.recording.path == VIDEO.path:
            return [VIDEO_STARTED, replace(PENDING, path=VIDEO.path)]
        return [STARTED, PENDING] if case.recording.path == DEFERRED.path else []

    def some_cases(self) -> list[Case]:
        """Without videos: a job whose answer has no status, as an empty one, the SDK polls for ten minutes."""
        return [case for case in super().some_cases() if case.recording.path != VIDEO.path]

    def styles_of(self, recording: Recording) -> Sequence[str]:
        method = recording.path.rpartition("/")[2]
        if method == "CompactContext":
            return ("chat",)
        if method == "GenerateImage":
            return ("batch",)
        if method == "GetDeferredVideo":
            return ("extend",)
        return ("batch", *(["parse"] if recording.flags.get("parsed") else [])) if method in BATCHES else ()


async def _items(stream: Any) -> list[Any]:
    return [item async for item in stream]
