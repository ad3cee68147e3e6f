from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.json_bodies import documents, leaves

PLANTED = "Zebra Quokka"
TOOL = {
    "type": "function",
    "function": {
        "name": "zebra_quokka",
        "description": PLANTED,
        "parameters": {
            "type": "object",
            "properties": {"zebra": {"type": "string", "description": PLANTED, "enum": ["zebra"], "default": PLANTED}, "type": {"type": "string"}},
            "required": ["zebra"],
        },
    },
}
REQUEST = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": [{"type": "text", "text": PLANTED}, {"type": "image_url", "image_url": {"url": f"https://{PLANTED}"}}]}],
    "tools": [TOOL],
    "metadata": {"zebra": "quokka"},
    "user": "zebra",
    "stop": ["zebra"],
    "type": f"{PLANTED} in an enum's place",
}
CALL = {
    "id": "call_1",
    "type": "function",
    "index": 0,
    "function": {"name": "zebra_quokka", "arguments": '{"zebra": "Zebra Quokka", "n": 42, "ok": true}'},
}
LOGPROBS = {"content": [{"token": "zebra", "logprob": -0.5, "bytes": [122, 101, 98, 114, 97], "top_logprobs": []}], "top_logprobs": [{"zebra": -1}]}
ANSWER = {
    "id": "chatcmpl-1",
    "choices": [
        {"index": 0, "finish_reason": "stop", "logprobs": LOGPROBS, "message": {"role": "assistant", "content": PLANTED, "tool_calls": [CALL]}}
    ],
    "usage": {"prompt_tokens": 7, "completion_tokens": 9},
    "error": {"message": PLANTED, "type": "invalid_request_error", "code": "model_not_found", "param": "model"},
}


def exchange(shape: str, body: str, request: Any = REQUEST) -> dict[str, Any]:
    names = "id provider endpoint base_url method path request_model stream status expected expected_totals usage_events usage_raw"
    return dict.fromkeys(names.split()) | {
        "source": {"repo": "a/b", "path": "c", "index": 0},
        "request": request,
        "response_headers": {"content-type": "x", "set-cookie": PLANTED},
        "response_encoding": "text",
        "response_body": body,
        "response_shape": shape,
        "flags": {},
    }


def left(reduced: dict[str, Any]) -> list[str]:
    text = json.dumps(reduced).lower()
    return [word for word in ("zebra", "quokka") if word in text]


def test_plain_answer(scripts: ModuleType) -> None:
    reduced = scripts.reduce_exchange(exchange("json", json.dumps(ANSWER)), {"a/b": "MIT"})
    assert left(reduced) == []
    (answer,) = documents(reduced)
    assert answer["usage"] == ANSWER["usage"]
    assert (answer["id"], answer["choices"][0]["finish_reason"], answer["error"]["code"]) == ("chatcmpl-1", "stop", "model_not_found")
    assert len(answer["choices"][0]["message"]["content"]) == len(PLANTED)
    assert answer["choices"][0]["logprobs"]["content"][0]["bytes"] != [122, 101, 98, 114, 97]
    called, offered = answer["choices"][0]["message"]["tool_calls"][0]["function"], reduced["request"]["tools"][0]["function"]
    assert called["name"] == offered["name"], "a call still fits the tool it calls"
    arguments = json.loads(called["arguments"])
    assert set(arguments) & set(offered["parameters"]["properties"]) == set(offered["parameters"]["required"])
    assert list(arguments.values())[1:] == [11, True]
    assert reduced["source"]["licence"] == "MIT"


@pytest.mark.parametrize("pieces", [1, 2, 5])
def test_text_that_is_spread_over_chunks(scripts: ModuleType, pieces: int) -> None:
    cut = [PLANTED[at : at + pieces] for at in range(0, len(PLANTED), pieces)]
    arguments = CALL["function"]["arguments"]  # type: ignore[index]
    spread = [arguments[at : at + pieces] for at in range(0, len(arguments), pieces)]
    chunks = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in cut]
    chunks += [{"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}}]} for piece in spread]
    body = ": Zebra\n\n" + "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    reduced = scripts.reduce_exchange(exchange("sse", body), {})
    deltas = [chunk["choices"][0]["delta"] for chunk in documents(reduced)]
    text = "".join(delta.get("content", "") for delta in deltas)
    called = "".join(delta["tool_calls"][0]["function"]["arguments"] for delta in deltas if "tool_calls" in delta)
    assert left(reduced) == []
    assert text == "lorem ipsum "[: len(PLANTED)]
    assert list(json.loads(called).values())[1:] == [11, True]
    assert [len(delta["content"]) for delta in deltas if "content" in delta] == [len(piece) for piece in cut]
    assert reduced["response_body"].count("\n\n") == body.count("\n\n")
    assert reduced["response_body"].endswith("data: [DONE]\n\n")


def test_token_ids_and_native_arguments(scripts: ModuleType) -> None:
    line = {
        "model": "llama3",
        "message": {"content": "Zebra", "tool_calls": [{"function": {"name": "zebra", "arguments": {"zebra": 42}}}]},
        "context": [7, 8],
    }
    reduced = scripts.reduce_exchange(exchange("ndjson", json.dumps(line) + "\n", {"model": "llama3", "prompt": [[1999, 1998]]}), {})
    (answer,) = documents(reduced)
    assert left(reduced) == []
    assert answer["model"] == "llama3"
    assert list(answer["message"]["tool_calls"][0]["function"]["arguments"].values()) == [11]
    assert len(answer["context"]) == 2
    assert not {7, 8} & set(answer["context"])
    assert not {1999, 1998} & set(reduced["request"]["prompt"][0])


def test_body_that_is_no_json(scripts: ModuleType) -> None:
    assert left(scripts.reduce_exchange(exchange("json", f"<html>{PLANTED}</html>"), {})) == []


@pytest.mark.slow
def test_no_sentence_of_the_whole_corpus_would_be_left(scripts: ModuleType, corpus: Path) -> None:
    kept, reduced_count = [], 0
    for path in sorted((corpus / "open").rglob("*.json")):
        original = json.loads(path.read_text(encoding="utf-8"))
        if original["provider"] not in {"openai", "groq", "ollama"} or original["response_shape"] not in {"json", "sse", "ndjson"}:
            continue
        reduced = scripts.reduce_exchange(original, {})
        reduced_count += 1
        remaining = {leaf for _, leaf in leaves([reduced["request"], *documents(reduced)]) if isinstance(leaf, str)}
        sentences = {leaf for _, leaf in leaves([original["request"], *documents(original)]) if isinstance(leaf, str) and " " in leaf.strip()}
        kept += [(path.stem, leaf) for leaf in remaining & sentences]
    assert reduced_count > 300
    assert kept == []
