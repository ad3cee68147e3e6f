"""What the delivery refuses of a job is recorded at the next poll: of two polls at once one records, and nothing is added twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from tests.support.job_server import JobServer, lines
from tokentrail import track_tokens
from tokentrail.idempotency import fact_of
from tokentrail.process.current import current
from tokentrail.recording.delivery import Texts
from tokentrail.usage import Usage

CREATED = 1790000000
TOTAL = {"input_tokens": 36, "output_tokens": 224, "total_tokens": 260}


class PickyDelivery:
    """A delivery that refuses what a test names, as a journal does whose disk is full; each record is numbered all the same."""

    def __init__(self) -> None:
        self.refuses: Callable[[Usage], bool] = lambda _: False
        self.taken: list[Usage] = []
        self.refused: list[Usage] = []

    def append(self, usage: Usage, texts: Texts | None = None) -> int:
        number = len(self.taken) + len(self.refused) + 1
        if self.refuses(usage):
            self.refused.append(usage)
            return -number
        self.taken.append(usage)
        return number

    def flush(self, timeout: float) -> bool:
        return True

    def close(self, deadline: float) -> None:
        pass

    def facts(self) -> list[str]:
        return [fact_of(usage.key) for usage in self.taken if usage.calls == 0]

    def counts(self) -> list[int | None]:
        return [usage.input_tokens for usage in self.taken if usage.calls]


@pytest.fixture
def delivery() -> Iterator[PickyDelivery]:
    runtime = current.runtime
    usual, runtime.delivery = runtime.delivery, PickyDelivery()
    yield runtime.delivery
    runtime.delivery = usual


def batch(status: str, **more: Any) -> dict[str, Any]:
    counted = {"total": 2, "completed": 2, "failed": 0}
    named = {"id": "batch_1", "object": "batch", "endpoint": "/v1/chat/completions", "input_file_id": "file-in", "completion_window": "24h"}
    return {**named, "status": status, "created_at": CREATED, "request_counts": counted, **more}


def result(number: int) -> dict[str, Any]:
    usage = {"prompt_tokens": 10 + number, "completion_tokens": 3, "total_tokens": 13 + number}
    body = {"id": f"chatcmpl-{number}", "object": "chat.completion", "created": CREATED, "model": "gpt-5-nano", "choices": [], "usage": usage}
    return {"id": f"r{number}", "custom_id": str(number), "response": {"status_code": 200, "request_id": "q", "body": body}, "error": None}


@pytest.fixture
def client() -> Iterator[openai.OpenAI]:
    answers = {
        "POST /batches": batch("validating"),
        "GET /batches/batch_1": batch("completed", usage=TOTAL, output_file_id="file-out"),
        "GET /files/file-out/content": lines(result(0), result(1)),
        "POST /responses": {"id": "resp_1", "object": "response", "created_at": CREATED, "status": "queued", "background": True, "output": []},
        "GET /responses/resp_1": {
            "id": "resp_1", "object": "response", "created_at": CREATED, "status": "completed", "background": True, "output": [], "usage": TOTAL,
        },
    }  # fmt: skip
    with JobServer(answers) as server:
        yield openai.OpenAI(base_url=server.url, api_key="none", max_retries=0)


def create(client: openai.OpenAI) -> None:
    client.batches.create(input_file_id="file-in", endpoint="/v1/chat/completions", completion_window="24h")


def test_the_usage_of_a_batch(delivery: PickyDelivery, client: openai.OpenAI) -> None:
    delivery.refuses = lambda usage: usage.calls > 0
    with track_tokens(tenant_id="acme") as spent:
        client.batches.retrieve("batch_1")
        assert (delivery.counts(), len(delivery.refused)) == ([], 1)
        delivery.refuses = lambda _: False
        for _ in range(3):
            client.batches.retrieve("batch_1")
    assert delivery.counts() == [36]
    assert (spent.input_tokens, spent.calls) == (36, 2), "spent when it was refused, and not again when it was taken"


def test_the_results_of_a_batch(delivery: PickyDelivery, client: openai.OpenAI) -> None:
    delivery.refuses = lambda usage: usage.input_tokens == 11
    client.files.content("file-out")
    assert delivery.counts() == [10]
    delivery.refuses = lambda _: False
    for _ in range(2):
        client.files.content("file-out")
    assert delivery.counts() == [10, 11]


def test_the_fact_that_results_do_not_count(delivery: PickyDelivery, client: openai.OpenAI) -> None:
    delivery.refuses = lambda usage: usage.calls == 0
    client.batches.retrieve("batch_1")
    assert delivery.facts() == []
    delivery.refuses = lambda _: False
    for _ in range(2):
        client.batches.retrieve("batch_1")
    assert delivery.facts() == ["usage"]


def test_the_fact_of_a_creation(delivery: PickyDelivery, client: openai.OpenAI) -> None:
    delivery.refuses = lambda usage: usage.calls == 0
    with track_tokens(tenant_id="acme"):
        create(client)
    client.batches.retrieve("batch_1")  # refused once more
    delivery.refuses = lambda _: False
    for _ in range(2):
        client.batches.retrieve("batch_1")
    assert delivery.facts() == ["created", "usage"]
    assert [usage.tenant_id for usage in delivery.taken if fact_of(usage.key) == "created"] == ["acme"]


@pytest.mark.skipif(not hasattr(openai.OpenAI, "responses"), reason="this openai has no Responses")
def test_the_creation_of_a_background_response(delivery: PickyDelivery, client: openai.OpenAI) -> None:
    delivery.refuses = lambda usage: usage.calls == 0
    client.responses.create(model="gpt-5", input="hello", background=True)
    assert len(delivery.refused) == 1
    delivery.refuses = lambda _: False
    for _ in range(2):
        client.responses.retrieve("resp_1")
    assert delivery.facts() == ["created"]


def test_two_threads_that_poll_at_once(delivery: PickyDelivery, client: openai.OpenAI) -> None:
    """The first append waits until the second poll is over: a mark that is made only afterwards would let both append."""
    first, second_is_over = threading.Event(), threading.Event()

    def wait(usage: Usage) -> bool:
        if usage.calls and not first.is_set():
            first.set()
            assert second_is_over.wait(10)
        return False

    delivery.refuses = wait
    with track_tokens() as spent, ThreadPoolExecutor(1) as threads:
        polling = threads.submit(client.batches.retrieve, "batch_1")
        assert first.wait(10)
        client.batches.retrieve("batch_1")
        second_is_over.set()
        polling.result(10)
    assert delivery.counts() == [36]
    assert spent.calls <= 2


def test_an_interrupt_amid_the_append(delivery: PickyDelivery, client: openai.OpenAI) -> None:
    def interrupt(_: Usage) -> bool:
        raise KeyboardInterrupt

    delivery.refuses = interrupt
    with pytest.raises(KeyboardInterrupt):
        client.files.content("file-out")
    delivery.refuses = lambda _: False
    client.files.content("file-out")
    assert delivery.counts() == [10, 11]
