"""RQ: workers of their own, a real redis-server, and each job is counted for who enqueued it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.queues import Provider, Service, redis_server, rows
from tests.support.waiting import wait_until
from tokentrail.local.child import Child

pytestmark = pytest.mark.slow
ACME, GLOBEX, NOBODY = ("acme", "batch", "op1"), ("globex", "query", "op2"), ("", "chat", "")
TENANTS = {(tenant, "summarize", f"digest-{tenant}"): 1 for tenant in ("acme", "globex", "initech")}
JOB = "tokentrail.propagation.rq.Job"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    with redis_server(tmp_path / "redis") as address:
        yield address


@contextmanager
def worker(service: Service, kind: str = "Worker", job_class: str = JOB) -> Iterator[Child]:
    with service.worker("rq.cli", "worker", "--with-scheduler", "--worker-class", f"rq.{kind}", "--job-class", job_class).start() as started:
        yield started


@pytest.mark.parametrize("kind", ["Worker", "SpawnWorker", "SimpleWorker"])
def test_the_recipe_counts_each_tenants_jobs_and_their_retries(tmp_path: Path, redis: str, kind: str) -> None:
    with Provider(refuses="acme") as provider:
        service = Service(tmp_path, provider, redis)
        with worker(service, kind) as started:
            service.run("rq_tasks")
            usages = service.usages(5, started)
    assert rows(usages) == TENANTS | {("acme", "summarize", "digest-acme"): 2, ("", "summarize", ""): 1}
    assert provider.asked_with("acme") == 2
    assert [usage.input_tokens for usage in usages if not usage.error_type] == [40] * 4


def test_whatever_rq_does_with_a_job(tmp_path: Path, redis: str) -> None:
    expected = {ACME: 2 + 2 + 2 + 2 + 2, GLOBEX: 2 + 1 + 2, ("sub", "classification", ""): 1, NOBODY: 3}
    with Provider() as provider:
        service = Service(tmp_path, provider, redis)
        service.run("rq_probe", "everything")
        with worker(service) as started:
            usages = service.usages(sum(expected.values()), started)
    assert rows(usages) == expected
    assert {usage.metadata for usage in usages if usage.tenant_id == "acme"} == {'{"a": 1}'}
    assert provider.asked_with("killed") == 2


def test_a_queue_that_runs_jobs_at_once(tmp_path: Path, redis: str) -> None:
    with Provider() as provider:
        service = Service(tmp_path, provider, redis)
        service.run("rq_probe", "at_once")
        with worker(service) as unused:
            usages = service.usages(5, unused)
    assert rows(usages) == {ACME: 3, GLOBEX: 1, NOBODY: 1}


def test_workers_and_queues_without_the_class_run_every_job(tmp_path: Path, redis: str) -> None:
    with Provider() as provider:
        service = Service(tmp_path, provider, redis)
        service.run("rq_probe", "mixed")
        with worker(service) as started:
            assert rows(service.usages(2, started)) == {ACME: 1, NOBODY: 1}
        service.run("rq_probe", "mixed")
        with worker(service, job_class="rq.job.Job") as started:
            wait_until(lambda: len(provider.asked) == 4, "both jobs run", deadline_s=60)
            assert started.running
