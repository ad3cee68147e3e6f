"""A job counts once in the ledger, for the tenant and the operation of its creation, whichever process created, polled and read it, in any order.

Each process here is a runtime of its own, which remembers nothing of the others; their records meet in the engine.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import openai
import pytest

import tokentrail
from tests.support.bedrock import AWS
from tests.support.job_server import JobServer, lines
from tests.support.ledger_rows import Land, Row, Total, recorded
from tokentrail import track_tokens
from tokentrail.clickhouse.client import Client
from tokentrail.ledger.verify import verify
from tokentrail.process.current import current
from tokentrail.recording.delivery import Memory
from tokentrail.recording.runtime import Runtime
from tokentrail.settings import Settings

CREATED = 1790000000
TOTAL = {"input_tokens": 36, "input_tokens_details": {"cached_tokens": 8}, "output_tokens": 224, "total_tokens": 260}


def batch(status: str, usage: Any = None) -> dict[str, Any]:
    ended = {"output_file_id": "file-out", "request_counts": {"total": 2, "completed": 2, "failed": 0}} if status == "completed" else {}
    head = {"id": "batch_1", "object": "batch", "endpoint": "/v1/chat/completions", "input_file_id": "file-in", "completion_window": "24h"}
    return {**head, "status": status, "created_at": CREATED, "usage": usage, **ended}


def result(number: int) -> dict[str, Any]:
    usage = {"prompt_tokens": 10 + number, "completion_tokens": 3, "total_tokens": 13 + number}
    body = {"id": f"chatcmpl-{number}", "created": CREATED, "model": "gpt-5-nano", "choices": [], "usage": usage}
    return {"id": f"batch_req_{number}", "custom_id": str(number), "response": {"status_code": 200, "request_id": "r", "body": body}, "error": None}


class Fleet:
    """Processes that share a provider; `records` are the rows of all that they record."""

    def __init__(self, url: str) -> None:
        self.records: list[Row] = []
        self._url = url
        self._numbers = itertools.count(1)

    @contextmanager
    def process(self, **block: Any) -> Iterator[openai.OpenAI]:
        name, numbers = f"process {next(self._numbers)}", itertools.count(1)

        def take(usage: Any) -> None:
            self.records.append(recorded(usage, by=name, seq=next(numbers)))

        runtime = Runtime(Settings(estimate=False))
        runtime.delivery = Memory(take, runtime.estimate)
        with runtime.in_place(), track_tokens(**block), openai.OpenAI(base_url=self._url, api_key="none", max_retries=0) as client:
            yield client
            runtime.deferred.drain(10)


@pytest.fixture
def fleet() -> Iterator[Callable[[Any], Fleet]]:
    tokentrail.instrument(["openai"])
    with JobServer({}) as server:

        def make(usage: Any) -> Fleet:
            server.answers |= {
                "POST /batches": batch("validating"),
                "GET /batches/batch_1": batch("completed", usage),
                "GET /files/file-out/content": lines(result(0), result(1)),
            }
            return Fleet(server.url)

        yield make
    assert not isinstance(current.runtime.delivery, Memory)


def run(fleet: Fleet, *steps: str) -> None:
    for step in steps:
        if step == "create":
            with fleet.process(tenant_id="acme", operation="summarize", operation_id="7", metadata={"a": 1}) as client:
                client.batches.create(input_file_id="file-in", endpoint="/v1/chat/completions", completion_window="24h")
        elif step == "poll":
            with fleet.process(tenant_id="poller", operation="internal", operation_id="8", metadata={"b": 2}) as client:
                client.batches.retrieve("batch_1")
        elif step == "read":
            with fleet.process(tenant_id="reader", operation="chat") as client:
                client.files.content("file-out")
        elif step == "read the first":
            with fleet.process(tenant_id="reader") as client, client.files.with_streaming_response.content("file-out") as response:
                next(response.iter_lines())


CASES = [
    (TOTAL, ("create", "poll", "poll"), (2, 36, 224), "acme"),
    (TOTAL, ("create", "poll", "read", "read"), (2, 36, 224), "acme"),
    (TOTAL, ("poll", "read"), (2, 36, 224), "poller"),
    (TOTAL, ("create", "read the first", "poll"), (2, 36, 224), "acme"),
    (TOTAL, ("create", "read"), (2, 21, 6), "reader"),  # no process saw whose file that is
    (None, ("create", "poll", "read"), (2, 21, 6), "acme"),
    (None, ("poll", "read", "read the first"), (2, 21, 6), "reader"),
    (None, ("create", "poll", "poll"), (0, 0, 0), ""),
    (TOTAL, ("create",), (0, 0, 0), ""),
]


@pytest.mark.parametrize(("usage", "steps", "counts", "tenant"), CASES)
def test_in_any_order(usage: Any, steps: tuple[str, ...], counts: Any, tenant: str, fleet: Any, land: Land, total: Total, database: Client) -> None:
    made = fleet(usage)
    run(made, *steps)
    random.Random(7).shuffle(made.records)
    for record in made.records:
        land(record)
    land(*made.records)
    found = total()
    assert (found[0] or 0, *found[1:]) == counts
    rows = database.query("SELECT DISTINCT tenant_id, operation, operation_id, metadata FROM usage").rows
    about = {"acme": ["summarize", "7", '{"a": 1}'], "poller": ["batch", "8", '{"b": 2}'], "reader": ["batch", "", ""]}
    assert [list(each) for each in rows] == ([[tenant, *about[tenant]]] if tenant else [])
    report = verify(database)
    assert not report.conflicts


def test_a_day_of_it_is_found_by_its_time(fleet: Any, land: Land, database: Client) -> None:
    made = fleet(TOTAL)
    run(made, "create", "poll")
    land(*made.records)
    query = "SELECT count() FROM usage WHERE ts >= toDateTime64({from:Int64}, 9, 'UTC') AND ts < toDateTime64({to:Int64}, 9, 'UTC')"
    assert database.query(query, {"from": CREATED, "to": CREATED + 1}).rows[0][0] == 1
    assert database.query(query, {"from": CREATED + 1, "to": CREATED + 10}).rows[0][0] == 0


def test_callers_keys_may_look_like_those_of_jobs(land: Land, total: Total) -> None:
    from tests.support.ledger_rows import claimed

    land(claimed("a#b", seq=1), claimed("a##created", seq=2), claimed("##usage", seq=3), claimed("#", seq=4))
    assert total() == (4, 40, 20)


ARN = "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/a1b2c3d4e5f6"
MANIFEST = {"totalRecordCount": 2, "processedRecordCount": 2, "successRecordCount": 2, "inputTokenCount": 21, "outputTokenCount": 6}


def line(number: int) -> dict[str, Any]:
    usage = {"input_tokens": 10 + number, "output_tokens": 3}
    asked = {"messages": [{"role": "user", "content": "lorem"}]}
    return {"recordId": f"CALL000000{number}", "modelInput": asked, "modelOutput": {"type": "message", "id": f"m-{number}", "usage": usage}}


STORED = [
    (("create", "read", "read"), (2, 21, 6), "acme", 2),
    (("create", "read", "sum up", "read", "sum up"), (2, 21, 6), "acme", 1),
    (("sum up", "read the first"), (2, 21, 6), "reader", 1),
    (("read the first", "create"), (1, 10, 3), "acme", 1),
    (("create",), (0, 0, 0), "", 0),
]


@pytest.mark.parametrize(("steps", "counts", "tenant", "rows"), STORED)
def test_results_in_the_callers_storage(
    steps: tuple[str, ...], counts: Any, tenant: str, rows: int, fleet: Any, land: Land, total: Total, database: Client
) -> None:
    """Bedrock's lines and manifest, which several processes read in S3: `tokentrail.track_response`."""
    made = fleet(None)
    tokentrail.instrument(["botocore"])
    for step in steps:
        with JobServer({"POST /model-invocation-job": {"jobArn": ARN}}) as server, made.process(tenant_id="acme" if step == "create" else "reader"):
            if step == "create":
                places = {
                    "inputDataConfig": {"s3InputDataConfig": {"s3Uri": "s3://a/b"}},
                    "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://a/c"}},
                }
                role = "arn:aws:iam::123456789012:role/batch"
                given = {"jobName": "lorem", "roleArn": role, "modelId": "anthropic.claude-haiku-4-5-20251001-v1:0", **places}
                boto3.client("bedrock", endpoint_url=server.url, **AWS).create_model_invocation_job(**given)
            elif step == "sum up":
                tokentrail.track_response("aws.bedrock", "batch", MANIFEST, job=ARN)
            else:
                wanted = [line(0)] if step == "read the first" else [line(0), line(1)]
                tokentrail.track_response("aws.bedrock", "batch", lines(*wanted), job=ARN.rpartition("/")[2])
    random.Random(7).shuffle(made.records)
    for record in made.records:
        land(record)
    land(*made.records)
    found = total()
    assert (found[0] or 0, *found[1:]) == counts
    kept = database.query("SELECT tenant_id, operation, count() FROM usage GROUP BY ALL").rows
    assert [tuple(each) for each in kept] == ([(tenant, "batch", rows)] if rows else [])
    assert not verify(database).conflicts
