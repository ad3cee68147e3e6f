"""Anthropic's agent SDK keeps every promise: it starts a command line, here one that asks the kit's server and writes what the server sends."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support import claude_relay
from tokentrail.integrations.shapes.claude_agent import Totals
from tokentrail.testing import Recording, read_recordings
from tokentrail.testing.conformance import Case, Conformance

sdk = pytest.importorskip("claude_agent_sdk", reason="make test-apart installs it")

MODEL = "claude-byhand-4"
RECORDED = {each.id.removeprefix("claude_agent-agent-by-hand-"): each for each in read_recordings(providers=["claude_agent"])}
COUNTS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
ROWS = {"two-turns": ((150, 5, 100, 40), (152, 6, 140, 0))}
"""By recording: what each result adds to the one before; the other recordings have one result."""


def assistant(text: str) -> Mapping[str, Any]:
    return {"type": "assistant", "message": {"model": MODEL, "content": [{"type": "text", "text": text}]}, "session_id": "byhand"}


def whole(name: str, recording: Recording) -> Recording:
    """The recording as the program's output, with what the SDK asks of a result.

    It is one of messages at hand, which are summed up; of a process each result is a row for each model.
    """
    lines = [json.loads(line) for line in recording.body.splitlines()]
    more = {"duration_ms": 5, "duration_api_ms": 4, "session_id": "byhand", "num_turns": 1}
    written = [line | more if line["type"] == "result" else line for line in lines]
    [usage] = recording.expected_usages or ()
    common = {**usage, "provider": "anthropic", "request_model": usage["response_model"], "stream": False}
    rows = [{**common, **dict(zip(COUNTS, row, strict=True))} for row in ROWS[name]] if name in ROWS else [common]
    return replace(recording, body=_written(written), shape="ndjson", stream=True, expected_usages=rows)


def longer(recording: Recording) -> Recording:
    """A turn of many messages, which can be left in the middle."""
    first, _, result = map(json.loads, recording.body.splitlines()[:3])
    messages = [assistant(f"lorem {number}") for number in range(6)]
    return replace(
        recording, id="claude_agent-long", body=_written([first, *messages, result]), expected_usages=(recording.expected_usages or ())[:1]
    )


def _written(messages: Sequence[Mapping[str, Any]]) -> bytes:
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


OF_PROCESSES = {name: whole(name, recording) for name, recording in RECORDED.items()}
RECORDINGS = [longer(OF_PROCESSES["two-turns"]), *OF_PROCESSES.values()]


@pytest.fixture(autouse=True, scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command line."""
    TestClaudeAgent.program = path = tmp_path_factory.mktemp("relay") / "claude"
    path.write_text(f"#!{sys.executable} -SE\n" + Path(claude_relay.__file__).read_text(encoding="utf-8"), encoding="utf-8")
    path.chmod(0o755)
    return path


class TestClaudeAgent(Conformance):
    integration = "claude-agent-sdk"
    recordings = RECORDINGS
    kinds = ("async",)
    styles = ("client",)
    retries = 0
    calls_per_chunk = 8  # of a result, which is read for its row; other messages cost less
    partial_rows = False  # a result is a row: of a process whose result nobody has read, nothing is known
    program: Path

    def client(self, url: str, case: Case) -> Any:
        environment = {"CLAUDE_RELAY_URL": url}
        if "cli_path" in sdk.ClaudeAgentOptions.__dataclass_fields__:
            return sdk.ClaudeAgentOptions(cli_path=str(self.program), env=environment)
        path = f"{self.program.parent}{os.pathsep}{os.environ['PATH']}"  # the oldest look there
        return sdk.ClaudeAgentOptions(env={**environment, "PATH": path})

    def ask(self, client: Any, case: Case) -> Any:
        prompt = case.request["prompt"]
        return _read_with_client(client, prompt) if case.style else sdk.query(prompt=prompt, options=client)

    def break_streams(self, patch: pytest.MonkeyPatch, place: str) -> None:
        def fail(*_: Any) -> Any:
            raise RuntimeError("the integration's own mistake")

        patch.setattr(Totals, "readings", fail)


async def _read_with_client(options: Any, prompt: str) -> list[Any]:
    async with sdk.ClaudeSDKClient(options) as client:
        await client.query(prompt)
        return [message async for message in client.receive_messages()]
