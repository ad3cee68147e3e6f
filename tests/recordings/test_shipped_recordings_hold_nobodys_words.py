"""Independent of the reducer's own white list: every string that is shipped is filler, an id, a time, or a word that a person has read and listed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.support.json_bodies import documents, leaves, lines_without_json

LISTED = Path(__file__).with_name("words_that_may_be_shipped.txt")
FILLER = "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore magna aliqua "
ID = re.compile(
    r"(pyd_ai|asst|chatcmpl|cmpl|modr|resp|run|step|msg|rs|fc|call|(?:srv)?toolu|tooluse|gen|req|fp|ws|cntr|cmp|file|audio|tsc|tso)[-_][A-Za-z0-9_-]{3,}"
    r"|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}"
)
GOOGLES_ID = re.compile(r"[A-Za-z0-9_-]{20,28}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)")
BASE64 = re.compile(r"(data:[\w.+/-]+;base64,)?((bG9yZW0gaXBzdW0g)[A-Za-z0-9+/]*)=*")
SECRET = re.compile(r"\b(sk-[A-Za-z0-9]{8}|gsk_[A-Za-z0-9]{8}|hf_[A-Za-z0-9]{8}|AKIA[A-Z0-9]{8}|org-[A-Za-z0-9]{8}|proj_[A-Za-z0-9]{8})")


def is_filler(text: str) -> bool:
    spaced, plain = FILLER * (len(text) // len(FILLER) + 2), FILLER.replace(" ", "") * (len(text) // 80 + 2)
    punctuation = set(text) <= set('{}[]":,\\ \n')  # a piece of a tool's arguments between two names
    if punctuation or text in spaced or text in plain or BASE64.fullmatch(text):
        return True
    try:
        value = json.loads(text)
    except ValueError:
        return False
    names = [key for key, _ in _pairs(value)]
    return isinstance(value, (dict, list)) and all(is_filler(name) for name in names) and all(_is_filler_leaf(leaf) for _, leaf in leaves(value))


def _is_filler_leaf(leaf: Any) -> bool:
    return is_filler(leaf) if isinstance(leaf, str) else set(re.sub(r"\D", "", str(leaf))) <= {"1"}


def _pairs(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, list):
        return [pair for item in value for pair in _pairs(item)]
    if not isinstance(value, dict):
        return []
    return [pair for key, item in value.items() for pair in [(key, item), *_pairs(item)]]


def listed() -> set[str]:
    return {line for line in LISTED.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")}


def words_of(recording: dict[str, Any]) -> set[str]:
    """`key=value` and `key` for everything in the exchange that is neither filler nor an id nor a time."""
    bodies = [recording["request"], *documents(recording)]
    found = {key for body in bodies for key, _ in _pairs(body) if not is_filler(key)}
    for body in bodies:
        for path, leaf in leaves(body):
            is_text = isinstance(leaf, str) and leaf and path[-1:] != ("embedding",)
            if is_text and path[-1:] == ("responseId",) and GOOGLES_ID.fullmatch(leaf):
                continue
            if is_text and not is_filler(leaf) and not ID.fullmatch(leaf) and not TIME.fullmatch(leaf):
                found.add(f"{path[-1]}={leaf}")
    return found | {f"line={line}" for line in lines_without_json(recording) if line}


def test_every_string_is_filler_or_has_been_read(shipped: dict[str, dict[str, Any]]) -> None:
    unread = {word: name for name, recording in shipped.items() for word in words_of(recording) - listed()}
    assert not unread, f"read these, and if they are nobody's words add them to {LISTED.name}"


def test_the_list_has_no_word_that_is_not_shipped(shipped: dict[str, dict[str, Any]]) -> None:
    assert listed() == set().union(*(words_of(recording) for recording in shipped.values()))


def test_no_text_of_the_originals_is_left(shipped: dict[str, dict[str, Any]], originals: dict[str, dict[str, Any]]) -> None:
    left = []
    for name, original in originals.items():
        reduced = shipped[name]
        text = json.dumps([reduced["request"], documents(reduced)], ensure_ascii=False)
        for _, leaf in leaves([original["request"], documents(original)]):
            if isinstance(leaf, str) and " " in leaf.strip() and re.search(r"\w", leaf) and json.dumps(leaf, ensure_ascii=False)[1:-1] in text:
                left.append((name, leaf))
    assert not left


def test_nothing_looks_like_a_key(shipped: dict[str, dict[str, Any]]) -> None:
    assert not [name for name, recording in shipped.items() if SECRET.search(json.dumps(recording))]


def test_vectors_are_filler(shipped: dict[str, dict[str, Any]]) -> None:
    plain = {round(((at * 37) % 199 - 99) / 1000, 3) for at in range(199)}
    vectors = [row for recording in shipped.values() for body in documents(recording) for row in _vectors(body)]
    assert len(vectors) >= 4
    assert all(set(vector) <= plain for vector in vectors if isinstance(vector, list))


def _vectors(body: Any) -> list[Any]:
    return [row for key, value in _pairs(body) if key in {"embedding", "embeddings"} for row in (value if key == "embeddings" else [value])]
