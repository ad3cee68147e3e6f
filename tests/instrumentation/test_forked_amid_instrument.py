"""A child forked while another thread is within `instrument()` instruments by itself: no lock is held there by a thread that it has not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import openai
import pytest
import wrapt

from tests.support.forked import exit_code_of_child
from tests.support.scripted import ScriptedServer, completion
from tokentrail.instrumentation import patching, registry
from tokentrail.instrumentation.registry import instrument, instrumented, uninstrument
from tokentrail.testing import collect_usages

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


def forked_while(monkeypatch: pytest.MonkeyPatch, place: str, promise: Callable[[], bool]) -> int:
    """Fork while another thread stands at `place` within `instrument()`."""
    there, go_on = threading.Event(), threading.Event()
    parent = threading.get_ident
    waiting: list[int] = []
    apply = getattr(patching, place)

    def slow(*args: Any) -> Any:
        if waiting and parent() == waiting[0] and not there.is_set() and args[0].name == "AsyncAPIClient.request":
            there.set()
            go_on.wait(30)
        return apply(*args)

    monkeypatch.setattr(patching, place, slow)

    def inside() -> None:
        waiting.append(parent())
        instrument(["openai"])

    thread = threading.Thread(target=inside)
    thread.start()
    assert there.wait(30)
    try:
        return exit_code_of_child(promise)
    finally:
        go_on.set()
        thread.join()


@pytest.mark.parametrize("place", ["apply", "_patch"])
def test_the_child_instruments_and_counts(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    async def ask_later(url: str) -> None:
        await openai.AsyncOpenAI(base_url=url, api_key="none").chat.completions.create(**ASK)

    def promise() -> bool:
        import asyncio

        instrument()
        assert len(instrumented()["openai"]) >= 3
        with ScriptedServer(completion()) as server, collect_usages() as usages:
            openai.OpenAI(base_url=server.url, api_key="none").chat.completions.create(**ASK)
            asyncio.run(ask_later(server.url))
            uninstrument()
            return len(usages.recorded) == 2

    assert forked_while(monkeypatch, place, promise) == 0


def test_the_lock_of_import_hooks_is_free_in_the_child() -> None:
    wrapt.register_post_import_hook(lambda _module: None, "this_module_is_not_there_at_all")  # else no import asks wrapt
    importer = vars(__import__("sys").modules[wrapt.register_post_import_hook.__module__])
    held, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with importer["_post_import_hooks_lock"]:
            held.set()
            go_on.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(30)

    def promise() -> bool:
        import this_module_is_not_there_at_all  # type: ignore[import-not-found]  # noqa: F401

        return False

    def comes_back() -> bool:
        try:
            return promise()
        except ImportError:
            with registry.mutex.lock:
                return True

    try:
        assert exit_code_of_child(comes_back) == 0
    finally:
        go_on.set()
        thread.join()
