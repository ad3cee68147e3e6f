"""`tokentrail import litellm`: spend logs as LiteLLM's API, its database and a CSV have them. The shapes follow schema.prisma and dumps of 2025 and 2026."""

from __future__ import annotations

import csv
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.importing.conftest import Ledger

PROMPT = "a secret prompt"
AT = "2026-03-01T12:00:00.500000Z"


def row(number: int, **more: Any) -> dict[str, Any]:
    """A row of LiteLLM_SpendLogs; `usage` is the answer's usage, as the proxy keeps it in metadata."""
    usage = more.pop("usage", {})
    metadata = {"status": "success", "user_api_key_alias": "ours", "user_api_key_team_alias": "search", "usage_object": usage} | more.pop(
        "metadata", {}
    )
    return {
        "request_id": f"chatcmpl-{number}",
        "call_type": "acompletion",
        "api_key": "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
        "spend": 0.00125,
        "total_tokens": 17,
        "prompt_tokens": 12,
        "completion_tokens": 5,
        "startTime": AT,
        "endTime": "2026-03-01T12:00:02.000000Z",
        "completionStartTime": "2026-03-01T12:00:02.000000Z",
        "model": "openai/gpt-4o-mini",
        "model_id": "b9a811f4",
        "model_group": "small",
        "custom_llm_provider": "openai",
        "api_base": "https://api.openai.com",
        "user": "default_user_id",
        "metadata": metadata,
        "cache_hit": "False",
        "cache_key": "Cache OFF",
        "request_tags": ["User-Agent: axios", "batch-7"],
        "team_id": "acme",
        "organization_id": None,
        "end_user": "customer-1",
        "messages": {"messages": [{"role": "user", "content": PROMPT}]},
        "response": {"choices": [{"message": {"content": PROMPT}}]},
        "proxy_server_request": {"messages": PROMPT},
        "session_id": "session-1",
        "status": "success",
        "mcp_namespaced_tool_name": None,
    } | more


ROWS = [
    row(1),
    row(
        2,
        model="claude-sonnet-4-5",
        custom_llm_provider="anthropic",
        prompt_tokens=1_000,
        completion_tokens=50,
        completionStartTime="2026-03-01T12:00:01.000000Z",
        usage={
            "prompt_tokens": 1_000,
            "cache_read_input_tokens": 700,
            "cache_creation_input_tokens": 200,
            "prompt_tokens_details": {"cached_tokens": 700, "cache_creation_token_details": {"ephemeral_1h_input_tokens": 150}},
            "completion_tokens_details": {"reasoning_tokens": 20},
        },
    ),
    row(3, call_type="aembedding", model="text-embedding-3-small", custom_llm_provider="azure", prompt_tokens=9, completion_tokens=0),
    row(4, model="ollama/deepseek-r1:14b", custom_llm_provider=None, metadata={"usage_object": None, "additional_usage_values": {}}),
    row(
        5,
        status="failure",
        prompt_tokens=0,
        completion_tokens=0,
        metadata={"status": "failure", "error_information": {"error_class": "RateLimitError"}},
    ),
    # an older proxy, which left cached tokens out of the total
    row(
        6,
        prompt_tokens=10,
        metadata={"usage_object": None, "additional_usage_values": {"cache_read_input_tokens": 90}},
        custom_llm_provider="bedrock",
    ),
    row(7, cache_hit="True", request_id="chatcmpl-1_cache_hit1751.5"),
    row(8, call_type="", model="", custom_llm_provider="", status="failure", prompt_tokens=0, completion_tokens=0),
    row(9, call_type="acreate_file", prompt_tokens=0, completion_tokens=0),
    row(10, call_type="call_mcp_tool", model="", custom_llm_provider=""),
    row(11, prompt_tokens=-4),
    row(12, startTime="soon"),
    row(13, startTime="2019-01-01T00:00:00Z"),
    row(1),
]
TAKEN = 6
REASONS = {
    "answered from LiteLLM's own cache: nobody was paid": 1,
    "refused by the proxy before any provider was asked": 1,
    "no call of a model (files, batches' creation, tools)": 2,
    "older than 2020": 1,
}
MALFORMED = {"input_tokens is negative": 1, "startTime is no time": 1}
COLUMNS = "idempotency_key, tenant_id, operation, token_type, provider, model, endpoint, ended, input_tokens, output_tokens, cache_read_tokens,"
COLUMNS += " cache_write_tokens, cache_write_1h_tokens, reasoning_tokens, source"
EXPECTED = [
    ["litellm:chatcmpl-1", "acme", "chat", "llm", "openai", "gpt-4o-mini", "chat", "complete", 12, 5, None, None, None, None, "reported"],
    ["litellm:chatcmpl-2", "acme", "chat", "llm", "anthropic", "claude-sonnet-4-5", "chat", "complete", 1_000, 50, 700, 200, 150, 20, "reported"],
    ["litellm:chatcmpl-3", "acme", "vector_search", "embedding", "azure.ai.openai", "text-embedding-3-small", "embeddings", "complete", 9, None]
    + [None] * 4
    + ["reported"],
    ["litellm:chatcmpl-4", "acme", "chat", "llm", "ollama", "deepseek-r1:14b", "chat", "complete", 12, 5, None, None, None, None, "reported"],
    ["litellm:chatcmpl-5", "acme", "chat", "llm", "openai", "gpt-4o-mini", "chat", "error", None, None, None, None, None, None, "unknown"],
    ["litellm:chatcmpl-6", "acme", "chat", "llm", "aws.bedrock", "openai/gpt-4o-mini", "chat", "complete", 100, 5, 90, None, None, None, "reported"],
]


