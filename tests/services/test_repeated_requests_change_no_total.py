"""What is repeated counts once where nobody was paid again, and twice where a provider was: storms of clients, redelivered messages, replayed journals.

Real processes; the truth is what the providers' stand-in has answered.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from examples.services.local.parts import Parts
from tests.support.wheel import ROOT
from tokentrail.clickhouse.client import connect

NIGHT = ROOT / "examples" / "services" / "embedding" / "night.py"
STORM = 50


def run(*command: str, **variables: str) -> str:
    environment = {**os.environ, "TOKENTRAIL_ADOPT_INTERVAL": "1000", **variables}
    ran = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def asked(parts: Parts) -> int:
    """How often providers were asked."""
    return len(httpx.get(f"{parts.url['providers']}/truth").json()["answered"])


async def storm(parts: Parts, question: str, *headers: dict[str, str]) -> list[httpx.Response]:
    """Requests that come at once."""
    async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=None)) as client:
        url = f"{parts.url['query']}/query"
        return await asyncio.gather(*(client.post(url, json={"question": question}, headers=each) for each in headers))


def under_key(tenant: str, key: str) -> dict[str, str]:
    return {"X-Tenant-ID": tenant, "Idempotency-Key": key}


def test_totals_are_what_was_paid(parts: Parts, tmp_path: Path) -> None:
    # a client's storm under one key is paid once, by each tenant; the answers are equal
    for tenant in ("acme", "globex"):
        answers = asyncio.run(storm(parts, "Which planet is the largest?", *[under_key(tenant, "k1")] * STORM))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.text for answer in answers}) == 1
    assert asked(parts) == 2

    # the same question without a key, and under new keys, is paid each time
    asyncio.run(storm(parts, "Which planet is the largest?", *[{"X-Tenant-ID": "acme"}] * 3, under_key("acme", "k2"), under_key("acme", "k3")))
    assert asked(parts) == 7

    # another question under a known key is refused, and nobody is asked
    (refused,) = asyncio.run(storm(parts, "Which one is the smallest?", under_key("acme", "k1")))
    assert refused.status_code == 422
    assert asked(parts) == 7

    # a first attempt that fails is not kept; where Groq refuses, Ollama is paid: both calls are rows, and the repetition is none
    for _ in range(2):
        (answer,) = asyncio.run(storm(parts, "[limit] Which planet is the largest?", under_key("acme", "k4")))
        assert answer.status_code == 200
    assert asked(parts) == 9

    # a service that is restarted has forgotten its answers: the provider is paid again, and both count
    parts.children["query"].terminate()
    parts.children["query"].start(timeout_s=60)
    asyncio.run(storm(parts, "Which planet is the largest?", *[under_key("acme", "k1")] * STORM))
    assert asked(parts) == 10

    # a queue's redelivery: the message's own key makes the records of all deliveries one
    report = tmp_path / "trained.jsonl"
    report.write_text("".join(json.dumps({"tenant": "acme", "job": f"ft-{job}", "model": "m", "tokens": 1000 + job}) + "\n" for job in range(3)))
    for _delivery in range(3):
        run(str(NIGHT), "trained", str(report), TOKENTRAIL_ENDPOINT=parts.usages, TOKENTRAIL_JOURNAL_DIR=str(tmp_path / "night"))
    run("-m", "tokentrail", "journal", "ship", "--dir", str(tmp_path / "night"), "--endpoint", parts.usages)  # what a program's short end has left

    # a journal that is sent again: three copies of it, one after the other
    kept = tmp_path / "kept"
    line = {"tenant": "globex", "endpoint": "embeddings", "texts": ["x"], "at": 1_790_000_000_000_000_000}
    body = {"object": "list", "data": [], "model": "text-embedding-3-small", "usage": {"prompt_tokens": 77, "total_tokens": 77}}
    answered = tmp_path / "answers.jsonl"
    answered.write_text(json.dumps({**line, "body": body}) + "\n")
    run(str(NIGHT), "answers", str(answered), TOKENTRAIL_SHIP="false", TOKENTRAIL_JOURNAL_DIR=str(kept))
    for copy in range(3):
        replayed = tmp_path / f"copy-{copy}"
        shutil.copytree(kept, replayed)
        run("-m", "tokentrail", "journal", "ship", "--dir", str(replayed), "--endpoint", parts.usages)

    parts.stop_services()
    client = connect(parts.dsn)
    try:
        rows: list[dict[str, Any]] = client.query("SELECT * FROM usage").dicts()
    finally:
        client.close()
    by_service: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_service.setdefault(row["service_name"], []).append(row)
    assert len(by_service["query"]) == asked_by_query(rows) == 10
    assert sorted(row["tenant_id"] for row in by_service["query"]) == ["acme"] * 9 + ["globex"]
    night = sorted((row["tenant_id"], row["input_tokens"]) for row in by_service["embedding-night"])
    assert night == [("acme", 1000), ("acme", 1001), ("acme", 1002), ("globex", 77)]
    verified = json.loads(run("-m", "tokentrail", "verify", "--dsn", parts.dsn, "--all", "--json"))
    assert {writer["state"] for writer in verified["writers"]} == {"complete"}


def asked_by_query(rows: list[dict[str, Any]]) -> int:
    return sum(row["calls"] for row in rows if row["provider"] in ("groq", "ollama"))
