"""Asks OpenAI's and Groq's SDKs for images, audio, runs and moderations, as a recording says."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

FILES = {"edits": {"image": ("a.png", b"\x89PNG", "image/png")}} | {name: {"file": ("a.wav", b"RIFF")} for name in ("transcriptions", "translations")}


def method_of(client: Any, path: str, request: dict[str, Any], *, stream: bool) -> tuple[Callable[..., Any], dict[str, Any]]:
    """The SDK's method for a path, and its arguments; what a recording keeps of a form is its fields."""
    *_, name = steps = path.strip("/").split("/")
    if "threads" in steps:
        return _run_of(client, steps, request, stream=stream)
    methods = {
        "generations": lambda: client.images.generate,
        "edits": lambda: client.images.edit,
        "transcriptions": lambda: client.audio.transcriptions.create,
        "translations": lambda: client.audio.translations.create,
        "moderations": lambda: client.moderations.create,
    }
    method = methods[name]()
    given = request | FILES.get(name, {}) | ({"stream": True} if stream else {})
    if name == "edits":
        if stream and "stream" not in inspect.signature(method).parameters:
            raise AttributeError("this version of the SDK has no streams of edited images")
        given = {"prompt": "lorem"} | {field: value for field, value in given.items() if field in inspect.signature(method).parameters}
    return method, given


def _run_of(client: Any, steps: list[str], request: dict[str, Any], *, stream: bool) -> tuple[Callable[..., Any], dict[str, Any]]:
    runs, at = client.beta.threads.runs, steps.index("threads")
    given = {"thread_id": steps[at + 1]} | request | ({"stream": True} if stream else {})
    if steps[-1] == "runs":
        return runs.create, given
    given["run_id"] = steps[at + 3]
    return (runs.submit_tool_outputs if steps[-1] == "submit_tool_outputs" else runs.retrieve), given
