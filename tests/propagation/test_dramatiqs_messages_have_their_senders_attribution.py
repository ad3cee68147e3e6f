"""Dramatiq: workers of their own, a real redis-server, and each message is counted for who sent it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.queues import Provider, Service, redis_server, rows
from tokentrail.local.child import Child

pytestmark = pytest.mark.slow
ACME, GLOBEX, NOBODY = ("acme", "batch", "op1"), ("globex", "query", "op2"), ("", "chat", "")
TENANTS = {(tenant, "summarize", f"digest-{tenant}"): 1 for tenant in ("acme", "globex", "initech")}


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    with redis_server(tmp_path / "redis") as address:
        yield address


@contextmanager
def worker(service: Service, module: str, threads: int) -> Iterator[Child]:
    with service.worker("dramatiq", module, "--processes", "1", "--threads", str(threads)).start() as started:
        yield started


def test_the_recipe_counts_each_tenants_messages_and_their_retries(tmp_path: Path, redis: str) -> None:
    with Provider(refuses="acme", together=3) as provider:
        service = Service(tmp_path, provider, redis)
        with worker(service, "dramatiq_tasks", 3) as started:
            service.run("dramatiq_tasks")
            usages = service.usages(5, started)
    assert rows(usages) == TENANTS | {("acme", "summarize", "digest-acme"): 2, ("", "summarize", ""): 1}
    assert provider.asked_with("acme") == 2
    assert provider.side_by_side
    assert [usage.input_tokens for usage in usages if not usage.error_type] == [40] * 4


@pytest.mark.parametrize("last", ["", "last"])
def test_whatever_dramatiq_does_with_a_message_and_wherever_the_middleware_stands(tmp_path: Path, redis: str, last: str) -> None:
    expected = {ACME: 1 + 1 + 3 + 2 + 2 + 1, GLOBEX: 2 + 1 + 1 + 1 + 1, ("sub", "classification", ""): 1, NOBODY: 3}
    with Provider() as provider:
        service = Service(tmp_path, provider, redis, LAST=last)
        service.run("dramatiq_probe", "everything")
        with worker(service, "dramatiq_probe", 1) as started:
            usages = service.usages(sum(expected.values()), started)
    assert rows(usages) == expected
    assert {usage.metadata for usage in usages if usage.tenant_id == "acme"} == {'{"a": 1}'}
    assert provider.asked_with("skipped") == 0


def test_a_message_that_is_delivered_again_counts_as_often_as_the_provider_was_asked(tmp_path: Path, redis: str) -> None:
    with Provider() as provider:
        service = Service(tmp_path, provider, redis)
        service.run("dramatiq_probe", "killed")
        with worker(service, "dramatiq_probe", 1) as first:
            first.wait(60)
        with worker(service, "dramatiq_probe", 1) as second:
            usages = service.usages(2, second)
    assert rows(usages) == {ACME: 2}
    assert provider.asked_with("killed") == 2
