"""A wrapped call inside a wrapped call is a part of it; a call beside it is not."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
import weakref
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import groq
import httpx
import openai
import pytest

from tests.support.scripted import ScriptedServer, chunks, completion, sse
from tokentrail.instrumentation import patching
from tokentrail.instrumentation.contract import Answer, Exchange, Hook, Request
from tokentrail.testing import Usages

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


class GatewayInProcess(httpx.BaseTransport):
    """A transport of one SDK's client that asks another SDK."""

    def __init__(self, url: str) -> None:
        self.client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        answer = self.client.chat.completions.create(**ASK)
        return httpx.Response(200, json=answer.model_dump(), request=request)


def test_a_call_inside_a_call(usages: Usages) -> None:
    with ScriptedServer(completion()) as server:
        outer = groq.Groq(base_url="http://gateway.invalid", api_key="none", http_client=httpx.Client(transport=GatewayInProcess(server.url)))
        outer.chat.completions.create(**ASK)
        assert [(usage.input_tokens, usage.server_address) for usage in usages.recorded] == [(40, "127.0.0.1")]
        openai.OpenAI(base_url=server.url, api_key="none").chat.completions.create(**ASK)
        assert [usage.input_tokens for usage in usages.recorded] == [40, 40]


def test_calls_beside_each_other_in_threads(usages: Usages) -> None:
    with ScriptedServer(completion()) as server:
        client = openai.OpenAI(base_url=server.url, api_key="none")
        threads = [threading.Thread(target=client.chat.completions.create, kwargs=ASK) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (len(usages.recorded), usages.input_tokens) == (12, 480)
    assert len({usage.key for usage in usages.recorded}) == 12


http = getattr(openai._base_client, "httpx2", None) or openai._base_client.httpx


class Asker:
    """A client of another server, which asks there once, whenever it is told to."""

    def __init__(self, url: str) -> None:
        self.client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)
        self.asked = 0

    def ask(self, *_: Any, **__: Any) -> None:
        if not self.asked:
            self.asked = 1
            self.client.chat.completions.create(**ASK)

    def __del__(self) -> None:
        self.ask()


def by_signal(asker: Asker) -> None:
    def handler(_number: int, _frame: Any) -> None:
        asker.ask()

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)


def by_finalizer(asker: Asker) -> None:
    class Held:
        pass

    held = Held()
    held.it = Asker(str(asker.client.base_url))  # type: ignore[attr-defined]
    del held


def by_weak_reference(asker: Asker) -> None:
    class Held:
        pass

    held = Held()
    reference = weakref.ref(held, lambda _dead: asker.ask())
    del held
    assert reference() is None


def by_log_handler(asker: Asker) -> None:
    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            asker.ask()

    logger = logging.getLogger("tests.nesting")
    handler = Handler()
    logger.addHandler(handler)
    try:
        logger.error("asked")
    finally:
        logger.removeHandler(handler)


BREAKS_IN = [by_signal, by_finalizer, by_weak_reference, by_log_handler]


class OtherTransport(http.BaseTransport):  # type: ignore[misc]
    """A transport that answers by itself, and during which something else happens."""

    def __init__(self, happens: Callable[[], None]) -> None:
        self.happens = happens

    def handle_request(self, request: Any) -> Any:
        self.happens()
        return http.Response(200, json={**completion(), "id": "chatcmpl-outer"}, request=request)


@pytest.mark.parametrize("happens", BREAKS_IN)
def test_what_breaks_into_a_call_is_a_call_beside_it(usages: Usages, happens: Callable[[Asker], None]) -> None:
    with ScriptedServer(completion()) as server:
        asker = Asker(f"{server.url}/v1")
        transport = OtherTransport(lambda: happens(asker))
        outer = openai.OpenAI(base_url="http://outer.invalid", api_key="none", http_client=http.Client(transport=transport))
        outer.chat.completions.create(**ASK)
        asker.asked = 1
    assert sorted(usage.server_address for usage in usages.recorded) == ["127.0.0.1", "outer.invalid"]


