"""`tokentrail import langfuse`: observations as the API's pages, an export of the interface, and files in blob storage have them."""

from __future__ import annotations

import csv
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.importing.conftest import Ledger

PROMPT = "a secret prompt"
TRACE = "0af7651916cd43dd8448eb211c80319c"


def stored(number: int, **more: Any) -> dict[str, Any]:
    """A row of observations_v2, as blob storage has it."""
    return {
        "id": f"{number:016x}",
        "trace_id": TRACE,
        "project_id": "p1",
        "environment": "production",
        "type": "GENERATION",
        "parent_observation_id": "",
        "start_time": "2026-03-01 12:00:00.963000",
        "end_time": "2026-03-01 12:00:02.463000",
        "name": "answer",
        "metadata": {"attributes": {"gen_ai.system": "openai"}, "note": PROMPT},
        "level": "DEFAULT",
        "status_message": "",
        "version": "3",
        "input": PROMPT,
        "output": PROMPT,
        "provided_model_name": "gpt-4o-mini",
        "model_parameters": '{"temperature":0.7}',
        "usage_details": {"input": 12, "output": 5, "total": 17},
        "cost_details": {"input": 0.001},
        "completion_start_time": None,
        "total_cost": 0.00125,
        "user_id": "acme",
        "session_id": "session-1",
        "trace_name": "ask",
        "tags": ["beta"],
    } | more


def of_the_api(number: int, **more: Any) -> dict[str, Any]:
    """An observation of /api/public/observations, which an export of the interface has too."""
    return {
        "id": f"{number:016x}",
        "traceId": TRACE,
        "type": "GENERATION",
        "startTime": "2026-03-01T12:00:00.963Z",
        "endTime": "2026-03-01T12:00:02.463Z",
        "completionStartTime": "2026-03-01T12:00:01.213Z",
        "model": "claude-sonnet-4-5",
        "input": PROMPT,
        "output": PROMPT,
        "metadata": {"ls_provider": "anthropic"},
        "usage": {"unit": "TOKENS", "input": 1_000, "output": 50, "total": 1_050},
        "usageDetails": {"input": 100, "cache_read_input_tokens": 700, "cache_creation_input_tokens": 200, "output": 50, "total": 1_050},
        "promptTokens": 1_000,
        "userId": "umbrella",
        "level": "DEFAULT",
    } | more


ROWS = [
    stored(1),
    # OpenAI's details, which Langfuse takes out of input and output
    stored(2, usage_details={"input": 20, "input_cached_tokens": 80, "output": 10, "output_reasoning_tokens": 30, "total": 140}),
    # totals that a program has given with their parts, and Langfuse has not added up
    stored(3, usage_details={"input": 100, "input_cached_tokens": 80, "output": 40, "reasoning_tokens": 30, "total": 140}),
    stored(4, type="EMBEDDING", usage_details={"input": 9, "total": 9}, provided_model_name="text-embedding-3-small", user_id=""),
    of_the_api(5),
    # an older export: totals alone, and a program that counted characters
    of_the_api(6, usageDetails=None, usage={"unit": "TOKENS", "input": 7, "output": 3}, metadata=None),
    of_the_api(7, usageDetails={}, usage=None, promptTokens=8, completionTokens=2, totalTokens=10, metadata="text"),
    of_the_api(8, providedUsageDetails={}, usageDetails={"input": 6, "output": 1, "total": 7}),
    of_the_api(9, level="ERROR", usageDetails={}, usage=None, promptTokens=0),
    of_the_api(10, usageDetails={}, usage={"unit": "CHARACTERS", "input": 900}, promptTokens=0),
    stored(11, type="SPAN", usage_details={}),
    stored(12, type="AGENT"),
    stored(13, usage_details={}),
    stored(14, usage_details={"input": -1}),
    {"name": "no observation"},
]
TAKEN = 9
EXPECTED = [
    # tenant, operation, token type, provider, model, ended, input, output, cache reads, cache writes, reasoning, source
    ["acme", "chat", "llm", "openai", "gpt-4o-mini", "complete", 12, 5, None, None, None, "reported"],
    ["acme", "chat", "llm", "openai", "gpt-4o-mini", "complete", 100, 40, 80, None, 30, "reported"],
    ["acme", "chat", "llm", "openai", "gpt-4o-mini", "complete", 100, 40, 80, None, 30, "reported"],
    ["", "vector_search", "embedding", "openai", "text-embedding-3-small", "complete", 9, None, None, None, None, "reported"],
    ["umbrella", "chat", "llm", "anthropic", "claude-sonnet-4-5", "complete", 1_000, 50, 700, 200, None, "reported"],
    ["umbrella", "chat", "llm", "", "claude-sonnet-4-5", "complete", 7, 3, None, None, None, "reported"],
    ["umbrella", "chat", "llm", "", "claude-sonnet-4-5", "complete", 8, 2, None, None, None, "reported"],
    ["umbrella", "chat", "llm", "anthropic", "claude-sonnet-4-5", "complete", 6, 1, None, None, None, "estimated"],
    ["umbrella", "chat", "llm", "anthropic", "claude-sonnet-4-5", "error", None, None, None, None, None, "unknown"],
]
COLUMNS = "tenant_id, operation, token_type, provider, model, ended, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,"
COLUMNS += " reasoning_tokens, source"