def written(folder: Path, form: str) -> Path:
    """The rows as a file of one of the forms."""
    path = folder / f"spend_logs.{form}"
    if form == "csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(ROWS[0]))
            writer.writeheader()
            for each in ROWS:
                writer.writerow({name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in each.items()})
    elif form == "jsonl":
        path.write_text("\ufeff" + "".join(f"{json.dumps(each)}\n" for each in ROWS))
    elif form == "jsonl.gz":
        path.write_bytes(gzip.compress("".join(f"{json.dumps(each)}\n" for each in ROWS).encode()))
    else:
        text = json.dumps({"data": ROWS, "total": 14} if form == "page.json" else ROWS, indent=2 if form != "json" else None)
        path.write_text(text if form != "objects.json" else "\n".join(json.dumps(each, indent=1) for each in ROWS))
    return path


@pytest.mark.parametrize("form", ["json", "jsonl", "jsonl.gz", "csv", "page.json", "pretty.json", "objects.json"])
def test_every_form_says_the_same(nowhere: Ledger, tmp_path: Path, form: str) -> None:
    found = nowhere.imported("litellm", str(written(tmp_path, form)), "--dry-run", "--without-ledger")
    assert (found["read"], found["new"], found["repeated"], found["exit"]) == (14, TAKEN, 1, 1)
    assert (found["reasons"], found["malformed"]) == (REASONS, MALFORMED)
    assert (found["input_tokens"], found["output_tokens"]) == (12 + 1_000 + 9 + 12 + 100, 5 + 50 + 5 + 5)


def test_spend_logs_are_usages_once(ledger: Ledger, tmp_path: Path) -> None:
    file = written(tmp_path, "jsonl")
    for new, had in ((TAKEN, 0), (0, TAKEN)):
        found = ledger.imported("litellm", str(file))
        assert (found["new"], found["already_there"], found["not_taken"]) == (new, had, 8)
    assert ledger.imported("litellm", str(written(tmp_path, "csv")))["already_there"] == TAKEN
    assert ledger.rows(f"SELECT {COLUMNS} FROM usage ORDER BY idempotency_key") == EXPECTED
    (first,) = ledger.rows(
        "SELECT toString(ts), duration_ms, stream, response_id, operation_id, service_name, metadata FROM usage WHERE response_id = 'chatcmpl-1'"
    )
    assert first[:-1] == ["2026-03-01 12:00:00.500000000", 1500.0, False, "chatcmpl-1", "session-1", "litellm"]
    assert json.loads(first[-1]) == {
        "team_alias": "search",
        "key_alias": "ours",
        "user": "default_user_id",
        "end_user": "customer-1",
        "model_group": "small",
        "tags": ["batch-7"],
        "litellm_spend_usd": "0.00125",
    }
    assert ledger.rows("SELECT stream, time_to_first_chunk_ms FROM usage WHERE response_id = 'chatcmpl-2'") == [[True, 500.0]]
    assert ledger.rows("SELECT error_type FROM usage WHERE ended = 'error'") == [["RateLimitError"]]
    assert ledger.rows("SELECT count() FROM usage_landing WHERE position(Body, 'secret') > 0 OR position(toString(LogAttributes), 'secret') > 0") == [
        [0]
    ]


def test_the_tenant_is_what_one_says(nowhere: Ledger, ledger: Ledger, tmp_path: Path) -> None:
    file = tmp_path / "one.jsonl"
    file.write_text(json.dumps(row(1, end_user="", team_id="t")))
    ledger.imported("litellm", str(file), "--tenant-from", "end_user,key_alias", "--operation", "query", "--service", "gateway")
    assert ledger.rows("SELECT tenant_id, toString(operation), service_name FROM usage") == [["ours", "query", "gateway"]]
    wrong = nowhere.command("litellm", str(file), "--tenant-from", "team")
    assert wrong.returncode == 2
    assert "'team' is no field of a tenant. Did you mean team_id?" in wrong.stderr


