"""`tokentrail mcp`, held against the protocol's own client: every question is a tool, with the answer of `tokentrail query`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner

from tests.support.terminal import TOKENTRAIL
from tests.support.waiting import wait_until
from tokentrail.cli.group import cli
from tokentrail.ledger.query import questions, read

mcp = pytest.importorskip("mcp", reason="tokentrail[mcp] is not installed")
from mcp import Client, StdioServerParameters  # noqa: E402 - after the skip
from mcp.client.stdio import stdio_client  # noqa: E402

MODES = ("auto", "legacy")


@asynccontextmanager
async def connected(dsn: str, mode: str = "auto") -> AsyncIterator[Client]:
    command, *arguments = TOKENTRAIL
    parameters = StdioServerParameters(command=command, args=[*arguments, "mcp", "--dsn", dsn], env=dict(os.environ))
    async with Client(stdio_client(parameters), mode=mode) as client:
        yield client


def query(dsn: str, name: str, *given: str) -> Any:
    ran = CliRunner(env={"TOKENTRAIL_CLICKHOUSE_DSN": dsn}).invoke(cli, ["query", name, *given, "--json"])
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


def steady(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without what differs from one second to the next."""
    return [{name: value for name, value in row.items() if name != "silent_seconds"} for row in rows]


@pytest.mark.parametrize("mode", MODES)
def test_every_question_is_a_tool_that_reads_only(served: str, mode: str) -> None:
    async def look() -> None:
        async with connected(served, mode) as client:
            tools = (await client.list_tools()).tools
            assert [tool.name for tool in tools] == questions()
            for tool in tools:
                question = read(tool.name)
                assert tool.annotations is not None
                assert (tool.annotations.read_only_hint, tool.annotations.destructive_hint) == (True, False)
                assert tool.input_schema["properties"].keys() == {*(wanted.name for wanted in question.parameters), "rows"}
                assert tool.input_schema["required"] == [wanted.name for wanted in question.parameters if wanted.default is None]
                assert question.title in (tool.description or "")

    anyio.run(look)


def test_answers_are_those_of_the_command(served: str) -> None:
    async def look() -> None:
        async with connected(served) as client:
            for name in questions():
                given = {wanted.name: "x" for wanted in read(name).parameters if wanted.default is None}
                answered = await client.call_tool(name, {**given, "rows": 1000})
                assert not answered.is_error, answered.content
                found = answered.structured_content
                assert json.loads(answered.content[0].text) == found
                expected = query(served, name, *(f"-p{key}={value}" for key, value in given.items()))
                assert steady(found["rows"]) == steady(expected), name
                assert found["columns"].keys() == {column.name for column in read(name).columns}
            some = await client.call_tool("tokens", {"by": "tenant_id", "tenants": ["Umbrella Corporation (EMEA)"], "from": "2026-11", "rows": 1})
            expected = query(served, "tokens", "-pby=tenant_id", "-ptenants=Umbrella Corporation (EMEA)", "-pfrom=2026-11")
            assert some.structured_content["rows"] == expected

    anyio.run(look)


def test_more_rows_are_told_of(served: str) -> None:
    async def look() -> None:
        async with connected(served) as client:
            found = (await client.call_tool("latest_calls", {"most": 50, "rows": 3})).structured_content
            assert (len(found["rows"]), found["more_rows"]) == (3, 47)

    anyio.run(look)


@pytest.mark.parametrize(
    ("name", "arguments", "sentence"),
    [
        ("tokens", {"by": "modell"}, "Did you mean model"),
        ("tokens", {"tenant": "acme"}, "Did you mean tenants"),
        ("tokens", {"from": "gestern"}, "is not a time"),
        ("tokens", {"rows": 0}, "rows is 0: a whole number from 1 to 1000"),
        ("tokens", {"tenants": [{"or": "all"}]}, "a text, a whole number or a list of texts"),
        ("tokens", {"by": True}, "a text, a whole number or a list of texts"),
        ("calls_of_a_trace", {}, "needs the parameter trace"),
        ("sql", {"statement": "DROP TABLE usage_ledger"}, "there is no question 'sql'"),
    ],
)
def test_what_does_not_fit_is_an_error_of_one_sentence(served: str, name: str, arguments: dict[str, Any], sentence: str) -> None:
    async def look() -> None:
        async with connected(served) as client:
            answered = await client.call_tool(name, arguments)
            assert answered.is_error
            assert sentence in answered.content[0].text
            assert "\n" not in answered.content[0].text
            assert not (await client.call_tool("tokens", {})).is_error, "the next call is answered"

    anyio.run(look)


def test_a_clickhouse_that_is_away_is_an_error_and_no_end() -> None:
    async def look() -> None:
        async with connected("http://127.0.0.1:9/none") as client:
            for _ in range(2):
                answered = await client.call_tool("tokens", {})
                assert answered.is_error
                assert "127.0.0.1:9" in answered.content[0].text

    anyio.run(look)


def test_many_questions_at_once(served: str) -> None:
    async def look() -> None:
        async with connected(served) as client:
            found: list[int] = []

            async def ask(days: int) -> None:
                answered = await client.call_tool("change", {"days": days + 1, "by": "provider"})
                found.append(len(answered.structured_content["rows"]))

            async with anyio.create_task_group() as group:
                for days in range(20):
                    group.start_soon(ask, days)
            assert len(found) == 20

    anyio.run(look)


@pytest.mark.parametrize("end", ["input", signal.SIGTERM, signal.SIGINT])
def test_the_command_ends_with_its_input_and_with_signals(served: str, end: str | signal.Signals, tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    with errors.open("wb") as written:
        process = subprocess.Popen([*TOKENTRAIL, "mcp", "--dsn", served], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=written)
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        process.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}).encode() + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["result"]["serverInfo"]["name"] == "tokentrail"
        if isinstance(end, signal.Signals):
            process.send_signal(end)
        else:
            process.stdin.close()
        wait_until(lambda: process.poll() is not None, "the end")
        assert process.returncode in {"input": (0,), signal.SIGTERM: (-signal.SIGTERM,), signal.SIGINT: (-signal.SIGINT,)}[end], errors.read_text()
        assert errors.read_text() == ""
    finally:
        process.kill()
        process.wait()
