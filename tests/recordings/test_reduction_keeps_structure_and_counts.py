from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.json_bodies import documents, leaves, lines_without_json
from tests.support.recordings import ask, error_types, url_of
from tokentrail.testing import ReplayServer

CONTENT = {"arguments", "embedding", "embeddings", "float", "context", "bytes", "default", "const", "examples", "logit_bias"}
TOKEN_IDS = {("input",), ("prompt",), ("tokens",)}  # of an embedding, a completion, a tokenized text: text in another form
Exchanges = dict[str, dict[str, Any]]


def differences(original: Any, reduced: Any, path: tuple[str, ...] = ()) -> list[str]:
    """Where the structure, a number or a length of a text is not the original's."""
    if type(original) is not type(reduced):
        return [f"{path}: {type(original).__name__} became {type(reduced).__name__}"]
    if isinstance(original, dict):
        pairs = zip(original.items(), reduced.items(), strict=False)
        wrong = [f"{path}: {len(original)} keys became {len(reduced)}"] if len(original) != len(reduced) else []
        return wrong + [d for (key, a), (name, b) in pairs for d in _key(path, key, name) + differences(a, b, (*path, key))]
    if isinstance(original, list):
        wrong = [f"{path}: {len(original)} items became {len(reduced)}"] if len(original) != len(reduced) else []
        return wrong + [d for a, b in zip(original, reduced, strict=False) for d in differences(a, b, path)]
    if isinstance(original, str):
        return [] if len(original) == len(reduced) or path[-1] == "embedding" else [f"{path}: {len(original)} characters became {len(reduced)}"]
    return [] if original == reduced or CONTENT & set(path) or path in TOKEN_IDS else [f"{path}: {original} became {reduced}"]


def _key(path: tuple[str, ...], key: str, name: str) -> list[str]:
    return [] if len(key) == len(name) else [f"{path}: the key {key} became {name}"]


def test_structure_numbers_and_lengths_are_the_originals(shipped: Exchanges, originals: Exchanges) -> None:
    for name, original in originals.items():
        reduced = shipped[name]
        assert differences(original["request"], reduced["request"]) == [], name
        assert differences(documents(original), documents(reduced)) == [], name
        assert lines_without_json(original) == lines_without_json(reduced), name
        kept = ("expected", "expected_totals", "usage_raw", "usage_events", "status", "stream", "path", "request_model")
        assert [original[field] for field in kept] == [reduced[field] for field in kept], name


def usages_of(items: list[Any]) -> list[Any]:
    dumps = [item.model_dump(mode="json", warnings=False) for item in items]
    holders = [holder for dump in dumps for holder in (dump, dump.get("x_groq"), dump.get("response")) if isinstance(holder, dict)]
    counted = [holder.get("usage") for holder in holders]
    return counted + [{key: value for key, value in dump.items() if key.endswith(("_count", "_duration"))} for dump in dumps]


@pytest.mark.slow
def test_sdks_read_the_same_usage_from_both(corpus: Path, server: ReplayServer, shipped: Exchanges) -> None:
    compared = 0
    with ReplayServer(corpus / "open", providers=["openai", "groq", "ollama"]) as unreduced:
        for name in sorted(shipped.keys() & unreduced.recordings.keys()):
            answers = []
            for running in (unreduced, server):
                recording = running.recordings[name]
                try:
                    answers.append(usages_of(ask(recording, url_of(running, recording))))
                except error_types() as error:
                    answers.append([type(error).__name__, getattr(error, "status_code", None)])
            assert answers[0] == answers[1], name
            compared += 1
    assert compared > 45


def is_object(document: Any) -> bool:
    return isinstance(document, dict)


