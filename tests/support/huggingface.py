"""Hugging Face's answers, as its API and Text Generation Inference (TGI) document them, for a scripted server, and clients that ask it."""

from __future__ import annotations

import json
from typing import Any

from huggingface_hub import AsyncInferenceClient, InferenceClient

MESSAGES = [{"role": "system", "content": "abc"}, {"role": "user", "content": "def"}]


def client_at(url: str, **more: Any) -> InferenceClient:
    """A client whose model is served at this address."""
    return InferenceClient(url, token="none", timeout=20, **more)


def async_client_at(url: str, **more: Any) -> AsyncInferenceClient:
    """The same, asynchronous."""
    return AsyncInferenceClient(url, token="none", timeout=20, **more)


def generated(text: str = "lorem ipsum", **details: Any) -> list[dict[str, Any]]:
    """TGI's answer; `details` replaces what TGI states of the generation."""
    stated = {"finish_reason": "length", "generated_tokens": 7, "seed": None, "prefill": [], "tokens": [], "best_of_sequences": None}
    return [{"generated_text": text, "details": stated | details}]


def tokens(*texts: str, end: bool = True, **details: Any) -> list[dict[str, Any]]:
    """The events of TGI's stream: a token each; the last one has the details."""
    events: list[dict[str, Any]] = [
        {
            "index": number,
            "token": {"id": number, "text": text, "logprob": -0.5, "special": False},
            "generated_text": None,
            "details": None,
        }
        for number, text in enumerate(texts)
    ]
    stated = {"finish_reason": "length", "generated_tokens": len(texts), "seed": None, "input_length": 5}
    if end:
        events[-1] |= {"generated_text": "".join(texts), "details": stated | details}
    return events


def lines(events: list[dict[str, Any]]) -> list[bytes]:
    """Events as TGI sends them: without a space, and without an end mark."""
    return [f"data:{json.dumps(event)}\n\n".encode() for event in events]


def whole(value: Any) -> list[bytes]:
    """A body that may be a list."""
    return [json.dumps(value).encode()]
