"""Asks for a recording of Amazon Bedrock with botocore and aiobotocore."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import unquote

import aiobotocore.session
import botocore.session
from aiobotocore.config import AioConfig
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.planted import KEY
from tests.support.scripted import ScriptedServer
from tokentrail.testing import Recording

AWS = {"region_name": "us-east-1", "aws_access_key_id": KEY, "aws_secret_access_key": "none"}
ONCE: dict[str, Any] = {"retries": {"total_max_attempts": 1}, "read_timeout": 20}
METHODS = {
    "converse": "converse",
    "converse-stream": "converse_stream",
    "count-tokens": "count_tokens",
    "invoke": "invoke_model",
    "invoke-with-response-stream": "invoke_model_with_response_stream",
}
SESSION = botocore.session.get_session()
AIO_SESSION = aiobotocore.session.get_session()
ERRORS = (ClientError,)
HELLO = [{"role": "user", "content": [{"text": "lorem"}]}]


def client_of(url: str, **config: Any) -> Any:
    """A client of botocore."""
    return SESSION.create_client("bedrock-runtime", endpoint_url=url, config=Config(**(ONCE | config)), **AWS)


def aio_client_of(url: str, **config: Any) -> AbstractAsyncContextManager[Any]:
    """A client of aiobotocore, to be entered."""
    return AIO_SESSION.create_client("bedrock-runtime", endpoint_url=url, config=AioConfig(**(ONCE | config)), **AWS)


def method_of(client: Any, recording: Recording) -> tuple[Callable[..., Any], dict[str, Any]]:
    """The method for the recording's path, and its arguments: the recorded body, or a short text where botocore has types for what is sent."""
    _, _, model, verb = recording.path.split("/")
    given: dict[str, Any] = {"modelId": unquote(model)}
    if verb.startswith("invoke"):
        given["body"] = json.dumps(recording.request or {})
    elif verb == "count-tokens":
        given["input"] = {"converse": {"messages": HELLO}}
    else:
        given["messages"] = HELLO
    return getattr(client, METHODS[verb]), given


def ask(recording: Recording, url: str) -> list[Any]:
    """Call botocore; all it gives: the parsed answer, and the body or every event of the stream."""
    client = client_of(url)
    try:
        method, arguments = method_of(client, recording)
        answer = method(**arguments)
        body = answer.pop("stream", None) or answer.pop("body", None)
        if body is None:
            return [answer]
        return [answer, *body] if recording.stream else [answer, json.loads(body.read())]
    finally:
        client.close()


async def ask_async(recording: Recording, url: str) -> list[Any]:
    """The same with aiobotocore."""
    async with aio_client_of(url) as client:
        method, arguments = method_of(client, recording)
        answer = await method(**arguments)
        body = answer.pop("stream", None) or answer.pop("body", None)
        if body is None:
            return [answer]
        return [answer, *[event async for event in body]] if recording.stream else [answer, json.loads(await body.read())]


