"""Cohere's exchanges made by hand: what `recordings_made_by_hand` adds of the endpoints and streams that the corpus has no example of."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from recording_filler import RING, turned

__all__ = ["of_cohere"]

_TEXTS = [turned(RING, 24), turned(RING, 18, 24)]
_ASK = [{"role": "user", "content": _TEXTS[0]}]
_ID = "00000000-0000-4000-8000-00000000000"


def of_cohere(exchange: Callable[..., dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the exchanges; `exchange` makes one, in the corpus's form."""

    def made(name: str, endpoint: str, path: str, request: Any, body: Any, **more: Any) -> dict[str, Any]:
        return exchange(name, ("cohere", endpoint, path), request, body, **({"documented_at": f"Cohere API reference: {path}", "model": None} | more))

    billed = {"input_tokens": 24, "output_tokens": 11}
    example = [{"text": text, "label": label} for text, label in zip(_TEXTS * 2, ("lorem", "ipsum", "ipsum", "lorem"), strict=True)]
    return [
        made(
            "plain",
            "classify",
            "/v1/classify",
            {"model": "embed-english-v3.0", "inputs": _TEXTS, "examples": example},
            {"id": f"{_ID}1", "classifications": [_classified(text) for text in _TEXTS], "meta": _meta(billed_units={"classifications": 2})},
        ),
        made(
            "plain",
            "summarize",
            "/v1/summarize",
            {"model": "command", "text": turned(RING, 260)},
            {"id": f"{_ID}2", "summary": _TEXTS[1], "meta": _meta(billed_units=billed)},
            counts=(24, 11),
        ),
        made(
            "images",
            "embeddings",
            "/v2/embed",
            {
                "model": "embed-english-v3.0",
                "input_type": "image",
                "images": ["data:image/png;base64,bG9yZW0gaXBzdW0g"],
                "embedding_types": ["float"],
            },
            {"id": f"{_ID}3", "embeddings": {"float": [[0.5, 0.25]]}, "texts": [], "meta": _meta(billed_units={"images": 1})},
        ),
        made("429-rate-limit", "cohere_chat", "/v2/chat", {"model": "command-r", "messages": _ASK}, {"message": turned(RING, 60)}, status=429),
        *_streams(made),
    ]


def _meta(**stated: Any) -> dict[str, Any]:
    return {"api_version": {"version": "1"}} | stated


def _classified(text: str) -> dict[str, Any]:
    labels = {"lorem": {"confidence": 0.75}, "ipsum": {"confidence": 0.25}}
    sure = {"prediction": "lorem", "predictions": ["lorem"], "confidence": 0.75, "confidences": [0.75]}
    return {"id": f"{_ID}4", "input": text, "labels": labels, "classification_type": "single-label"} | sure


def _streams(made: Callable[..., dict[str, Any]]) -> list[dict[str, Any]]:
    """Generate, which states no usage; a tool's call of version 1, whose end has the whole answer; version 2 without its end."""
    pieces = [{"is_finished": False, "event_type": "text-generation", "text": turned(RING, 6, at * 6)} for at in range(3)]
    generation = {"id": f"{_ID}5", "index": 0, "text": turned(RING, 18), "finish_reason": "COMPLETE"}
    generated = {"id": f"{_ID}6", "generations": [generation], "prompt": _TEXTS[0]}
    ended = {"is_finished": True, "event_type": "stream-end", "finish_reason": "COMPLETE"}
    call = {"name": "loremipsum", "parameters": {"dolor": "sit amet"}}
    usage = {"billed_units": {"input_tokens": 31, "output_tokens": 7}, "tokens": {"input_tokens": 930, "output_tokens": 40}}
    answer = {
        "response_id": f"{_ID}7",
        "generation_id": f"{_ID}8",
        "text": _TEXTS[1],
        "finish_reason": "COMPLETE",
        "tool_calls": [call],
        "meta": _meta(**usage),
    }
    called = [
        {"is_finished": False, "event_type": "stream-start", "generation_id": f"{_ID}8"},
        {"is_finished": False, "event_type": "tool-calls-chunk", "text": _TEXTS[1]},
        {"is_finished": False, "event_type": "tool-calls-chunk", "tool_call_delta": {"index": 0, "parameters": '{"dolor": "sit amet"}'}},
        {"is_finished": False, "event_type": "tool-calls-generation", "text": _TEXTS[1], "tool_calls": [call]},
        ended | {"response": answer},
    ]
    tool = {"name": "loremipsum", "description": turned(RING, 30), "parameter_definitions": {"dolor": {"type": "str", "required": True}}}
    begun = {"id": f"{_ID}9", "type": "message-start", "delta": {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": []}}}
    deltas = [{"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": piece["text"]}}}} for piece in pieces]
    told = [f"event: {event['type']}\ndata: {json.dumps(event, separators=(',', ':'))}\n\n" for event in (begun, *deltas)]
    return [
        made(
            "stream",
            "cohere_generate",
            "/v1/generate",
            {"model": "command", "prompt": _TEXTS[0], "stream": True},
            [*pieces, ended | {"response": generated}],
            shape="ndjson",
        ),
        made(
            "tool-call",
            "cohere_chat",
            "/v1/chat",
            {"model": "command-r", "message": _TEXTS[0], "tools": [tool], "stream": True},
            called,
            shape="ndjson",
            counts=(930, 40),
            usage=usage,
            tool_call=True,
        ),
        made("cut", "cohere_chat", "/v2/chat", {"model": "command-r", "messages": _ASK, "stream": True}, told, ended=False, incomplete=True),
    ]
