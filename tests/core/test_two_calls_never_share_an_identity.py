"""Equal prompts at one frozen nanosecond, from threads, processes and forks that share a secret: as many identities as calls."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.core.conftest import Configure
from tests.support.calls import call, identity, journal_of
from tokentrail import track_token_usage

pytestmark = pytest.mark.slow

FROZEN = 1_790_000_000 * 10**9
MANY = """
import os, sys, threading, time
time.time_ns = lambda: 1_790_000_000 * 10**9
import tokentrail
from tests.support.calls import call

tokentrail.configure(journal_dir=sys.argv[1], ship=False, content_hash_secret=sys.argv[2])

def work():
    for _ in range(50):
        call("the same prompt")

call("the same prompt")
children = []
for _ in range(2):
    child = os.fork()
    if child == 0:
        call("the same prompt")
        grandchild = os.fork()
        work()
        if grandchild:
            os.waitpid(grandchild, 0)
        os._exit(0)
    children.append(child)
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
for child in children: os.waitpid(child, 0)
"""
CALLS = 1 + 2 * (1 + 50 + 50) + 4 * 50


@pytest.mark.parametrize("secret", ["", "shared by all of them"])
def test_threads_processes_and_forks_on_equal_clocks(secret: str, tmp_path: Path) -> None:
    root = Path(__file__).parent.parent.parent
    environ = os.environ | {"PYTHONPATH": str(root)}
    programs = [subprocess.Popen([sys.executable, "-c", MANY, str(tmp_path / "journal"), secret], env=environ, cwd=root) for _ in range(3)]
    assert [program.wait(60) for program in programs] == [0, 0, 0]
    records = journal_of(tmp_path / "journal")
    assert len(records) == 3 * CALLS
    assert len({identity(*record) for record in records}) == 3 * CALLS
    keys = {usage.key for _, _, usage in records}
    assert {usage.ts for _, _, usage in records} == {FROZEN}
    if secret:
        assert len(keys) == 1, "with a shared secret equal prompts are recognisable"
    else:
        assert len(keys) == 3 * 5, "without one every process has its own, forked ones too"


def test_the_clock_is_never_adjusted(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokentrail.recording.recorder.time_ns", lambda: FROZEN)
    for _ in range(3):
        call()
    records = journal_of(journal)
    assert [usage.key_time for _, _, usage in records] == [FROZEN] * 3
    assert len({identity(*record) for record in records}) == 3


def test_usages_by_hand_are_each_one_of_a_kind_unless_a_key_is_claimed(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: FROZEN)

    def spend(**more: object) -> str:
        return track_token_usage(token_type="llm", operation="query", provider="p", model="m", input_tokens=1, **more)  # type: ignore[arg-type]

    for _ in range(3):
        spend()
    corrections = {spend(corrects_key="order:1") for _ in range(3)}
    assert len(corrections) == 3, "two corrections of one record are two"
    for tenant in ("a", "b"):
        spend(idempotency_key="order:42:refund:7", tenant_id=tenant)
    records = journal_of(journal)
    assert len(records) == 8
    assert len({identity(*record) for record in records}) == 3 + 3 + 1


def test_a_random_secret_does_not_let_a_short_prompt_be_guessed(journal: Path, configure: Configure) -> None:
    from tokentrail import content_hash

    call("yes")
    ((_, _, usage),) = journal_of(journal)
    assert content_hash("yes") not in usage.key
    configure(content_hash_secret="other")
    call("yes")
    configure(content_hash_secret="shared")
    call("yes")
    call("yes")
    hashes = [usage.key.split(":")[2] for _, _, usage in journal_of(journal)]
    assert len(set(hashes)) == 3
    assert sorted(hashes.count(found) for found in set(hashes)) == [1, 1, 2]


def test_numbers_of_threads_have_no_holes(journal: Path) -> None:
    threads = [threading.Thread(target=lambda: [call() for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(number for _, number, _ in journal_of(journal)) == list(range(1, 401))