def read_body(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer, with the body that its caller reads later."""
    return answer | {"body": answer["body"].read()} if "body" in answer else answer


async def read_body_async(answer: dict[str, Any]) -> dict[str, Any]:
    """The same, awaited."""
    return answer | {"body": await answer["body"].read()} if "body" in answer else answer


def shown(item: Any) -> Any:
    """An answer without what differs between two calls: the time, and what the listener names itself."""
    if isinstance(item, dict) and "ResponseMetadata" in item:
        headers = {name: value for name, value in item["ResponseMetadata"]["HTTPHeaders"].items() if name != "date"}
        return item | {"ResponseMetadata": item["ResponseMetadata"] | {"HTTPHeaders": headers}}
    return item


def naive_counts(items: list[Any]) -> dict[str, int | None]:
    """The counts as a user would read them: from a body or an event, else from the headers."""
    headers = items[0]["ResponseMetadata"]["HTTPHeaders"]
    read = {"input_tokens": headers.get("x-amzn-bedrock-input-token-count"), "output_tokens": headers.get("x-amzn-bedrock-output-token-count")}
    counts = {name: None if count is None else int(count) for name, count in read.items()} | {"cached_input_tokens": None, "reasoning_tokens": None}
    if any("usage" in item for item in items):
        counts |= dict.fromkeys(("input_tokens", "output_tokens"))  # the body states all that its user would look for
    for item in items:
        event = json.loads(item["chunk"]["bytes"]) if "chunk" in item else item
        metrics = event.get("amazon-bedrock-invocationMetrics", {})
        usage = event.get("usage") or event.get("metadata", {}).get("usage") or event.get("message", {}).get("usage") or {}
        stated = {
            "input_tokens": _first(usage, "inputTokens", "input_tokens") or (counts["input_tokens"] or metrics.get("inputTokenCount")),
            "output_tokens": _first(usage, "outputTokens", "output_tokens") or (counts["output_tokens"] or metrics.get("outputTokenCount")),
            "cached_input_tokens": _first(usage, "cacheReadInputTokens", "cacheReadInputTokenCount", "cache_read_input_tokens"),
            "reasoning_tokens": (usage.get("output_tokens_details") or {}).get("thinking_tokens"),
        }
        stated["input_tokens"] = stated["input_tokens"] or event.get("inputTextTokenCount")
        stated["output_tokens"] = stated["output_tokens"] or event.get("totalOutputTextTokenCount")
        counts |= {name: int(count) for name, count in stated.items() if count is not None}
    return counts


def _first(usage: dict[str, Any], *names: str) -> int | None:
    return next((usage[name] for name in names if usage.get(name) is not None), None)


class BedrockServer(ScriptedServer):
    """A scripted server whose answers have these headers."""

    def __init__(self, *answers: Any, **headers: str) -> None:
        super().__init__(*answers)
        self.headers = {f"x-amzn-{name.replace('_', '-')}": value for name, value in headers.items()}

    def _answer(self, request: Any, body: dict[str, Any]) -> None:
        end = request.end_headers

        def end_headers() -> None:
            for name, value in self.headers.items():
                request.send_header(name, value)
            end()

        request.end_headers = end_headers
        super()._answer(request, body)


def message(kind: str, payload: bytes, *, error: str = "") -> bytes:
    """A frame of an event, or of an error."""
    named = {":exception-type": error, ":message-type": "exception"} if error else {":event-type": kind, ":message-type": "event"}
    headers = b"".join(bytes([len(name)]) + name.encode() + b"\x07" + len(value).to_bytes(2, "big") + value.encode() for name, value in named.items())
    prelude = (16 + len(headers) + len(payload)).to_bytes(4, "big") + len(headers).to_bytes(4, "big")
    frame = prelude + zlib.crc32(prelude).to_bytes(4, "big") + headers + payload
    return frame + zlib.crc32(frame).to_bytes(4, "big")


def events(*pairs: tuple[str, dict[str, Any]]) -> list[bytes]:
    """The frames of ConverseStream."""
    return [message(kind, json.dumps(fields).encode()) for kind, fields in pairs]


def chunks(*bodies: Any) -> list[bytes]:
    """The frames of InvokeModelWithResponseStream."""
    written = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in bodies]
    return [message("chunk", json.dumps({"bytes": base64.b64encode(body).decode(), "p": "abc"}).encode()) for body in written]


USAGE = {"inputTokens": 5, "outputTokens": 7, "totalTokens": 47, "cacheReadInputTokens": 32, "cacheWriteInputTokens": 3}
"""Of 40 tokens in, 7 out."""


def conversed(**more: Any) -> dict[str, Any]:
    """An answer of Converse."""
    message = {"role": "assistant", "content": [{"text": "lorem ipsum"}]}
    return {"output": {"message": message}, "stopReason": "end_turn", "usage": USAGE, "metrics": {"latencyMs": 1}, **more}


def conversation(*texts: str, usage: Any = USAGE, stop: str | None = "end_turn") -> list[bytes]:
    """A stream of Converse."""
    deltas = [("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}}) for text in texts]
    end = [("messageStop", {"stopReason": stop})] if stop else []
    last = [("metadata", {"usage": usage, "metrics": {"latencyMs": 1}})] if usage else []
    return events(("messageStart", {"role": "assistant"}), *deltas, ("contentBlockStop", {"contentBlockIndex": 0}), *end, *last)
