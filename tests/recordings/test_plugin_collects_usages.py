from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from tokentrail import testing
from tokentrail.recording import recorder
from tokentrail.testing import Usages, collect_usages
from tokentrail.usage import Usage

pytest_plugins = ["pytester"]


def usage(number: int, **fields: object) -> Usage:
    return msgspec.convert({"event": "usage", "key": f"query:acme:{number:032x}:{number:019d}", "ts": number} | fields, Usage)


def test_sums_are_those_of_sql() -> None:
    assert Usages().input_tokens == 0
    assert Usages([usage(1)]).input_tokens is None
    usages = Usages([usage(1), usage(2, input_tokens=5, output_tokens=0), usage(3, input_tokens=7, calls=2)])
    assert (usages.input_tokens, usages.output_tokens, usages.cache_read_tokens, usages.calls) == (12, 0, None, 4)


def test_groups_and_picks() -> None:
    usages = Usages([usage(1, tenant_id="a", input_tokens=1), usage(2, tenant_id="b", input_tokens=2), usage(3, tenant_id="a", input_tokens=4)])
    assert {tenant: group.input_tokens for tenant, group in usages.by("tenant_id").items()} == {"a": 5, "b": 2}
    assert set(usages.by("tenant_id", "source")) == {("a", "unknown"), ("b", "unknown")}
    assert usages.where(tenant_id="a")[-1].input_tokens == 4
    assert isinstance(usages[1:], Usages)
    assert [one.input_tokens for one in usages] == [1, 2, 4]


def test_an_estimate_completes_its_call_and_a_claimed_key_counts_once() -> None:
    usages = Usages([usage(1, input_chars=10)])
    usages.append(usage(1, call=1, input_tokens=3, input_source="estimated", output_source="estimated"))
    assert [one.input_tokens for one in usages] == [3]
    assert len(usages.recorded) == 2
    usages.append(usage(1, input_tokens=8, input_source="reported", output_source="reported"))
    assert len(usages) == 2, "an automatic key that two calls share is two calls"
    for at in (9, 7, 8):
        usages.append(usage(at, key="order-17", key_kind="opaque", input_tokens=at, input_source="reported", output_source="reported"))
    assert [one.input_tokens for one in usages] == [3, 8, 7], "the earliest"


def claimed(number: int, key: str, **fields: object) -> Usage:
    return usage(number, key=f"openai:{key}", key_kind="object", input_source="reported", output_source="reported", **fields)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (1, 2, 3, 0), (1, 0, 2, 3), (3, 2, 1, 0)])
def test_results_of_a_job_that_states_its_usage_do_not_count_whichever_is_recorded_first(order: tuple[int, ...]) -> None:
    """As in the ledger: another process may have read the results before the job's usage was seen, or afterwards."""
    records = [
        claimed(1, "batch_1##usage", calls=0, response_id="openai:file-out"),
        claimed(2, "file-out#a", input_tokens=10),
        claimed(3, "file-out#b", input_tokens=11),
        claimed(4, "batch_1", input_tokens=36, calls=2),
    ]
    usages = Usages()
    for place in order:
        usages.append(records[place])
    other = claimed(5, "file-other#a", input_tokens=7)
    usages.append(other)
    assert sorted(one.input_tokens or 0 for one in usages) == [7, 36]
    assert len(usages.recorded) == 4, "results are records all the same; a fact is none"
    usages.clear()
    usages.append(records[1])
    assert len(usages) == 1


def test_waiting_ends_with_the_usage_or_says_what_is_missing() -> None:
    usages = Usages()
    later = threading.Timer(0.05, usages.append, [usage(1)])
    later.start()
    assert len(usages.wait_for(1, timeout=20)) == 1
    with pytest.raises(AssertionError, match="1 of 2 usages were recorded"):
        usages.wait_for(2, timeout=0.01)


async def test_waiting_lets_the_event_loop_run() -> None:
    usages = Usages()
    asyncio.get_running_loop().call_later(0.05, usages.append, usage(1))
    assert len(await usages.wait_for_async(1, timeout=20)) == 1
    with pytest.raises(AssertionError, match="1 of 2 usages"):
        await usages.wait_for_async(2, timeout=0.01)


def test_recorded_usages_are_collected_and_the_sink_before_comes_back() -> None:
    with collect_usages() as outer:
        with collect_usages() as inner:
            recorder.record(usage(1, input_tokens=4))
        recorder.record(usage(2, input_tokens=5))
    assert (inner.input_tokens, outer.input_tokens) == (4, 5)


@pytest.mark.slow
def test_users_test_sees_what_it_recorded_and_the_journal_stays_empty(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = pytester.path / "journal"
    monkeypatch.setenv("TOKENTRAIL_JOURNAL_DIR", str(journal))
    monkeypatch.setenv("TOKENTRAIL_TEST_JOURNAL", str(journal))
    pytester.makepyfile(
        """
        import os, pathlib
        import httpx
        from tokentrail import testing
        from tokentrail.recording import recorder
        from tokentrail.usage import Usage


        def test_first(tokentrail_usages):
            recorder.record(Usage(key="query:acme:" + "0" * 32 + ":" + "0" * 19, ts=1, tenant_id="acme", input_tokens=12))
            assert tokentrail_usages.wait_for(1).input_tokens == 12
            assert tokentrail_usages.by("tenant_id")["acme"][0].calls == 1


        def test_second_starts_with_nothing(tokentrail_usages):
            assert len(tokentrail_usages) == 0


        def test_replay(tokentrail_replay):
            answer = httpx.post(tokentrail_replay.url("openai") + "/embeddings", json={"model": "x", "input": "y"})
            assert answer.json()["usage"]["total_tokens"] > 0


        def test_nothing_was_written():
            folder = pathlib.Path(os.environ["TOKENTRAIL_TEST_JOURNAL"])
            assert not folder.exists() or not [path for path in folder.rglob("*") if path.is_file()]
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-q")
    result.assert_outcomes(passed=4)


def test_plugin_costs_runs_that_do_not_use_it_nothing() -> None:
    code = (
        "import sys, pytest; before = set(sys.modules); import tokentrail.testing.pytest_plugin; "
        "print(*sorted(name for name in set(sys.modules) - before if not name.startswith('tokentrail')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    heavy = {"http.server", "msgspec", "opentelemetry", "openai", "groq", "ollama", "wrapt", "urllib3", "asyncio"}
    assert not heavy & set(done.stdout.split())


def test_public_names_are_there() -> None:
    assert sorted(testing.__all__) == testing.__all__
    assert all(getattr(testing, name) for name in testing.__all__)
    with pytest.raises(AttributeError):
        _ = testing.nothing


def test_recordings_lie_beside_the_code() -> None:
    home = Path(testing.__file__).parent
    assert len(list((home / "recordings").glob("*.json"))) > 60