@pytest.mark.parametrize("hook", ["request", "response"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_call_from_an_event_hook_is_a_call_beside_it(usages: Usages, hook: str, stream: bool) -> None:
    with ScriptedServer(completion()) as inner, ScriptedServer(sse(chunks("a", usage=True)) if stream else completion()) as server:
        asker = Asker(inner.url)
        http_client = http.Client(event_hooks={hook: [asker.ask]})
        outer = openai.OpenAI(base_url=server.url, api_key="none", http_client=http_client)
        answer = outer.chat.completions.create(**ASK, stream=stream)
        assert len(list(answer)) if stream else answer.usage
    assert sorted(usage.server_port for usage in usages.recorded) == sorted([inner.port, server.port])
    assert usages.input_tokens == 80


async def test_an_async_call_from_an_event_hook_and_the_tasks_it_begins(usages: Usages) -> None:
    with ScriptedServer(completion(), {**completion(), "id": "chatcmpl-2"}) as inner, ScriptedServer({**completion(), "id": "chatcmpl-3"}) as server:
        other = openai.AsyncOpenAI(base_url=inner.url, api_key="none", max_retries=0)
        tasks: list[asyncio.Task[Any]] = []
        go_on = asyncio.Event()

        async def later() -> None:
            await go_on.wait()
            await other.chat.completions.create(**ASK)

        async def hook(_request: Any) -> None:
            await other.chat.completions.create(**ASK)
            tasks.append(asyncio.create_task(later()))

        outer = openai.AsyncOpenAI(base_url=server.url, api_key="none", http_client=http.AsyncClient(event_hooks={"request": [hook]}))
        await outer.chat.completions.create(**ASK)
        assert sorted(usage.server_port for usage in usages.recorded) == sorted([inner.port, server.port])
        go_on.set()
        await tasks[0]  # its context is the outer call's, which is over
    assert len(usages.recorded) == 3


class GatewayInTask(http.AsyncBaseTransport):  # type: ignore[misc]
    """An async transport that asks another SDK in a task or a thread of its own."""

    def __init__(self, url: str, *, thread: bool) -> None:
        self.url, self.thread = url, thread

    async def handle_async_request(self, request: Any) -> Any:
        if self.thread:
            answer = await asyncio.to_thread(partial(openai.OpenAI(base_url=self.url, api_key="none").chat.completions.create, **ASK))
        else:
            answer = await asyncio.create_task(openai.AsyncOpenAI(base_url=self.url, api_key="none").chat.completions.create(**ASK))
        return http.Response(200, json=answer.model_dump(), request=request)


@pytest.mark.parametrize("thread", [False, True])
async def test_an_answer_that_comes_from_another_task_or_thread_counts_once(usages: Usages, thread: bool) -> None:
    with ScriptedServer(completion()) as server:
        http_client = http.AsyncClient(transport=GatewayInTask(server.url, thread=thread))
        outer = openai.AsyncOpenAI(base_url="http://gateway.invalid", api_key="none", http_client=http_client)
        await outer.chat.completions.create(**ASK)
    assert [usage.server_address for usage in usages.recorded] == ["127.0.0.1"]


def test_a_call_inside_that_failed_leaves_the_answer_to_the_outer_one(usages: Usages) -> None:
    class Fallback(http.BaseTransport):  # type: ignore[misc]
        def handle_request(self, request: Any) -> Any:
            with pytest.raises(openai.InternalServerError):
                Asker(broken.url).ask()
            return http.Response(200, json=completion(), request=request)

    with ScriptedServer((500, {"error": {"message": "no"}})) as broken:
        outer = openai.OpenAI(base_url="http://outer.invalid", api_key="none", http_client=http.Client(transport=Fallback()))
        outer.chat.completions.create(**ASK)
    assert [(usage.server_address, usage.ended) for usage in usages.recorded] == [("127.0.0.1", "error"), ("outer.invalid", "complete")]


def test_retries_of_a_request_from_an_event_hook_are_not_the_outer_calls(usages: Usages) -> None:
    with ScriptedServer((500, {}), {"object": "list", "data": []}) as inner, ScriptedServer(completion()) as server:
        other = openai.OpenAI(base_url=inner.url, api_key="none", max_retries=2)
        http_client = http.Client(event_hooks={"request": [lambda _request: other.models.list()]})
        openai.OpenAI(base_url=server.url, api_key="none", http_client=http_client).chat.completions.create(**ASK)
        assert len(inner.paths) == 2
    assert [usage.attempts for usage in usages.recorded] == [1]


ACME = """
import openai
class Client:
    def __init__(self, url): self.inner = openai.OpenAI(base_url=url, api_key="none")
    def ask(self, question): return self.inner.chat.completions.create(model="m", messages=[{"role": "user", "content": question}])
"""


def test_an_sdk_that_is_built_upon_another_one(usages: Usages, monkeypatch: pytest.MonkeyPatch) -> None:
    acme = ModuleType("acme_nested")
    exec(ACME, vars(acme))
    monkeypatch.setitem(sys.modules, "acme_nested", acme)

    def opens(_client: Any, args: Any, kwargs: Any) -> Exchange:
        request = Request(provider="acme", endpoint="chat", gen_ai_operation="chat", model="m", texts=[args[0]])
        return Exchange(request, args, kwargs, lambda _result: (Answer(model="m", input_tokens=99), "complete"))

    hook = Hook("acme_nested", "Client.ask", opens=opens)
    patching.apply(hook)
    try:
        with ScriptedServer(completion()) as server:
            acme.Client(server.url).ask("hello")
    finally:
        patching.remove(hook)
    assert [(usage.provider, usage.input_tokens) for usage in usages.recorded] == [("openai", 40)]


class Begins:
    """Where a call of its own begins inside another one: each is paid, whatever the stack looks like."""

    @staticmethod
    def in_a_transport(ask: Callable[[], object], client: Any) -> None:
        """A guard, or a cache that embeds the prompt, and then the real server."""
        sent = client._client._transport.handle_request

        def handle_request(request: Any) -> Any:
            ask()
            return sent(request)

        client._client._transport.handle_request = handle_request

    @staticmethod
    def in_an_overridden_method(ask: Callable[[], object], client: Any) -> None:
        """The SDK's own extension point."""
        prepare = client._prepare_options

        def prepare_options(options: Any) -> Any:
            ask()
            return prepare(options)

        client._prepare_options = prepare_options


@pytest.mark.parametrize("begins", [Begins.in_a_transport, Begins.in_an_overridden_method])
def test_a_call_within_a_call_that_goes_to_its_own_server_is_another_spend(usages: Usages, begins: Callable[..., None]) -> None:
    guard = completion(id="chatcmpl-guard", model="guard", usage={"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8})
    with ScriptedServer(guard) as small, ScriptedServer(completion()) as large:
        asker = openai.OpenAI(base_url=small.url, api_key="none")
        client = openai.OpenAI(base_url=large.url, api_key="none")
        begins(lambda: asker.chat.completions.create(**ASK), client)
        client.chat.completions.create(**ASK)
    assert sorted((usage.response_model, usage.input_tokens) for usage in usages) == [("gpt-4o-mini-2024-07-18", 40), ("guard", 7)]


def test_code_that_runs_for_the_sdk_can_be_a_key_as_any_other(usages: Usages) -> None:
    """Profilers and debuggers keep what they know by the code object."""
    from openai._base_client import SyncAPIClient

    seen = {SyncAPIClient.request.__code__: 1}
    assert seen[SyncAPIClient.request.__code__] == 1
