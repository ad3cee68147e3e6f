"""OpenAI's and Groq's images and audio made by hand: what `recordings_made_by_hand` adds of endpoints that the corpus has no usage of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from recording_filler import RING, turned

_IMAGE = {
    "input_tokens": 50,
    "output_tokens": 272,
    "total_tokens": 322,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
    "output_tokens_details": {"text_tokens": 0, "image_tokens": 272},
}
_HEARD = {
    "type": "tokens",
    "input_tokens": 14,
    "output_tokens": 45,
    "total_tokens": 59,
    "input_token_details": {"text_tokens": 0, "audio_tokens": 14},
}
_TEXT = turned(RING, 36)
_PIXEL = "iVBORw0KGgo="


def of_media(exchange: Callable[..., dict[str, Any]]) -> list[dict[str, Any]]:
    """All of them; `exchange` makes one in the corpus's form. Requests that are forms in truth (edits, audio) have their fields as JSON."""

    def made(name: str, place: tuple[str, str, str], request: dict[str, Any], body: Any, **more: Any) -> dict[str, Any]:
        return exchange(name, place, request, body, **({"documented_at": f"OpenAI API reference: {place[2]}", "model": None} | more))

    drawn = {"model": "gpt-image-1", "prompt": turned(RING, 60), "size": "1024x1024"}
    hear = {"model": "gpt-4o-transcribe"}
    edits, images = ("openai", "images", "/v1/images/edits"), ("openai", "images", "/v1/images/generations")
    audio, groqs = ("openai", "audio", "/v1/audio/transcriptions"), ("groq", "audio", "/openai/v1/audio/transcriptions")
    image, heard = ({"counts": counts, "usage": usage} for counts, usage in (((50, 272), _IMAGE), ((14, 45), _HEARD)))
    answer = {"created": 1768471200, "data": [{"b64_json": _PIXEL}], "usage": _IMAGE}
    seconds = {"text": _TEXT, "usage": {"type": "duration", "seconds": 9}}
    return [
        made("plain", images, drawn, answer, **image),
        made("stream", images, drawn | {"stream": True, "partial_images": 1}, _drawn("image_generation"), **image),
        made("plain-edit", edits, drawn, answer, **image),
        made("stream-edit", edits, drawn | {"stream": True, "partial_images": 1}, _drawn("image_edit"), **image),
        made("cut-stream", images, drawn | {"stream": True, "partial_images": 1}, _drawn("image_generation")[:1], ended=False),
        made("tokens", audio, hear, {"text": _TEXT, "usage": _HEARD}, **heard),
        made("seconds", audio, {"model": "whisper-1"}, seconds),
        made("stream", audio, hear | {"stream": True}, _transcribed(), **heard),
        made("translation", ("openai", "audio", "/v1/audio/translations"), {"model": "whisper-1"}, {"text": _TEXT}),
        made(
            "plain",
            groqs,
            {"model": "whisper-large-v3"},
            {"text": _TEXT, "x_groq": {"id": "req_byhand0001"}},
            documented_at="Groq docs: Speech to text",
        ),
    ]


def _event(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, **more}


def _drawn(kind: str) -> list[dict[str, Any]]:
    about = {"b64_json": _PIXEL, "created_at": 1768471200, "size": "1024x1024", "quality": "low", "background": "opaque", "output_format": "png"}
    return [_event(f"{kind}.partial_image", partial_image_index=0, **about), _event(f"{kind}.completed", usage=_IMAGE, **about)]


def _transcribed() -> list[dict[str, Any]]:
    deltas = [_event("transcript.text.delta", delta=_TEXT[at : at + 12]) for at in range(0, len(_TEXT), 12)]
    return [*deltas, _event("transcript.text.done", text=_TEXT, usage=_HEARD)]