def written(folder: Path, form: str, rows: list[dict[str, Any]] = ROWS) -> Path:
    path = folder / f"observations.{form}"
    if form == "csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
            writer.writeheader()
            for row in rows:
                writer.writerow({name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in row.items()})
    elif form == "jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    else:
        path.write_text(json.dumps({"data": rows, "meta": {"page": 1}} if form == "page.json" else rows))
    return path


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "page.json"])
def test_every_form_says_the_same(nowhere: Ledger, tmp_path: Path, form: str) -> None:
    found = nowhere.imported("langfuse", str(written(tmp_path, form)), "--dry-run", "--without-ledger")
    assert (found["read"], found["new"], found["exit"]) == (15, TAKEN, 1)
    assert found["reasons"] == {
        "counts characters, no tokens": 1,
        "no call of a model: span": 1,
        "no call of a model: agent": 1,
        "states no tokens": 1,
    }
    assert found["malformed"] == {"input is negative": 1, "no observation of Langfuse: id or type is missing": 1}
    assert (found["input_tokens"], found["output_tokens"]) == (sum(row[6] or 0 for row in EXPECTED), sum(row[7] or 0 for row in EXPECTED))
    assert found["notes"] == {"without a provider: --provider says who answered": 2}


def test_observations_are_usages_once(ledger: Ledger, tmp_path: Path) -> None:
    for form, new in (("jsonl", TAKEN), ("json", 0), ("csv", 0)):
        found = ledger.imported("langfuse", str(written(tmp_path, form)))
        assert (found["new"], found["already_there"]) == (new, TAKEN - new)
    assert ledger.rows(f"SELECT {COLUMNS} FROM usage ORDER BY span_id") == EXPECTED
    asked = "SELECT toString(ts), duration_ms, trace_id, idempotency_key, operation_id, service_name, metadata FROM usage WHERE span_id = '0000000000000001'"
    (first,) = ledger.rows(asked)
    assert first[:-1] == [
        "2026-03-01 12:00:00.963000000",
        1500.0,
        TRACE,
        f"langfuse:{TRACE}:0000000000000001",
        "session-1",
        "langfuse",
    ]
    assert json.loads(first[-1]) == {
        "name": "answer",
        "trace_name": "ask",
        "user_id": "acme",
        "environment": "production",
        "version": "3",
        "tags": ["beta"],
        "langfuse_cost_usd": "0.00125",
    }
    assert ledger.rows("SELECT stream, time_to_first_chunk_ms FROM usage WHERE span_id = '0000000000000005'") == [[True, 250.0]]
    assert ledger.rows("SELECT count() FROM usage_landing WHERE position(Body, 'secret') > 0") == [[0]]


def test_parquet_says_the_same(ledger: Ledger, tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = [row for row in ROWS if "trace_id" in row and row["id"] != f"{14:016x}"]
    kinds = {"usage_details": pyarrow.map_(pyarrow.string(), pyarrow.uint64()), "cost_details": pyarrow.map_(pyarrow.string(), pyarrow.float64())}
    times = dict.fromkeys(("start_time", "end_time"), pyarrow.timestamp("us", "UTC"))
    columns = {}
    for name in rows[0]:
        values = [row.get(name) for row in rows]
        if name in kinds:
            columns[name] = pyarrow.array([list(value.items()) for value in values], kinds[name])
        elif name in times:
            columns[name] = pyarrow.array([datetime.fromisoformat(f"{value}+00:00") for value in values], times[name])
        else:
            columns[name] = pyarrow.array([json.dumps(value) if isinstance(value, dict) else value for value in values])
    parquet.write_table(pyarrow.table(columns), tmp_path / "observations.parquet")
    found = ledger.imported("langfuse", str(tmp_path / "observations.parquet"))
    assert (found["read"], found["new"]) == (len(rows), 4), found
    assert ledger.imported("langfuse", str(written(tmp_path, "jsonl")))["already_there"] == 4
    asked = f"SELECT {COLUMNS} FROM usage WHERE tenant_id IN ('acme', '') ORDER BY span_id"
    assert ledger.rows(asked) == EXPECTED[:4]
    assert ledger.rows("SELECT toString(ts) FROM usage WHERE span_id = '0000000000000001'") == [["2026-03-01 12:00:00.963000000"]]


def test_who_answered_is_said_by_the_model(ledger: Ledger, tmp_path: Path) -> None:
    file = written(tmp_path, "jsonl", [of_the_api(6, metadata=None), of_the_api(7, metadata=None, model="Mistral-large"), of_the_api(8)])
    said = ("--provider", "claude-*=bedrock", "--provider", "mistral*=Mistral", "--tenant-from", "metadata.ls_provider,userId")
    assert ledger.imported("langfuse", str(file), *said)["notes"] == {}
    assert ledger.rows("SELECT tenant_id, provider FROM usage ORDER BY span_id") == [
        ["umbrella", "aws.bedrock"],
        ["umbrella", "mistral_ai"],
        ["anthropic", "anthropic"],
    ]
