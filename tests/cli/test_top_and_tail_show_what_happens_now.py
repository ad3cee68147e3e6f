"""`tokentrail tail` prints each call once, as it arrives; `tokentrail top` shows who spends; both outlive their server and leave the terminal as it was."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.ledger_rows import usage
from tests.support.live import AtTerminal, InPipe
from tests.support.terminal import in_process, tokentrail
from tokentrail.clickhouse.client import connect

pytest.importorskip("chdb", reason="the embedded ClickHouse (tokentrail[embedded]) is not installed")
from tokentrail.embedded.process import ServerProcess


def call(number: int, **more: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {"ts": time.time_ns() - 10**9, "tenant": "acme", **more}
    return usage(seq=number, key=f"call-{number}", kind="opaque", **fields)


def insert(dsn: str, *rows: dict[str, Any]) -> None:
    client = connect(dsn)
    client.insert_json("usage_landing", rows)
    client.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess.started(tmp_path / "data") as started:
        insert(started.addresses.dsn, *(call(number, tenant=f"tenant-{number % 3}") for number in range(1, 13)))
        yield started


def test_calls_come_as_they_arrive_each_once_and_completed_once_more(server: ServerProcess) -> None:
    dsn = server.addresses.dsn
    with InPipe("tail", "--dsn", dsn, "--json", "-n", "3", "--interval", "0.2") as tail:
        first = [json.loads(tail.line()) for _ in range(3)]
        assert not [row for row in first if row["again"]]
        insert(dsn, call(20, input_tokens=None, output_tokens=None, source="unknown"))
        began = json.loads(tail.line())
        assert (began["idempotency_key"], began["input_tokens"], began["again"]) == ("call-20", None, False)
        insert(dsn, call(20, input_tokens=7, output_tokens=3, source="estimated"))
        completed = json.loads(tail.line())
        assert (completed["idempotency_key"], completed["input_tokens"], completed["source"], completed["again"]) == ("call-20", 7, "estimated", True)
        insert(dsn, call(20, input_tokens=7, output_tokens=3, source="estimated"))  # a copy
        insert(dsn, *(call(number) for number in range(100, 2600)))  # more than a page, in one moment
        keys = [json.loads(tail.line())["idempotency_key"] for _ in range(2500)]
        assert sorted(keys) == sorted(f"call-{number}" for number in range(100, 2600))
        assert tail.end(signal.SIGINT) == (130, "", "")


def test_only_the_chosen_calls_come(server: ServerProcess) -> None:
    dsn = server.addresses.dsn
    chosen = in_process("tail", "--dsn", dsn, "--no-follow", "--from", "1h", "--tenant", "tenant-1", "--where", "endpoint=chat").out.splitlines()
    assert len(chosen) == 4
    assert all("tenant-1" in line for line in chosen)
    nobody = in_process("tail", "--dsn", dsn, "--no-follow", "--tenant", "tenant-")
    assert (nobody.out, nobody.code) == ("", 0)
    assert "no usage has the tenant_id 'tenant-'. Did you mean tenant-" in nobody.err
    assert in_process("tail", "--dsn", dsn, "--no-follow", "-n", "2").out.count("\n") == 2
    assert in_process("tail", "--dsn", dsn, "--no-follow", "-n", "0").out == ""


def test_lines_stand_below_each_other_and_names_cannot_steer(server: ServerProcess) -> None:
    insert(server.addresses.dsn, call(50, tenant="\x1b[31m\u202ered\nx", input_tokens=1_234_567, more={"ended": "error", "error_type": "429"}))
    ran = in_process("tail", "--dsn", server.addresses.dsn, "--no-follow", "-n", "1")
    assert ran.out.count("\n") == 1
    assert "\\x1b[31m\\u202ered x" in ran.out
    assert "1,234,567 in" in ran.out
    assert ran.out.endswith("error 429\n")


def test_tail_and_top_outlive_their_server(server: ServerProcess, tmp_path: Path) -> None:
    addresses = server.addresses
    port = int(addresses.dsn.rsplit(":", 1)[1].split("/")[0])
    with (
        InPipe("tail", "--dsn", addresses.dsn, "-n", "1", "--interval", "0.2") as tail,
        AtTerminal("top", "--dsn", addresses.dsn, "--interval", "0.2") as top,
    ):
        tail.line()
        top.until("tokens a minute")
        server.kill()
        assert "waiting for ClickHouse" in tail.error_line()
        top.until("no answer for")
        with ServerProcess.started(tmp_path / "data", http_port=port) as again:
            assert again.addresses.dsn == addresses.dsn
            insert(addresses.dsn, call(60, tenant="after-the-outage"))
            assert "after-the-outage" in tail.line()
            assert "answers again" in tail.error_line()
            assert tail.end(signal.SIGTERM)[0] == 128 + signal.SIGTERM
            top.press("b")
            top.until("after-the-outage")
            assert top.end("q") == 0


def test_keys_change_the_view_and_the_terminal_is_left_as_it_was(server: ServerProcess) -> None:
    for last, code in (("q", 0), ("\x03", 130)):
        with AtTerminal("top", "--dsn", server.addresses.dsn, "--window", "1h", "--interval", "0.2", columns=100) as top:
            top.until("by model", "gpt-4o-mini-2024-07-18", "b dimension")
            top.press("b")
            top.until("by tenant_id", "tenant-1")
            top.press("s")
            top.until("largest calls first")
            top.press("w")
            top.until("last 6h")
            top.press(" ")
            top.until("paused")
            assert not top.echoes
            assert top.end(last) == code
            assert top.echoes
            assert top.said.rindex("\x1b[?1049l") > top.said.rindex("\x1b[?1049h")
            assert top.said.rindex("\x1b[?25h") > top.said.rindex("\x1b[?25l")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_the_terminal_as_it_was_too(server: ServerProcess, number: signal.Signals) -> None:
    with AtTerminal("top", "--dsn", server.addresses.dsn) as top:
        top.until("tokens a minute")
        os.kill(top.pid, number)
        assert top.end("") == 128 + number
        assert top.echoes
        assert "\x1b[?1049l" in top.said


def test_without_a_terminal_looks_are_printed_below_each_other(server: ServerProcess) -> None:
    arguments = ["top", "--dsn", server.addresses.dsn, "-n", "2", "--interval", "0.1", "--by", "tenant_id", "--rows", "2", "--cost"]
    ran = tokentrail(*arguments)
    assert ran.code == 0, ran.err
    assert ran.out.count("tokentrail top") == 2
    assert "\x1b" not in ran.out
    assert ran.out.count("(1 other)") == 2
    assert "12 calls   0 failed" in ran.out


def test_a_time_without_a_call_is_told(server: ServerProcess) -> None:
    ran = in_process("top", "--dsn", server.addresses.dsn, "-n", "1", "--tenant", "nobody", "--cost")
    assert ran.code == 0
    assert "0 calls   0 failed" in ran.out
    assert "no calls in this time" in ran.out
    insert(server.addresses.dsn, call(99, tenant="alone"))
    assert "   1 call   0 failed" in in_process("top", "--dsn", server.addresses.dsn, "-n", "1", "--tenant", "alone").out


@pytest.mark.parametrize("command", ["top", "tail"])
def test_an_address_without_a_server_is_told_at_once(command: str) -> None:
    ran = in_process(command, "--dsn", "http://127.0.0.1:9/tokentrail")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("Error: ")
    assert in_process("top", "--sort", "cost", "--dsn", "http://127.0.0.1:9/x").code == 2
