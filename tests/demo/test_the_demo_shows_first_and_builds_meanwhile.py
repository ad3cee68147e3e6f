"""`tokentrail demo` as a user runs it on a fresh machine, in every part but the compiler."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.fresh_machine import FreshMachine
from tests.support.processes import descendants
from tests.support.waiting import wait_until
from tokentrail.local.child import Child

RECEIVER, COLLECTOR = "through the embedded OTLP receiver", "through the official Collector"
EQUAL = r"calls whose callers were shown counts: the SDKs answered .*: equal to the token"


def commands(said: str, after: str) -> list[str]:
    """What is printed to be typed: the lines that stand in by two."""
    return re.findall(r"^  (\S.*)$", said.partition(after)[2], re.MULTILINE)


def run_typed(machine: FreshMachine, command: str, **environment: str) -> str:
    """Run a line in a shell of the user's, who has not activated any environment, in another folder."""
    elsewhere = machine.folder / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    given = machine.environment() | {"PATH": os.defpath} | environment
    ran = subprocess.run(["sh", "-c", command], env=given, cwd=elsewhere, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, f"{command}\n{ran.stdout}{ran.stderr}"
    return ran.stdout


def test_first_the_receiver_then_the_collector_and_it_stays_with_keep(machine: FreshMachine) -> None:
    demo = machine.demo("--keep")
    wait_until(lambda: not demo.running or "which is still being built" in machine.read_output(), "the first table", deadline_s=120)
    first = machine.read_output()
    assert machine.go.building, first
    assert first.count("tokens by tenant, operation, provider and model") == 1
    assert f"model, {RECEIVER}" in first
    assert f"model, {COLLECTOR}" not in first
    assert len(re.findall(EQUAL, first)) == 1, first

    machine.go.go_on()
    wait_until(lambda: not demo.running or "or:\n  kill " in machine.read_output(), "the second table", deadline_s=120)
    second = machine.read_output()[len(first) :]
    assert f"tokens by tenant, operation, provider and model, {COLLECTOR}" in second, second
    assert "1 cut short, 1 failed" in second
    assert len(re.findall(EQUAL, second)) == 1, second  # the real model may find other words the second time
    assert "verify: nothing is missing" in second

    *questions, end = commands(second, "look around, from another terminal:")
    report, sql, verify = (run_typed(machine, command) for command in questions)
    assert "acme" in report
    assert "reported" in sql
    assert "complete" in verify
    below = descendants(demo.pid)
    assert len(below) > 1
    run_typed(machine, end)
    assert demo.wait(60) == 0, machine.read_output()
    assert_nothing_is_left(machine, below)


def test_without_a_collector_the_first_table_stands_and_what_is_suggested_works(machine: FreshMachine) -> None:
    demo = machine.demo(refuses=True)
    assert demo.wait(180) == 0, machine.read_output()
    said = machine.read_output()
    assert len(re.findall(EQUAL, said)) == 1, said
    assert COLLECTOR not in said
    reasons = [line for line in said.splitlines() if line.startswith("the official Collector is not available here: ")]
    assert len(reasons) == 1, said
    assert "module lookup disabled by GOPROXY=off" in reasons[0]
    assert said.count("still at work") == 0
    assert_nothing_is_left(machine, [])

    again, serve, report, sql, verify = commands(said, "next, ")
    assert shlex.split(again)[1:] == ["demo", "--keep"]
    # as printed, but for ports, which another server on this machine may hold
    ready = machine.folder / "ready.json"
    given = machine.environment() | {"PATH": os.defpath}
    command = ["sh", "-c", f"exec {serve} --http-port 0 --otlp-port 0 --ready-file {ready}"]
    with Child("the server that was suggested", command, environment=given, log=machine.folder / "serve.log", ready=ready.exists) as server:
        server.start(timeout_s=60)
        dsn = re.search(r'"dsn": "([^"]+)"', ready.read_text()).group(1)
        for command in (report, sql, verify):
            run_typed(machine, command, TOKENTRAIL_CLICKHOUSE_DSN=dsn)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_killed_in_the_middle_of_a_build_nothing_runs_on(machine: FreshMachine, number: signal.Signals) -> None:
    demo = machine.demo()
    wait_until(lambda: not demo.running or machine.go.building, "the build", deadline_s=60)
    below = descendants(demo.pid)
    assert int((machine.go.folder / "building").read_text()) in below
    demo.send_signal(number)
    assert demo.wait(60) != 0
    if number != signal.SIGKILL:
        assert_nothing_is_left(machine, below)
        assert "Traceback" not in machine.read_output()
    wait_until(lambda: not living(below), "the end of all that the demo has started")


def assert_nothing_is_left(machine: FreshMachine, pids: list[int]) -> None:
    assert living(pids) == []
    assert list(machine.temporary.iterdir()) == []
    assert not [name for name in machine.made() if ".part-" in name]
    assert not Path(machine.folder / "journal").exists()


def living(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists() and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"]
