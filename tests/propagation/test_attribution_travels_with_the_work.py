"""Attribution travels with work: to thread pools by itself, to threads and processes by `carry`, through any queue by a carrier."""

from __future__ import annotations

import asyncio
import inspect
import json
import multiprocessing
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage as opentelemetry_baggage
from opentelemetry import context
from starlette.background import BackgroundTask
from werkzeug.local import LocalProxy

import tokentrail
from tests.support.calls import call, journal_of
from tests.support.recipes import FOLDER
from tests.support.scripted import ScriptedServer, completion
from tokentrail import track_tokens
from tokentrail.attribution import attribution, named_budgets
from tokentrail.budgets.guard import guard
from tokentrail.propagation import baggage, carry, extracted, inject
from tokentrail.testing import Usages

TEXTS = st.text(min_size=1, max_size=80)


def in_force(*_: Any) -> tuple[str, str, str, str]:
    """The attribution in force; a function of a module, so that processes can be sent it."""
    block = attribution.get()
    return ("", "", "", "") if block is None else (block.tenant_id, block.operation, block.operation_id, block.metadata)


ALL = ("acme", "query", "op1", '{"a": 1}')


@pytest.fixture
def acme(tokentrail_usages: Usages) -> Any:
    tokentrail.instrument()
    return track_tokens("query", tenant_id="acme", operation_id="op1", metadata={"a": 1})