def test_what_was_counted_by_tokentrail_is_left_out_by_time(nowhere: Ledger, tmp_path: Path) -> None:
    found = nowhere.imported("litellm", str(written(tmp_path, "json")), "--dry-run", "--without-ledger", "--to", "2026-03-01T12:00:00Z")
    assert found["new"] == 0
    assert found["reasons"]["outside --from and --to"] == TAKEN + 1  # one of them stands there twice


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.json", b"", "a.json is empty"),
        ("a.json", b'[{"request_id": "a secret prompt"}, {"cut', "a.json is no whole JSON, JSONL or CSV file: it ends in the middle"),
        ("a.jsonl", b'{"request_id": "a secret prompt"}\n{"cut', "a.jsonl is no whole JSON, JSONL or CSV file: it ends in the middle"),
        ("a.jsonl", b'{"request_id": "a"}\n{a secret prompt}\n', "a.jsonl is no whole JSON, JSONL or CSV file: its JSON is broken"),
        ("a.json", b"[1, 2]", "a.json has rows that are no objects: the first one is of the type int"),
        ("a.txt", b"a secret prompt", "a.txt is no whole JSON, JSONL or CSV file: its first line is neither JSON nor names of columns, with commas"),
        ("a.csv", b"request_id;model\na;secret\n", "its first line is neither JSON nor names of columns, with commas between them"),
        ("a.csv", b'request_id,model\na,b,"a secret prompt"\n', "the row that ends at line 2 has more cells than the first line"),
        ("a.csv", b"request_id,startTime,model\na,secret\n", "the row that ends at line 2 has fewer cells than the first line"),
        ("a.csv", b'request_id,model\na,"secret', "a.csv is no whole JSON, JSONL or CSV file: its CSV is broken"),
        ("a.csv", b"request_id,model\na,\xff\n", "a.csv is no whole JSON, JSONL or CSV file: it is not in UTF-8"),
        ("a.csv", b"request_id,model,model\na,b,c\n", "its first line has the column model twice"),
        ("a.csv", "request_id,startTime\na,b\n".encode("utf-16"), "it is not in UTF-8"),
        ("a.json", b'[{"request_id": "a", "spend": NaN, "x": "secret"}]', "its JSON is broken"),
        ("a.json", b'[{"request_id": "a"}] secret', "its JSON is broken"),
        ("a.json", b'[{"request_id": "secret \\udfff"}]', "a text in it has half of a sign (a lone surrogate), which JSONL may have"),
        ("a.gz", b"\x1f\x8bcut", "a.gz"),
        ("a.gz", gzip.compress(b"a secret prompt" * 9)[:-8] + bytes(8), "a.gz cannot be read: it is no whole gzip file"),
        ("a.gz", gzip.compress(b"")[:10] + b"\x07", "a.gz cannot be read: it is no whole gzip file"),
        ("a.gz", gzip.compress(b"a secret prompt" * 9)[:-9], "a.gz is no whole JSON, JSONL or CSV file: it ends in the middle"),
        ("a.parquet", b"PAR1 a secret prompt", "a.parquet is no whole Parquet file"),
    ],
)
def test_a_file_that_is_not_whole_changes_nothing(nowhere: Ledger, tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(content)
    done = nowhere.command("litellm", str(tmp_path / name))
    assert done.returncode == 2, done.stdout + done.stderr
    assert sentence in done.stderr
    assert "secret" not in done.stderr
    assert not nowhere.journal.exists()


def test_a_file_that_is_not_there_is_one_sentence(nowhere: Ledger, tmp_path: Path) -> None:
    for path in (tmp_path / "missing.json", tmp_path):
        done = nowhere.command("litellm", str(path))
        assert done.returncode == 2
        assert f"{path} cannot be read: " in done.stderr


def test_a_pipe_is_one_sentence(nowhere: Ledger, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = nowhere.command("litellm", str(tmp_path / "pipe"))
    assert done.returncode == 2
    assert done.stderr == f"Error: {tmp_path / 'pipe'} is no file, and an import reads its file twice: save what it gives, and name that file.\n"


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("--provider", "=x"), "--provider '=x' has no pattern before its ="),
        (("--from", "2026-03-02", "--to", "2026-03-01"), "--from is not before --to"),
    ],
)
def test_an_option_that_says_nothing_is_one_sentence(nowhere: Ledger, tmp_path: Path, args: tuple[str, ...], sentence: str) -> None:
    done = nowhere.command("litellm", str(written(tmp_path, "json")), *args, "--without-ledger")
    assert done.returncode == 2, done.stdout + done.stderr
    assert sentence in done.stderr


def test_a_ledger_that_is_away_is_one_sentence(nowhere: Ledger, tmp_path: Path) -> None:
    done = nowhere.command("litellm", str(written(tmp_path, "json")))
    assert done.returncode == 2
    assert "127.0.0.1:9" in done.stderr
    assert not nowhere.journal.exists()
