"""Texts that are planted in requests and answers, to be looked for where none may be."""

from __future__ import annotations

import json
from typing import Any, Final

from tokentrail.testing.conformance.bodies import TEXTS

__all__ = ["HALVES", "marked"]

HALVES: Final = ("zqx7", "kept-nowhere")
"""The mark, in halves: a search of the memory must not find the searcher's own text."""
_PROMPTS: Final = TEXTS | {"prompt", "input", "inputs", "texts", "query", "parts", "system"}
_ARGUMENTS: Final = frozenset({"arguments", "args", "partial_json"})
"""The names under which a model's tool calls state their arguments: an object, or its JSON."""


def marked(document: Any) -> Any:
    """Returns a document whose texts have the mark: those of the usual names, of several words, and of tool calls; ids and models stay."""
    if isinstance(document, dict):
        of_tool = _ARGUMENTS | {"input"} if document.get("type") in ("tool_use", "custom_tool_call") or "toolUseId" in document else _ARGUMENTS
        return {name: _marked_arguments(each) if name in of_tool else _marked(name, each) for name, each in document.items()}
    if isinstance(document, list):
        return [marked(each) for each in document]
    return _marked_text(document) if isinstance(document, str) and " " in document else document


def _marked(name: str, value: Any) -> Any:
    return _marked_text(value) if name in _PROMPTS else marked(value)


def _marked_text(value: Any) -> Any:
    if isinstance(value, str):
        return f"lorem {''.join(HALVES)} ipsum" if value else value
    if isinstance(value, list):
        return [_marked_text(each) for each in value]
    return marked(value)


def _marked_arguments(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _marked_arguments(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_marked_arguments(each) for each in value]
    if not isinstance(value, str) or not value:
        return value
    try:
        whole = json.loads(value)
    except ValueError:
        return "".join(HALVES)  # a piece of an object, in a stream
    return json.dumps(_marked_arguments(whole)) if isinstance(whole, (dict, list)) else _marked_text(value)