def test_a_thread_pools_task_has_the_attribution_of_who_submitted_it(acme: Any, tokentrail_usages: Usages) -> None:
    with ThreadPoolExecutor(2) as pool:
        with acme as spent:
            pool.submit(call).result()
            assert list(pool.map(in_force, range(5))) == [ALL] * 5
            assert spent.calls == 1
        assert pool.submit(in_force).result() == ("",) * 4
        with track_tokens(tenant_id="globex"):
            assert pool.submit(in_force).result()[0] == "globex"
        with pytest.raises(ZeroDivisionError):
            pool.submit(lambda: 1 // 0).result()


def test_asyncios_threads_too(acme: Any) -> None:
    async def main() -> list[Any]:
        with acme:
            loop = asyncio.get_running_loop()
            found = [await asyncio.to_thread(in_force), await loop.run_in_executor(None, in_force)]
        return [*found, await loop.run_in_executor(None, in_force)]

    assert asyncio.run(main()) == [ALL, ALL, ("",) * 4]


def test_uninstrument_restores_the_pools_function(acme: Any) -> None:
    tokentrail.uninstrument()
    assert "wrapper" not in inspect.getsource(ThreadPoolExecutor.submit)
    with ThreadPoolExecutor(1) as pool, acme:  # the decorator's first use instruments again, once in a process: not here
        found = pool.submit(in_force).result()
    tokentrail.instrument()
    assert found == ("",) * 4


def test_a_thread_takes_carry(acme: Any) -> None:
    found: list[Any] = []
    with acme:
        threads = [threading.Thread(target=carry(lambda: found.append(in_force()))), threading.Thread(target=lambda: found.append(in_force()))]
    for thread in threads:
        thread.start()
        thread.join()
    assert found == [ALL, ("",) * 4]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_processes_take_carry(acme: Any, method: str) -> None:
    with multiprocessing.get_context(method).Pool(1) as pool:
        with acme:
            work = carry(in_force)
        assert pool.map(work, range(3)) == [ALL] * 3
        assert pool.map(in_force, range(1)) == [("",) * 4]


def test_carry_keeps_what_a_function_says_of_itself(acme: Any) -> None:
    assert carry(in_force) is in_force
    with acme:
        carried = carry(in_force)
        of_partial = carry(partial(in_force, 1))
    assert carried.__name__ == "in_force"
    assert carried.__doc__ == in_force.__doc__
    assert inspect.signature(carried) == inspect.signature(in_force)
    assert of_partial() == ALL
    assert pickle.loads(pickle.dumps(carried))() == ALL


@given(tenant=TEXTS, operation_id=TEXTS, metadata=st.dictionaries(st.text(max_size=20), TEXTS, max_size=3))
def test_whatever_is_injected_is_extracted(tenant: str, operation_id: str, metadata: dict[str, str]) -> None:
    carrier: dict[str, str] = {}
    with track_tokens(tenant_id=tenant, operation_id=operation_id, metadata=metadata, budget="b", over_budget="raise"):
        inject(carrier)
        expected, block = in_force(), attribution.get()
    with extracted(json.loads(json.dumps(carrier))):
        assert in_force() == expected
        found = attribution.get()
        assert block is not None
        assert found is not None
        assert found.budgets == block.budgets == {"b": "raise"}
    assert attribution.get() is None


def test_the_guard_watches_the_budgets_of_a_carrier(monkeypatch: pytest.MonkeyPatch) -> None:
    watched: list[Any] = []
    monkeypatch.setattr(guard, "watch", watched.append)
    with extracted({"tokentrail": '{"tenant_id":"acme","budgets":{"of a carrier":"raise"}}'}):
        assert "of a carrier" in named_budgets
    named_budgets.discard("of a carrier")
    assert watched == [{"of a carrier": "raise"}]


def test_without_an_attribution_a_carrier_stays_as_it_is() -> None:
    carrier: dict[str, str] = {}
    inject(carrier)
    with track_tokens():
        inject(carrier)
    assert carrier == {}


class Refuses(dict[str, str]):
    def __setitem__(self, key: str, value: str) -> None:
        raise MemoryError

    def get(self, *_: Any) -> Any:
        raise OSError


@pytest.mark.parametrize(
    "carrier",
    [
        None,
        {},
        {"tokentrail": ""},
        {"tokentrail": "no JSON"},
        {"tokentrail": "[]"},
        {"tokentrail": '{"tenant_id": 7}'},
        {"tokentrail": '{"tenant_id": "acme", "metadata": "no JSON"}'},
        {"tokentrail": '{"tenant_id": "acme", "budgets": ["x"]}'},
        {"tokentrail": '{"tenant_id": "' + "x" * 70_000 + '"}'},
        {"tokentrail": b"\xff"},
        {"tokentrail": 7},
        {"baggage": 7},
        {"baggage": "%,=;tokentrail.tenant_id"},
        Refuses(a="b"),
    ],
    ids=repr,
)
def test_a_carrier_that_says_nothing_changes_nothing_and_the_work_runs(carrier: Any) -> None:
    ran = []
    with track_tokens(tenant_id="outer"):
        with extracted(carrier):
            ran.append(in_force()[0])
        assert in_force()[0] == "outer"
    with pytest.raises(KeyError), extracted(carrier):
        raise KeyError
    assert ran == ["outer"]


def test_a_carrier_that_takes_nothing_raises_nothing() -> None:
    with track_tokens(tenant_id="acme"):
        inject(Refuses())


def test_baggage_of_a_carrier_or_of_opentelemetry_counts_where_the_own_text_is_missing() -> None:
    by_header = {"baggage": "x=1,tokentrail.tenant_id=acme,tokentrail.operation_id=op1"}
    with extracted(by_header):
        assert in_force()[::2] == ("acme", "op1")
    token = context.attach(opentelemetry_baggage.set_baggage(baggage.TENANT_ID, "globex"))
    try:
        with extracted({}):
            assert in_force()[0] == "globex"
        with extracted(by_header):
            assert in_force()[0] == "acme"
        with extracted({"tokentrail": '{"tenant_id":"initech"}', **by_header}):
            assert in_force()[0] == "initech"
    finally:
        context.detach(token)


@given(tenant=st.text(max_size=40), operation_id=st.text(max_size=40), others=st.lists(st.sampled_from(["a=1", "b=2;p", " c = 3 "]), max_size=3))
def test_what_is_written_as_baggage_is_read(tenant: str, operation_id: str, others: list[str]) -> None:
    with track_tokens(tenant_id=tenant, operation_id=operation_id):
        written = baggage.merged(",".join(others), baggage.written(attribution.get()))
        expected = in_force()
    assert written.isascii()
    assert baggage.read(written) == (expected[0], expected[2])
    assert baggage.merged(written, "") == ",".join(others)


def test_baggage_keeps_the_specifications_bound() -> None:
    long = "x=" + "1" * (baggage.MAX_BYTES - 40)
    assert baggage.merged(long, "tokentrail.tenant_id=" + "a" * 30) == long
    assert baggage.merged(long, "tokentrail.tenant_id=acme").endswith(",tokentrail.tenant_id=acme")


def test_the_recipe_of_threads_and_processes_counts_all_for_the_tenant(tmp_path: Path) -> None:
    with ScriptedServer(completion()) as provider:
        environment = {"OPENAI_BASE_URL": f"{provider.url}/v1", "OPENAI_API_KEY": "none", "PATH": "", "HOME": str(tmp_path)}
        environment |= {"TOKENTRAIL_JOURNAL_DIR": str(tmp_path / "journal"), "TOKENTRAIL_SHIP": "false"}
        command = [sys.executable, str(FOLDER / "threads_and_processes.py")]
        ran = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert len(provider.asked) == 8
    usages = [usage for _writer, _number, usage in journal_of(tmp_path / "journal")]
    assert [(usage.tenant_id, usage.operation, usage.input_tokens) for usage in usages] == [("acme", "batch", 40)] * 8


async def tenant_of_a_coroutine() -> str:
    await asyncio.sleep(0)
    return in_force()[0]


def test_a_coroutine_function_is_carried_as_one(acme: Any) -> None:
    with acme:
        carried = carry(tenant_of_a_coroutine)
        background = BackgroundTask(carried)
    assert asyncio.run(carried()) == "acme"
    assert asyncio.run(pickle.loads(pickle.dumps(carried))()) == "acme"
    assert background.is_async  # what Starlette takes for a plain function is called in a thread, and its coroutine never runs


class Hidden:
    """A callable that has no attributes to look at, as proxies outside of their request."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __call__(self) -> tuple[str, str, str, str]:
        return in_force()


def test_a_callable_whose_attributes_raise_runs_in_a_pool(acme: Any) -> None:
    unbound: Any = LocalProxy(ContextVar("of a request"))
    with acme, ThreadPoolExecutor(1) as pool:
        assert pool.submit(Hidden()).result() == ALL
        task = pool.submit(unbound)
        with pytest.raises(RuntimeError, match="not bound"):
            task.result()
