"""How the service is tested, by `python -m pytest examples/services/embedding`: recorded answers over real HTTP, and what was counted."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from tokentrail import TOKEN_TYPE_EMBEDDING, TOKEN_TYPE_FINE_TUNING
from tokentrail.testing import ReplayServer, Usages

ACME = {"X-Tenant-ID": "acme"}


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tokentrail_replay: ReplayServer) -> Iterator[TestClient]:
    """The service with a recorded answer of OpenAI."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("OPENAI_BASE_URL", tokentrail_replay.url("openai"))
    monkeypatch.syspath_prepend(Path(__file__).parent)
    monkeypatch.delitem(sys.modules, "app", raising=False)  # of another service, whose tests ran before
    import app  # noqa: PLC0415 - after the variables that it reads

    monkeypatch.setattr(sys.modules["app"], "MODEL", "text-embedding-ada-002")
    with TestClient(app.app) as client:
        yield client


def test_texts_are_paid_once_and_remembered(service: TestClient, tokentrail_usages: Usages) -> None:
    first = service.post("/embeddings/batch", json={"texts": ["hello", "world"]}, headers=ACME).json()
    again = service.post("/embeddings/batch", json={"texts": ["hello", "world"]}, headers=ACME).json()
    (usage,) = tokentrail_usages
    assert (usage.tenant_id, usage.operation, usage.token_type) == ("acme", "batch", TOKEN_TYPE_EMBEDDING)
    assert first["statistics"]["tokens"] == usage.input_tokens
    assert (again["statistics"]["tokens"], again["statistics"]["remembered"]) == (0, 2)
    assert again["vectors"] == first["vectors"]


def test_a_text_that_others_push_out_meanwhile_is_answered(service: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    app = sys.modules["app"]

    async def while_others_embed(texts: list[str]) -> list[list[float]]:
        app.app.state.remembered.clear()
        return [[float(len(text))] for text in texts]

    monkeypatch.setitem(app.EMBEDDERS, "openai", while_others_embed)
    assert service.post("/embeddings", json={"text": "known"}, headers=ACME).is_success
    answer = service.post("/embeddings/batch", json={"texts": ["known", "new"]}, headers=ACME).json()
    assert answer["vectors"] == [[5.0], [3.0]]
    assert answer["statistics"]["remembered"] == 1


def test_a_provider_that_is_too_slow_is_one_sentence(service: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def too_slow(_texts: list[str]) -> list[list[float]]:
        raise httpx.ReadTimeout("")  # as Ollama's client raises it

    monkeypatch.setitem(sys.modules["app"].EMBEDDERS, "openai", too_slow)
    answer = service.post("/embeddings", json={"text": "hello"}, headers=ACME)
    assert (answer.status_code, answer.json()) == (503, {"detail": "openai does not answer"})


def test_a_text_that_no_model_reads_is_refused_before_anybody_is_paid(service: TestClient, tokentrail_usages: Usages) -> None:
    answer = service.post("/embeddings/batch", json={"texts": ["hello", "many words " * 10_000]}, headers=ACME)
    assert answer.json() == {"detail": "a text has more than 8191 tokens"}
    assert len(tokentrail_usages) == 0


def test_a_report_that_is_read_twice_counts_once(tokentrail_usages: Usages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    import night  # noqa: PLC0415 - a program beside this file

    trained, answers = tmp_path / "trained.jsonl", tmp_path / "answers.jsonl"
    trained.write_text(json.dumps({"tenant": "acme", "job": "ft-17", "model": "our-embedder", "tokens": 120_000}) + "\n")
    body = {"object": "list", "data": [], "model": "text-embedding-3-small", "usage": {"prompt_tokens": 5, "total_tokens": 5}}
    answers.write_text(
        json.dumps({"tenant": "acme", "endpoint": "embeddings", "body": body, "texts": ["hello"], "at": 1_790_000_000_000_000_000}) + "\n"
    )
    for _ in range(2):
        assert night.count_trained(trained) == 1
        assert night.count_answers(answers) == 1
    assert [(usage.token_type, usage.input_tokens) for usage in tokentrail_usages] == [(TOKEN_TYPE_FINE_TUNING, 120_000), (TOKEN_TYPE_EMBEDDING, 5)]
