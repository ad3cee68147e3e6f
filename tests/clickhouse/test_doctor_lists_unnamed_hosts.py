"""`tokentrail doctor` lists the servers, of the journal and of the ledger, whose provider only the SDK named; it only reads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import tokentrail
from tests.support.calls import a_request, an_answer, call
from tests.support.ledger_rows import Land, usage
from tokentrail.doctor import hosts
from tokentrail.doctor.finding import Finding
from tokentrail.doctor.hosts import check_hosts
from tokentrail.process.current import current
from tokentrail.settings import Settings


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Settings]:
    """A journal with calls to a known server, to two unknown ones, and to one that was named by the setting."""
    before = current.settings
    in_force = tokentrail.configure(journal_dir=tmp_path / "journal", ship=False, estimate=False, provider_hosts={"*.known:8000": "vllm"})
    servers = [("api.openai.com", 0), ("vllm.internal", 8000), ("vllm.internal", 8000), ("::1", 4000), ("a.known", 8000)]
    for address, port in servers:
        call(request=a_request(server_address=address, server_port=port))
    yield in_force
    tokentrail.configure(**{name: getattr(before, name) for name in ("journal_dir", "ship", "estimate", "provider_hosts")})


def list_sentences(findings: Iterator[Finding]) -> list[tuple[str, str]]:
    return [(finding.state, finding.sentence) for finding in findings]


AFTER = "recorded as openai, after the SDK that was used; name who answers there: TOKENTRAIL_PROVIDER_HOSTS="


def test_the_journals_servers(journal: Settings) -> None:
    root = Path(journal.journal_dir)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert list_sentences(check_hosts(journal, None)) == [
        ("note", f'vllm.internal:8000: 2 calls are {AFTER}"vllm.internal:8000=…"'),
        ("note", f'[::1]:4000: 1 call is {AFTER}"[::1]:4000=…"'),
    ]
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_what_is_named_is_no_longer_listed(journal: Settings) -> None:
    named = journal.with_(provider_hosts={"*.internal": "vllm", "[::1]:4000": "litellm", "*.known": "vllm"})
    assert list_sentences(check_hosts(named, None)) == [("ok", "who answers is known of every server that was called")]


def test_many_servers_are_cut_short(journal: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "SHOWN", 1)
    assert list_sentences(check_hosts(journal, None))[1:] == [("note", "and 1 more; a pattern names several servers, as in *.internal=vllm")]


def test_an_estimate_is_no_call_of_its_own(journal: Settings) -> None:
    tokentrail.configure(estimate=True)
    unstated = an_answer(input_tokens=None, output_tokens=None, output_texts=["some words"])
    call(request=a_request(server_address="estimated.internal", server_port=1), answer=unstated)
    assert current.runtime.drain_estimates(30)
    assert ("note", f'estimated.internal:1: 1 call is {AFTER}"estimated.internal:1=…"') in list_sentences(check_hosts(journal, None))


def test_no_journal_is_no_finding(tmp_path: Path) -> None:
    assert list_sentences(check_hosts(Settings(journal_dir=str(tmp_path / "nowhere")), None)) == []


def test_the_ledgers_last_days(tmp_path: Path, dsn: str, land: Land) -> None:
    where = {"provider": "openai", "server_address": "litellm.internal", "server_port": 4000}
    known = {"provider": "openai", "server_address": "api.openai.com"}
    now = time.time_ns()
    old = {**where, "server_address": "old.internal"}
    land(
        usage(ts=now, more=where),
        usage(seq=2, ts=now, more=where),
        usage(seq=3, ts=now, more=known),
        usage(seq=4, ts=now - 30 * 86400 * 10**9, more=old),
    )
    empty = Settings(journal_dir=str(tmp_path / "journal"))
    assert list_sentences(check_hosts(empty, dsn)) == [("note", f'litellm.internal:4000: 2 calls are {AFTER}"litellm.internal:4000=…"')]


def test_a_ledger_that_cannot_be_asked_hides_nothing(journal: Settings, tmp_path: Path) -> None:
    assert len(list_sentences(check_hosts(journal, f"chdb://{tmp_path}/nothing"))) == 2


def test_the_command(journal: Settings, tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")} | {
        "TOKENTRAIL_JOURNAL_DIR": journal.journal_dir,
        "TOKENTRAIL_ENDPOINT": "http://127.0.0.1:9/v1/logs",
        "TOKENTRAIL_PROVIDER_HOSTS": "*.known=vllm,[::1]=six",
    }
    command = [sys.executable, "-m", "tokentrail", "doctor", "--json", "--dsn", f"chdb://{tmp_path}/nothing"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
    found = [finding for finding in json.loads(done.stdout) if finding["what"] == "provider hosts"]
    assert [(finding["state"], finding["sentence"].partition(":8000:")[0]) for finding in found] == [("note", "vllm.internal")]
