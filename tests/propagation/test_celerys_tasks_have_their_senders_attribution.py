"""Celery: workers of their own, a real broker, and each task is counted for who sent it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.queues import Provider, Service, redis_server, rows
from tokentrail.local.child import Child

pytestmark = pytest.mark.slow
POOLS = ["prefork", "threads"]
ACME, GLOBEX, NOBODY = ("acme", "batch", "op1"), ("globex", "query", "op2"), ("", "chat", "")
TENANTS = {(tenant, "summarize", f"digest-{tenant}"): 1 for tenant in ("acme", "globex", "initech")}


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    with redis_server(tmp_path / "redis") as address:
        yield address


@pytest.mark.parametrize("first", ["opentelemetry", "tokentrail"])
def test_baggage_that_opentelemetry_carries_counts_where_the_sender_has_no_tokentrail(tmp_path: Path, redis: str, first: str) -> None:
    with Provider() as provider:
        service = Service(tmp_path, provider, redis)
        with worker(service, "prefork", 1, f"celery_{first}_first") as started:
            service.run("celery_opentelemetry_first", "send")
            usages = service.usages(3, started)
    assert rows(usages) == {("of/baggage", "chat", "op3"): 1, ACME: 1, NOBODY: 1}


@contextmanager
def worker(service: Service, pool: str, concurrency: int = 1, module: str = "celery_probe", *more: str) -> Iterator[Child]:
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--pool", pool, "--concurrency", str(concurrency)]
    with service.worker("celery", "-A", module, "worker", *quiet, *more).start() as started:
        yield started


@pytest.mark.parametrize("pool", [*POOLS, "gevent"])
def test_the_recipe_counts_each_tenants_tasks_and_their_retries(tmp_path: Path, redis: str, pool: str) -> None:
    with Provider(refuses="acme", together=3) as provider:
        service = Service(tmp_path, provider, redis)
        with worker(service, pool, 3, "celery_tasks") as started:
            service.run("celery_tasks")
            usages = service.usages(5, started)
    assert rows(usages) == TENANTS | {("acme", "summarize", "digest-acme"): 2, ("", "summarize", ""): 1}
    assert provider.asked_with("acme") == 2
    assert provider.side_by_side
    assert [usage.input_tokens for usage in usages if not usage.error_type] == [40] * 4


@pytest.mark.parametrize("pool", POOLS)
def test_through_files_too(tmp_path: Path, pool: str) -> None:
    with Provider() as provider:
        service = Service(tmp_path, provider, "filesystem://")
        service.run("celery_probe", "plain")
        with worker(service, pool) as started:
            usages = service.usages(12, started)
    assert rows(usages) == {ACME: 3, GLOBEX: 3, NOBODY: 6}
    assert {usage.metadata for usage in usages if usage.tenant_id == "acme"} == {'{"a": 1}'}


@pytest.mark.parametrize(
    ("pool", "what", "expected"),
    [
        ("prefork", "canvas", {ACME: 3 + 3 + 3 + 2 + 2, NOBODY: 1}),
        ("threads", "canvas", {ACME: 3 + 3 + 3 + 2 + 2, NOBODY: 1}),
        ("prefork", "hard", {ACME: 2, ("acme", "chat", "inner"): 2, GLOBEX: 1, NOBODY: 1}),
        ("threads", "headers", {ACME: 2, GLOBEX: 3, ("sub", "classification", ""): 2, NOBODY: 1}),
        ("prefork", "old_protocol", {ACME: 1, NOBODY: 1}),
    ],
)
def test_whatever_celery_does_with_a_task(tmp_path: Path, redis: str, pool: str, what: str, expected: dict[Any, int]) -> None:
    with Provider() as provider:
        service = Service(tmp_path, provider, redis)
        with worker(service, pool) as started:
            service.run("celery_probe", what)
            usages = service.usages(sum(expected.values()), started)
    assert rows(usages) == expected


def test_eager_tasks_have_the_callers(tmp_path: Path) -> None:
    with Provider() as provider:
        service = Service(tmp_path, provider, "memory://")
        service.run("celery_probe", "eager")
        usages = service.usages(5, service.worker("celery", "--version"))
    assert rows(usages) == {ACME: 2, GLOBEX: 2, NOBODY: 1}
