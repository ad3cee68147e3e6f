"""How the service is tested, by `python -m pytest examples/services/query`: recorded answers over real HTTP, and what was counted."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tokentrail import TOKEN_TYPE_LLM, Ended, Usage
from tokentrail.testing import Faults, ReplayServer, Usages

ACME = {"X-Tenant-ID": "acme", "X-Request-ID": "request-7"}
Service = Callable[..., AbstractContextManager[TestClient]]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tokentrail_replay: ReplayServer) -> Service:
    """The service with recorded answers of Groq and Ollama; the faults of one, and of the other."""

    @contextmanager
    def started(groq: Faults | None = None, ollama: Faults | None = None) -> Iterator[TestClient]:
        monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
        monkeypatch.setenv("GROQ_API_KEY", "none")
        monkeypatch.setenv("GROQ_BASE_URL", tokentrail_replay.url("groq", faults=groq))
        monkeypatch.setenv("OLLAMA_HOST", tokentrail_replay.url("ollama", faults=ollama))
        monkeypatch.syspath_prepend(Path(__file__).parent)
        monkeypatch.delitem(sys.modules, "app", raising=False)  # of another service, whose tests ran before
        import app  # noqa: PLC0415 - after the variables that it reads

        monkeypatch.setattr(sys.modules["models"], "GROQ_MODEL", "openai/gpt-oss-120b")
        monkeypatch.setattr(sys.modules["models"], "OLLAMA_MODEL", "llama3")
        with TestClient(app.app) as client:
            yield client

    return started


def test_an_answer_is_one_call_of_the_tenant(service: Service, tokentrail_usages: Usages) -> None:
    with service() as client:
        answer = client.post("/query", json={"question": "Why?"}, headers=ACME).json()
    usage: Usage = tokentrail_usages[0]
    assert len(tokentrail_usages) == 1
    assert (usage.tenant_id, usage.operation, usage.operation_id, usage.token_type) == ("acme", "query", "request-7", TOKEN_TYPE_LLM)
    assert (usage.provider, usage.ended) == ("groq", Ended.COMPLETE)
    assert (answer["input_tokens"], answer["output_tokens"]) == (usage.input_tokens, usage.output_tokens)


def test_a_limited_rate_is_answered_by_the_second_model(service: Service, tokentrail_usages: Usages) -> None:
    with service(Faults(fail_first=1, fail_status=429)) as client:
        assert client.post("/summarize", json={"text": "A long text."}, headers=ACME).is_success
    assert [(usage.provider, usage.ended, usage.operation) for usage in tokentrail_usages] == [
        ("groq", Ended.ERROR, "summarize"),
        ("ollama", Ended.COMPLETE, "summarize"),
    ]


def test_where_no_model_answers_both_attempts_are_rows(service: Service, tokentrail_usages: Usages) -> None:
    with service(Faults(fail_first=1), Faults(fail_first=1)) as client:
        answer = client.post("/query", json={"question": "Why?"}, headers=ACME)
    assert answer.json() == {"detail": "no model answers"}
    assert [(usage.provider, usage.ended) for usage in tokentrail_usages] == [("groq", Ended.ERROR), ("ollama", Ended.ERROR)]
