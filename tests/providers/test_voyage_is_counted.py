"""Every way of Voyage's SDK to ask for vectors or scores is one row with the tokens that the answer states; its tries are attempts of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.scripted import ScriptedServer
from tokentrail.instrumentation.registry import instrument, uninstrument
from tokentrail.testing import ReplayServer, Usages, read_recordings

voyageai = pytest.importorskip("voyageai", reason="make test-apart installs it")

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "open"
VECTOR = base64.b64encode(np.array([0.5, 0.25], dtype=np.float32).tobytes()).decode()
EMBEDDED = {
    "object": "list",
    "data": [{"object": "embedding", "embedding": VECTOR, "index": 0}],
    "model": "voyage-4",
    "usage": {"total_tokens": 6},
}
RANKED = {"object": "list", "data": [{"relevance_score": 0.5, "index": 0}], "model": "rerank-2.5", "usage": {"total_tokens": 31}}
CONTEXTUAL = {
    "object": "list",
    "data": [{"object": "list", "index": 0, "data": [{"object": "embedding", "embedding": VECTOR, "index": 0}]}],
    "model": "voyage-context-3",
    "usage": {"total_tokens": 9},
}
SEEN = {**EMBEDDED, "model": "voyage-multimodal-3", "usage": {"text_tokens": 4, "image_pixels": 560_000, "video_pixels": 0, "total_tokens": 1004}}


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, Any]]:
    """Where a client asks: an argument of the client, or of the module in older versions."""

    def at(url: str) -> dict[str, Any]:
        if hasattr(voyageai, "api_base"):
            monkeypatch.setattr(voyageai, "api_base", url)
            return {"api_key": "none"}
        return {"api_key": "none", "base_url": url}

    return at


Address = Callable[[str], dict[str, Any]]


def facts(usages: Usages) -> list[tuple[Any, ...]]:
    return [(each.endpoint, each.input_tokens, each.output_tokens, each.ended, each.attempts) for each in usages.recorded]


def test_embed(usages: Usages, address: Address) -> None:
    with ScriptedServer(EMBEDDED) as server:
        answer = voyageai.Client(**address(server.url)).embed(["abc", "defg"], model="voyage-4-lite")
    assert (answer.total_tokens, list(answer.embeddings[0])) == (6, [0.5, 0.25])
    assert facts(usages) == [("embeddings", 6, None, "complete", 1)]
    only = usages.recorded[0]
    assert (only.provider, only.gen_ai_operation, only.operation, only.token_type) == ("voyage", "embeddings", "vector_search", "embedding")
    assert (only.request_model, only.response_model, only.input_chars) == ("voyage-4-lite", "voyage-4", 7)
    assert (only.server_address, only.server_port, only.input_source) == ("127.0.0.1", server.port, "reported")


async def test_embed_async(usages: Usages, address: Address) -> None:
    with ScriptedServer(EMBEDDED) as server:
        assert (await voyageai.AsyncClient(**address(server.url)).embed(["abc"], model="voyage-4")).total_tokens == 6
    assert facts(usages) == [("embeddings", 6, None, "complete", 1)]


async def test_rerank(usages: Usages, address: Address) -> None:
    with ScriptedServer(RANKED) as server:
        given = address(server.url)
        voyageai.Client(**given).rerank("abc", ["de", "f"], model="rerank-2.5")
        await voyageai.AsyncClient(**given).rerank("abc", ["de", "f"], model="rerank-2.5")
    assert facts(usages) == [("rerank", 31, None, "complete", 1)] * 2
    assert {(each.gen_ai_operation, each.input_chars, each.token_type) for each in usages.recorded} == {("rerank", 6, "embedding")}


@pytest.mark.skipif(not hasattr(voyageai.Client, "multimodal_embed"), reason="this version has none")
async def test_multimodal(usages: Usages, address: Address) -> None:
    """560,000 pixels are 1000 tokens of the 1004."""
    from PIL import Image

    with ScriptedServer(SEEN) as server:
        given = address(server.url)
        voyageai.Client(**given).multimodal_embed([["abcd", Image.new("RGB", (2, 2))]], model="voyage-multimodal-3")
        await voyageai.AsyncClient(**given).multimodal_embed([["abcd"]], model="voyage-multimodal-3")
    assert facts(usages) == [("multimodal_embeddings", 1004, None, "complete", 1)] * 2
    assert [(each.image_input_tokens, each.input_chars) for each in usages.recorded] == [(1000, 4)] * 2


@pytest.mark.skipif(not hasattr(voyageai.Client, "contextualized_embed"), reason="this version has none")
async def test_chunks_in_their_context(usages: Usages, address: Address) -> None:
    with ScriptedServer(CONTEXTUAL) as server:
        given = address(server.url)
        voyageai.Client(**given).contextualized_embed([["abc", "de"]], model="voyage-context-3")
        await voyageai.AsyncClient(**given).contextualized_embed([["abc", "de"]], model="voyage-context-3")
    assert facts(usages) == [("contextualized_embeddings", 9, None, "complete", 1)] * 2
    assert usages.recorded[0].input_chars == 5


@pytest.mark.skipif("max_retries" not in voyageai.Client.__init__.__annotations__, reason="this version does not try again")
async def test_tries_of_the_client_are_attempts(usages: Usages, address: Address) -> None:
    busy = (429, {"detail": "lorem"})
    with ScriptedServer(busy, EMBEDDED, busy, EMBEDDED, busy) as server:
        given = address(server.url)
        voyageai.Client(**given, max_retries=2).embed(["abc"], model="voyage-4")
        await voyageai.AsyncClient(**given, max_retries=2).embed(["abc"], model="voyage-4")
        with pytest.raises(voyageai.error.RateLimitError):
            voyageai.Client(**given, max_retries=2).embed(["abc"], model="voyage-4")
    assert facts(usages) == [("embeddings", 6, None, "complete", 2)] * 2 + [("embeddings", None, None, "error", 2)]


def test_the_resource_itself(usages: Usages, address: Address) -> None:
    with ScriptedServer((429, {"detail": "lorem"}), EMBEDDED) as server:
        given = address(server.url)
        with pytest.raises(voyageai.error.RateLimitError):
            voyageai.Embedding.create(**given, input=["abc"], model="voyage-4")
        voyageai.Embedding.create(**given, input=["abc"], model="voyage-4")
    assert facts(usages) == [("embeddings", None, None, "error", 1), ("embeddings", 6, None, "complete", 1)]
    assert usages.recorded[0].error_type == "429"


@pytest.mark.parametrize("total", ["6", 6.0, -1, 2**63, None, [6], {"a": None}, True])
def test_counts_that_are_none(total: Any, usages: Usages, address: Address) -> None:
    with ScriptedServer({**RANKED, "usage": {"total_tokens": total, "text_tokens": 1, "image_pixels": 5}}) as server:
        voyageai.Client(**address(server.url)).rerank("abc", ["de"], model="rerank-2.5")
    assert facts(usages) == [("rerank", 6 if total in ("6", 6.0) else None, None, "complete", 1)]


@pytest.mark.parametrize("body", [b"<html>lorem</html>", b"\xff\xfe", b""])
def test_a_page_instead_of_an_answer(body: bytes, usages: Usages, address: Address) -> None:
    with ScriptedServer([body]) as server, pytest.raises((voyageai.error.VoyageError, UnicodeDecodeError)):
        voyageai.Client(**address(server.url)).embed(["abc"], model="voyage-4")
    assert facts(usages) == [("embeddings", None, None, "error", 1)]


def test_the_caller_sees_the_same(usages: Usages, address: Address) -> None:
    with ScriptedServer(RANKED, RANKED, (400, {"detail": "lorem"})) as server:
        client = voyageai.Client(**address(server.url))
        seen = client.rerank("abc", ["de"], model="rerank-2.5")
        uninstrument()
        plain = client.rerank("abc", ["de"], model="rerank-2.5")
        with pytest.raises(voyageai.error.InvalidRequestError) as plainly:
            client.rerank("abc", ["de"], model="rerank-2.5")
        instrument()
        with pytest.raises(voyageai.error.InvalidRequestError) as raised:
            client.rerank("abc", ["de"], model="rerank-2.5")
        assert vars(seen).keys() == vars(plain).keys()
        assert (seen.results, seen.total_tokens) == (plain.results, plain.total_tokens)
        assert str(raised.value) == str(plainly.value)
        assert server.asked[0] == server.asked[1]
    assert len(usages.recorded) == 2


def ask(recording: Any, given: dict[str, Any]) -> Any:
    body = dict(recording.request)
    if recording.endpoint == "rerank":
        return voyageai.Client(**given).rerank(body["query"], body["documents"], body["model"])
    return voyageai.Client(**given).embed(body["input"], body["model"], body["input_type"], body["truncation"])


async def ask_async(recording: Any, given: dict[str, Any]) -> Any:
    body = dict(recording.request)
    if recording.endpoint == "rerank":
        return await voyageai.AsyncClient(**given).rerank(body["query"], body["documents"], body["model"])
    return await voyageai.AsyncClient(**given).embed(body["input"], body["model"], body["input_type"], body["truncation"])


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the whole corpus of recordings is not beside the repository")
async def test_the_corpus(usages: Usages, address: Address) -> None:
    recordings = [each for each in read_recordings(CORPUS) if each.provider == "voyage"]
    stated = {each.id: json.loads(each.body)["usage"]["total_tokens"] for each in recordings}
    assert len(stated) >= 6
    with ReplayServer(CORPUS, providers=["voyage"]) as server:
        for recording in recordings:
            given = address(server.url("voyage", recording=recording.id) + "/v1")
            ask(recording, given)
            await ask_async(recording, given)
    found = [(each.endpoint, each.request_model, each.response_model, each.input_tokens, each.output_tokens) for each in usages.recorded]
    wanted = [(each.endpoint, each.request["model"], each.expected["model"], stated[each.id], None) for each in recordings for _ in range(2)]
    assert found == wanted
