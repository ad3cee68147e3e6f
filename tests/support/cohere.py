"""Cohere's answers as its API states them, for a scripted server, and clients that ask it."""

from __future__ import annotations

import json
from typing import Any

import cohere

USAGE: dict[str, Any] = {
    "billed_units": {"input_tokens": 12, "output_tokens": 5},
    "tokens": {"input_tokens": 212, "output_tokens": 7},
    "cached_tokens": 208,
}
ASK: dict[str, Any] = {"model": "command-r", "messages": [{"role": "user", "content": "hello"}]}


def client_at(url: str, kind: str = "ClientV2", **more: Any) -> Any:
    """A client of this kind for a server on this machine."""
    return getattr(cohere, kind)("none", base_url=url, timeout=20, **more)


def answer(text: str = "lorem ipsum", **more: Any) -> dict[str, Any]:
    """A chat's answer, version 2."""
    message = {"role": "assistant", "content": [{"type": "text", "text": text}]}
    return {"id": "c-1", "message": message, "finish_reason": "COMPLETE", "usage": USAGE, **more}


def answer_v1(text: str = "lorem ipsum", **more: Any) -> dict[str, Any]:
    """A chat's answer, version 1."""
    names = {"response_id": "r-1", "generation_id": "g-1"}
    return {**names, "text": text, "finish_reason": "COMPLETE", "chat_history": [], "meta": {"api_version": {"version": "1"}, **USAGE}, **more}


def events(*texts: str, end: bool = True, **more: Any) -> list[dict[str, Any]]:
    """The events of a chat's stream, version 2."""
    sent: list[dict[str, Any]] = [{"type": "message-start", "id": "c-1", "delta": {"message": {"role": "assistant", "content": []}}}]
    sent += [{"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}}]
    sent += [{"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": text}}}} for text in texts]
    ended = {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": USAGE, **more}}
    return [*sent, {"type": "content-end", "index": 0}, ended] if end else sent


def events_v1(*texts: str, end: bool = True) -> list[dict[str, Any]]:
    """The events of a chat's stream, version 1."""
    sent: list[dict[str, Any]] = [{"event_type": "stream-start", "is_finished": False, "generation_id": "g-1"}]
    sent += [{"event_type": "text-generation", "is_finished": False, "text": text} for text in texts]
    ended = {"event_type": "stream-end", "is_finished": True, "finish_reason": "COMPLETE", "response": answer_v1("".join(texts))}
    return [*sent, ended] if end else sent


def lines(sent: list[dict[str, Any]]) -> list[bytes]:
    """Events as version 1 sends them: a line each."""
    return [json.dumps(event).encode() + b"\n" for event in sent]
