"""What a result of Claude's command line states of each model is a row, once; a fake of the command line (tests/support/fake_claude.py) states it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support import fake_claude
from tokentrail.instrumentation.registry import instrument, uninstrument
from tokentrail.integrations.shapes.claude_agent import Totals
from tokentrail.testing import Usages

sdk = pytest.importorskip("claude_agent_sdk", reason="make test-apart installs it")

SONNET, HAIKU = "claude-sonnet-4-5-20250929", "claude-haiku-4-5-20251001"
Turn = list[dict[str, Any]]


def of(given: Any, made: Any, read: Any = 0, written: Any = 0, **more: Any) -> dict[str, Any]:
    """The totals of a model, as the command line states them."""
    return {
        "inputTokens": given,
        "outputTokens": made,
        "cacheReadInputTokens": read,
        "cacheCreationInputTokens": written,
        "webSearchRequests": 0,
        "costUSD": 0.5,
        "contextWindow": 200000,
        **more,
    }


def assistant(text: str = "lorem") -> dict[str, Any]:
    message = {"id": "msg_1", "model": SONNET, "role": "assistant", "content": [{"type": "text", "text": text}], "usage": {"input_tokens": 1}}
    return {"type": "assistant", "message": message, "parent_tool_use_id": None, "session_id": "s-1", "uuid": "u-1"}


def result(models: Any, **more: Any) -> dict[str, Any]:
    stated = {} if models is None else {"modelUsage": models}
    return {
        "type": "result",
        "subtype": "success",
        "is_error": False,
        "duration_ms": 5,
        "duration_api_ms": 4,
        "num_turns": 1,
        "result": "lorem",
        "session_id": "s-1",
        "total_cost_usd": 0.5,
        "uuid": "u-2",
        "usage": {"input_tokens": 4, "output_tokens": 9, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 6},
        **stated,
        **more,
    }


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Options with the fake, which answers each prompt with a turn."""
    program = tmp_path / "claude"
    program.write_text(f"#!{sys.executable}\n" + Path(fake_claude.__file__).read_text(encoding="utf-8"), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    where = {"cli_path": str(program)} if "cli_path" in sdk.ClaudeAgentOptions.__dataclass_fields__ else {}  # the oldest look in PATH

    def with_turns(*turns: Turn) -> Any:
        (tmp_path / "answers.json").write_text(json.dumps(turns), encoding="utf-8")
        return sdk.ClaudeAgentOptions(**where, cwd=str(tmp_path))

    return with_turns


def facts(usages: Usages) -> list[tuple[Any, ...]]:
    return [
        (each.response_model, each.input_tokens, each.output_tokens, each.cache_read_tokens, each.cache_write_tokens, each.ended)
        for each in usages.recorded
    ]


async def test_one_row_for_each_model(usages: Usages, options: Callable[..., Any]) -> None:
    turn = [assistant(), result({SONNET: of(4, 9, 30, 6), HAIKU: of(20, 3, provider="bedrock")})]
    seen = [message async for message in sdk.query(prompt="abc", options=options(turn))]
    assert [type(message).__name__ for message in seen] == ["AssistantMessage", "ResultMessage"]
    assert facts(usages) == [(SONNET, 40, 9, 30, 6, "complete"), (HAIKU, 20, 3, 0, 0, "complete")]
    only = usages.recorded[0]
    assert (only.provider, only.endpoint, only.gen_ai_operation, only.request_model) == ("anthropic", "agent", "invoke_agent", SONNET)
    assert usages.recorded[1].provider == "aws.bedrock"


async def test_later_results_of_a_process_state_running_totals(usages: Usages, options: Callable[..., Any]) -> None:
    turns = [
        [assistant(), result({SONNET: of(4, 9, 30, 6)})],
        [assistant(), result({SONNET: of(9, 19, 80, 6), HAIKU: of(7, 2)})],
        [assistant(), result({SONNET: of(9, 19, 80, 6), HAIKU: of(8, 3)})],
    ]
    async with sdk.ClaudeSDKClient(options(*turns)) as client:
        for _ in turns:
            await client.query("abc")
            assert [type(each).__name__ async for each in client.receive_response()][-1] == "ResultMessage"
    assert facts(usages) == [
        (SONNET, 40, 9, 30, 6, "complete"),
        (SONNET, 55, 10, 50, 0, "complete"),
        (HAIKU, 7, 2, 0, 0, "complete"),
        (HAIKU, 1, 1, 0, 0, "complete"),
    ]


ODD = (None, "lorem", -1, 12.5, 2**63, 10**40, True, [], {}, [[None]])


@pytest.mark.parametrize("odd", ODD, ids=repr)
async def test_a_total_that_is_no_count_is_not_stated(odd: Any, usages: Usages, options: Callable[..., Any]) -> None:
    """And the totals after it are counted from the last one that is a count."""
    turns = [[result({SONNET: of(4, 9, 30, 6)})], [result({SONNET: of(odd, 19, odd, 6)})], [result({SONNET: of(9, 29, 80, 6)})]]
    async with sdk.ClaudeSDKClient(options(*turns)) as client:
        for _ in turns:
            await client.query("abc")
            assert [type(each).__name__ async for each in client.receive_response()] == ["ResultMessage"]
    assert facts(usages) == [
        (SONNET, 40, 9, 30, 6, "complete"),
        (SONNET, None, 10, None, 0, "complete"),
        (SONNET, 55, 10, 50, 0, "complete"),
    ]


@pytest.mark.parametrize("odd", [*ODD, {SONNET: None}, {SONNET: [1]}, {SONNET: "lorem"}, {SONNET: {}}], ids=repr)
async def test_a_result_of_another_shape_harms_nobody(odd: Any, usages: Usages, options: Callable[..., Any]) -> None:
    more = {"usage": odd, "is_error": odd, "terminal_reason": odd}
    turn = [assistant(), {**assistant(), "message": {**assistant()["message"], "model": odd}}, result(odd, **more)]
    with suppress(Exception):  # the SDK's own opinion
        async for _ in sdk.query(prompt="abc", options=options(turn)):
            pass
    assert len(usages.recorded) <= 1
    assert all(count in (None, 0) for row in facts(usages) for count in row[1:5])


async def test_each_process_begins_anew(usages: Usages, options: Callable[..., Any]) -> None:
    for _ in range(2):
        async for _ in sdk.query(prompt="abc", options=options([result({SONNET: of(4, 9)})])):
            pass
    assert facts(usages) == [(SONNET, 4, 9, 0, 0, "complete")] * 2


def test_totals_that_begin_anew_count_whole() -> None:
    """After `/clear` the totals are zero again: the command line says so, or a total is smaller than before."""
    for between in ([{"type": "conversation_reset"}], []):
        totals = Totals()
        messages = [result({SONNET: of(40, 9)}), *between, result({SONNET: of(41 if between else 39, 12)})]
        found = [answer.input_tokens for message in messages for _, (answer, _) in totals.readings(message)]
        assert found == [40, 41 if between else 39]


async def test_an_older_command_line_states_the_turn_alone(usages: Usages, options: Callable[..., Any]) -> None:
    async for _ in sdk.query(prompt="abc", options=options([assistant(), result(None)])):
        pass
    assert facts(usages) == [(SONNET, 40, 9, 30, 6, "complete")]


@pytest.mark.parametrize(
    ("more", "ended"),
    [
        ({"subtype": "error_max_turns", "is_error": True}, "error"),
        ({"terminal_reason": "aborted_streaming", "is_error": True}, "partial"),
        ({"terminal_reason": "completed"}, "complete"),
    ],
)
async def test_how_a_turn_ends(more: dict[str, Any], ended: str, usages: Usages, options: Callable[..., Any]) -> None:
    with suppress(sdk.ClaudeSDKError):  # newer SDKs raise after a result that is an error
        async for _ in sdk.query(prompt="abc", options=options([result({SONNET: of(4, 9)}, **more)])):
            pass
    assert facts(usages) == [(SONNET, 4, 9, 0, 0, ended)]


@pytest.mark.parametrize(
    ("models", "found"),
    [
        ({SONNET: of("4", 9.0)}, [(SONNET, 4, 9, 0, 0, "complete")]),
        ({SONNET: of(-4, 9)}, [(SONNET, None, 9, 0, 0, "complete")]),
        ({SONNET: of(4, 2**63)}, [(SONNET, 4, None, 0, 0, "complete")]),
        ({SONNET: {"outputTokens": 3, "provider": [1]}}, [(SONNET, None, 3, None, None, "complete")]),
        ({SONNET: None, HAIKU: [], "": {}}, []),
        ({SONNET: of(0, 0)}, []),
    ],
)
async def test_counts_that_are_none(models: Any, found: Any, usages: Usages, options: Callable[..., Any]) -> None:
    async for _ in sdk.query(prompt="abc", options=options([result(models, usage=None)])):
        pass
    assert facts(usages) == found


async def test_the_caller_sees_the_same(usages: Usages, options: Callable[..., Any]) -> None:
    turn = [assistant(), result({SONNET: of(4, 9)})]
    seen = [message async for message in sdk.query(prompt="abc", options=options(turn))]
    uninstrument()
    assert seen == [message async for message in sdk.query(prompt="abc", options=options(turn))]
    instrument()
    assert len(usages.recorded) == 1