def test_pieces_of_a_stream_add_up_to_its_final_text(shipped: Exchanges) -> None:
    texts = 0
    for name, recording in shipped.items():
        pieces: defaultdict[tuple[Any, ...], list[str]] = defaultdict(list)
        for event in filter(is_object, documents(recording)):
            kind, _, last = str(event.get("type", "")).rpartition(".")
            place = (kind, event.get("item_id"), event.get("content_index"))
            if last == "delta" and "delta" in event:
                pieces[place].append(event["delta"])
            elif last == "done" and place in pieces:
                assert "".join(pieces[place]) == event.get("text", event.get("arguments")), name
                texts += 1
    assert texts >= 3


def test_whole_tool_arguments_are_json(shipped: Exchanges) -> None:
    pieced, whole = [], []
    for name, recording in shipped.items():
        streamed: defaultdict[Any, str] = defaultdict(str)
        for document in filter(is_object, documents(recording)):
            for choice in document.get("choices", []):
                for call in (choice.get("delta") or {}).get("tool_calls") or []:
                    streamed[choice["index"], call["index"]] += call["function"].get("arguments") or ""
            if not recording["stream"]:
                whole += [(name, leaf) for path, leaf in leaves(document) if path[-1] == "arguments" and isinstance(leaf, str)]
        pieced += [(name, text) for text in streamed.values() if text]
    assert len(pieced) > 1
    assert len(whole) > 1
    assert [name for name, text in pieced + whole if not isinstance(json.loads(text), dict)] == []


@pytest.mark.slow
def test_same_corpus_gives_the_same_files(corpus: Path, scripts: ModuleType, tmp_path: Path, shipped: Exchanges) -> None:
    assert scripts.main(["--corpus", str(corpus), "--out", str(tmp_path)]) == 0
    assert {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in tmp_path.glob("*.json")} == shipped


def test_expected_usages_are_what_the_exchanges_say(scripts: ModuleType, shipped: Exchanges) -> None:
    """Each has been read from the very bytes beside it, with every count: none is left from before a count was added, or from another body."""
    read = {name: scripts.with_usages(recording)["expected_usages"] for name, recording in shipped.items()}
    assert read == {name: recording["expected_usages"] for name, recording in shipped.items()}, "run `make docs`"
    assert None not in read.values(), "an endpoint that nothing counts"


def test_the_page_is_that_of_the_recordings(scripts: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert scripts.main(["--check"]) == 0, capsys.readouterr().out


def test_a_wrong_corpus_is_named(scripts: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        scripts.main(["--corpus", str(tmp_path / "nowhere")])
    assert ended.value.code == 2
    assert "there is no such folder" in capsys.readouterr().err


def test_every_endpoint_and_kind_is_there(shipped: Exchanges) -> None:
    cells = {(r["provider"], r["endpoint"], r["stream"]) for r in shipped.values() if r["status"] == 200}
    for endpoint in ("chat", "responses", "completions"):
        assert {("openai", endpoint, False), ("openai", endpoint, True)} <= cells
    assert {("openai", "embeddings", False), ("openai", "responses_get", False), ("groq", "chat", False), ("groq", "chat", True)} <= cells
    for endpoint in ("chat", "ollama_chat", "ollama_generate"):
        assert {("ollama", endpoint, False), ("ollama", endpoint, True)} <= cells
    assert {("ollama", "embeddings", False), ("ollama", "ollama_embed", False)} <= cells
    assert {r["flags"].get("include_usage") for r in shipped.values() if (r["provider"], r["stream"]) == ("openai", True)} >= {True, None}
    assert {r["status"] for r in shipped.values() if r["provider"] == "openai"} >= {200, 400, 401, 404, 429, 500, 503}
    for endpoint in ("converse", "invoke_model"):
        assert {("bedrock", endpoint, False), ("bedrock", endpoint, True)} <= cells
    flags = {name for r in shipped.values() for name, value in r["flags"].items() if value}
    assert flags >= {"cached", "cache_write", "reasoning", "tool_call", "multi_choice", "media", "include_usage", "error"}


def test_recordings_stay_small(shipped: Exchanges) -> None:
    assert sum(len(json.dumps(recording)) for recording in shipped.values()) < 2_000_000
