"""Another instrumentation patches the same SDK, before, after, on a class or on one client, and may be switched off again: each call is one row."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import pickle
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any
from unittest import mock

import openai
import pytest
import wrapt

from tests.support.programs import run
from tests.support.scripted import ScriptedServer, chunks, completion, sse
from tokentrail.doctor.sdks import check_sdks
from tokentrail.instrumentation import patching
from tokentrail.instrumentation.contract import Answer, Exchange, Hook, Request
from tokentrail.instrumentation.registry import instrument, instrumented, uninstrument
from tokentrail.testing import Usages

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}

PEER = """
import asyncio, json, os, sys
import openai, tokentrail
from openinference.instrumentation.openai import OpenAIInstrumentor
from tests.support.scripted import ScriptedServer, chunks, completion, sse
from tokentrail.doctor.sdks import check_sdks
from tokentrail.testing import collect_usages

ASK = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
STREAM = sse(chunks("a", "b", usage=True))
EMBEDDING = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}], "model": "e", "usage": {"prompt_tokens": 3, "total_tokens": 3}}
peer = OpenAIInstrumentor()
loop = asyncio.new_event_loop()
STEPS = {"peer": lambda: peer.instrument(skip_dep_check=True), "peer off": peer.uninstrument, "ours": tokentrail.instrument, "ours off": tokentrail.uninstrument}

def forms(client, later):
    chat, alter = client.chat.completions, later.chat.completions
    helpers = chat if hasattr(chat, "parse") else client.beta.chat.completions  # as older SDKs have it
    async def read(): return [chunk async for chunk in await alter.create(**ASK, stream=True)]
    def helped():
        with helpers.stream(**ASK) as events: list(events)
    def raw_stream():
        with chat.with_streaming_response.create(**ASK) as raw: raw.json()
    yield "chat", completion(), lambda: chat.create(**ASK)
    yield "stream", STREAM, lambda: list(chat.create(**ASK, stream=True))
    yield "raw", completion(), lambda: chat.with_raw_response.create(**ASK).parse()
    yield "raw stream", STREAM, lambda: list(chat.with_raw_response.create(**ASK, stream=True).parse())
    yield "streaming raw", completion(), raw_stream
    yield "parse", completion("{}"), lambda: helpers.parse(**ASK)
    yield "helper", STREAM, helped
    yield "embeddings", EMBEDDING, lambda: client.embeddings.create(model="e", input="hello")
    yield "error", (400, {"error": {"message": "no"}}), lambda: chat.create(**ASK)
    yield "async", completion(), lambda: loop.run_until_complete(alter.create(**ASK))
    yield "async stream", STREAM, lambda: loop.run_until_complete(read())
    yield "async error", (400, {"error": {"message": "no"}}), lambda: loop.run_until_complete(alter.create(**ASK))

def one_row_each(server, clients):
    wrong = {}
    for name, answer, action in forms(*clients):
        server.answers[:] = [answer]
        with collect_usages() as usages:
            try:
                action()
            except openai.BadRequestError:
                pass
            usages.settle()
            if len(usages.recorded) != 1: wrong[name] = len(usages.recorded)
    return wrong

HTTP = openai.DefaultHttpxClient(verify=False), openai.DefaultAsyncHttpxClient(verify=False)  # certificates are read once for each client

def clients(url):
    return tuple(kind(base_url=url, api_key="none", max_retries=0, http_client=http) for kind, http in zip((openai.OpenAI, openai.AsyncOpenAI), HTTP))

with ScriptedServer({}) as server:
    wrong, old = {}, clients(server.url)
    for steps in json.loads(sys.argv[1]):
        for step in steps: STEPS[step]()
        if found := one_row_each(server, clients(server.url)): wrong[f"{steps}"] = found
        with collect_usages() as usages:
            server.answers[:] = [completion()]
            old[0].chat.completions.create(**ASK)
            loop.run_until_complete(old[1].chat.completions.create(**ASK))
        if len(usages.recorded) != 2: wrong[f"{steps}, a client made before"] = len(usages.recorded)
        if steps[-1] == "peer off":
            said = [finding.state for finding in check_sdks(switch_on=False) if finding.what == "openai"]
            if "ok" not in said or "wrong" in said: wrong[f"{steps} doctor"] = said
        for step in ("peer off", "ours off"):
            try: STEPS[step]()
            except AttributeError: pass  # the peer was never on
    with collect_usages() as usages:
        server.answers[:] = [completion()]
        old[0].chat.completions.create(**ASK)
        if usages.recorded: wrong["off"] = len(usages.recorded)
print(json.dumps(wrong))
"""

ORDERS = [
    ["peer", "ours"],
    ["ours", "peer"],
    ["peer", "peer off", "ours"],
    ["peer", "ours", "peer off"],
    ["ours", "peer", "peer off"],
    ["peer", "ours", "ours off", "ours"],
    ["ours", "peer", "ours off", "peer off", "ours", "peer"],
]


@pytest.mark.slow
def test_every_order_beside_openinference() -> None:
    pytest.importorskip("openinference.instrumentation.openai")
    if tuple(map(int, openai.__version__.split(".")[:2])) < (2, 8):
        pytest.skip("OpenInference needs openai 2.8")
    assert run(PEER, json.dumps(ORDERS)) == {}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(completion()) as scripted:
        yield scripted


def wrapped(original: Any) -> Any:
    """Wrap as logfire does: a plain function that holds the original."""

    @functools.wraps(original)
    def request(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **kwargs)

    return request


@pytest.mark.parametrize("ours_first", [True, False])
@pytest.mark.parametrize("off_again", [True, False])
def test_a_patch_of_one_client(usages: Usages, server: ScriptedServer, ours_first: bool, off_again: bool) -> None:
    client = openai.OpenAI(base_url=server.url, api_key="none")
    if ours_first:
        instrument()
    original = client.request
    client.request = wrapped(original)  # type: ignore[method-assign]
    instrument()
    if off_again:
        client.request = original  # type: ignore[method-assign]
    client.chat.completions.create(**ASK)
    client.with_options(timeout=9).chat.completions.create(**ASK)
    assert len(usages.recorded) == 2
    uninstrument()
    client.chat.completions.create(**ASK)
    assert len(usages.recorded) == 2


def held_by_a_proxy(original: Any) -> Any:
    return wrapt.FunctionWrapper(wrapped(original), lambda inner, _instance, args, kwargs: inner(*args, **kwargs))


def named_as_a_global(original: Any) -> Any:
    names: dict[str, Any] = {"original": original}
    exec("def request(self, *args, **kwargs): return original(self, *args, **kwargs)", names)
    return names["request"]


def held_as_a_default(original: Any) -> Any:
    def request(self: Any, *args: Any, _original: Any = original, **kwargs: Any) -> Any:
        return _original(self, *args, **kwargs)

    return request


def held_by_a_mock(original: Any) -> Any:
    return mock.create_autospec(original, side_effect=original)


def seen_by_nobody(original: Any) -> Any:
    held = [original]

    def request(*args: Any, **kwargs: Any) -> Any:
        return held[0](*args, **kwargs)

    return request


@pytest.mark.parametrize("patched", [wrapped, held_by_a_proxy, named_as_a_global, held_as_a_default, held_by_a_mock, seen_by_nobody])
@pytest.mark.parametrize("again", [True, False])
def test_a_patch_of_the_base_class_that_was_there_first_and_goes(usages: Usages, server: ScriptedServer, patched: Any, again: bool) -> None:
    kind: Any = openai._base_client.SyncAPIClient
    original = kind.request
    before = (original.__code__, dict(vars(original)))
    client = openai.OpenAI(base_url=server.url, api_key="none")
    with pytest.MonkeyPatch.context() as theirs:
        theirs.setattr(kind, "request", patched(original))
        instrument()
        client.chat.completions.create(**ASK)
        assert len(usages.recorded) == 1
        instrument()
        client.chat.completions.create(**ASK)
        assert len(usages.recorded) == 2
    if again or patched is seen_by_nobody:
        instrument()
    client.chat.completions.create(**ASK)
    assert len(usages.recorded) == 3
    assert "openai._base_client:SyncAPIClient.request" in instrumented()["openai"]
    uninstrument()
    client.chat.completions.create(**ASK)
    assert len(usages.recorded) == 3
    assert (kind.request, kind.request.__code__, vars(kind.request)) == (original, *before)


def test_the_function_looks_as_before() -> None:
    kinds = (openai._base_client.SyncAPIClient, openai._base_client.AsyncAPIClient)

    def seen() -> list[Any]:
        functions = [kind.request for kind in kinds]
        return [
            (
                function.__name__,
                function.__qualname__,
                function.__module__,
                function.__doc__,
                inspect.signature(function),
                inspect.getsource(function),
            )
            for function in functions
        ] + [inspect.iscoroutinefunction(function) for function in functions]

    before = seen()
    instrument()
    assert seen() == before
    assert pickle.loads(pickle.dumps(kinds[0].request)) is kinds[0].request


SDK = """
class Base:
    def __init__(self, name): self.name = name
    def ask(self, question): return f"{self.name} {question}"

class Client(Base):
    def ask(self, question, *, twice=False): return super().ask(question * 2 if twice else question)
    async def wait(self, question): return question
    @staticmethod
    def plain(question): return question
    @classmethod
    def of(cls, question): return f"{cls.__name__} {question}"
    def each(self, question): yield question

class Heir(Base): pass

def ask(question): return question
"""


@pytest.mark.parametrize("name", ["Client.ask", "Client.wait", "Client.plain", "Client.of", "Client.each", "Heir.ask", "ask"])
def test_every_kind_of_function_can_be_hooked(usages: Usages, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    sdk = ModuleType("tests_sdk")
    exec(SDK, vars(sdk))
    monkeypatch.setitem(sys.modules, "tests_sdk", sdk)

    def call() -> Any:
        target: Any = sdk.Client("c") if name.startswith("Client") else sdk.Heir("h") if name.startswith("Heir") else sdk
        found = getattr(target, name.rpartition(".")[2])("q")
        return asyncio.run(found) if inspect.iscoroutine(found) else list(found) if inspect.isgenerator(found) else found

    def opens(_instance: Any, args: Any, kwargs: Any) -> Exchange:
        request = Request(provider="x", endpoint="chat", gen_ai_operation="chat", model="m", texts=[args[-1]])
        return Exchange(request, args, kwargs, lambda _result: (Answer(input_tokens=1), "complete"))

    plain = call()
    hook = Hook("tests_sdk", name, opens=opens, is_async=name == "Client.wait")
    patching.apply(hook)
    assert (call(), len(usages.recorded), patching.is_on(hook)) == (plain, 1, True)
    assert sdk.Base("b").ask("q") == "b q"  # a hook on an heir is none on the function that it inherits
    assert len(usages.recorded) == 1
    patching.remove(hook)
    assert (call(), len(usages.recorded), patching.is_on(hook)) == (plain, 1, False)


@pytest.mark.parametrize("armed_between", [True, False])
def test_a_module_that_is_imported_anew(usages: Usages, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, armed_between: bool) -> None:
    (tmp_path / "tests_anew_sdk.py").write_text(SDK)
    monkeypatch.syspath_prepend(tmp_path)

    def opens(_instance: Any, args: Any, kwargs: Any) -> Exchange:
        request = Request(provider="x", endpoint="chat", gen_ai_operation="chat", model="m", texts=[args[-1]])
        return Exchange(request, args, kwargs, lambda _result: (Answer(input_tokens=1), "complete"))

    hook = Hook("tests_anew_sdk", "Client.ask", opens=opens)
    patching.apply(hook)
    clients: list[Any] = []
    try:
        for _ in range(3):
            monkeypatch.delitem(sys.modules, "tests_anew_sdk", raising=False)
            if armed_between:
                patching.apply(hook)
            sdk = import_module("tests_anew_sdk")
            if not armed_between:
                patching.apply(hook)
            assert patching.is_on(hook)
            clients.append(sdk.Client("c"))
            before = len(usages.recorded)
            assert [client.ask("q") for client in clients] == ["c q"] * len(clients)
            assert len(usages.recorded) == before + len(clients)
    finally:
        patching.remove(hook)
    before = len(usages.recorded)
    assert [client.ask("q") for client in clients] == ["c q"] * 3
    assert len(usages.recorded) == before
    assert not any(hasattr(type(client).ask, "__wrapped__") for client in clients)


def test_code_that_another_tool_has_put_over_ours_stays(usages: Usages, server: ScriptedServer) -> None:
    function: Any = openai._base_client.SyncAPIClient.request
    original = function.__code__
    client = openai.OpenAI(base_url=server.url, api_key="none")
    instrument()
    inner = FunctionType(function.__code__, function.__globals__, "request")

    def theirs(self: Any, *args: Any, **kwargs: Any) -> Any:
        return __inner__(self, *args, **kwargs)  # type: ignore[name-defined]  # noqa: F821

    function.__globals__["__inner__"] = inner
    function.__code__ = theirs.__code__
    try:
        for on, expected in ((True, 1), (False, 1), (True, 2)):
            (instrument if on else uninstrument)()
            client.chat.completions.create(**ASK)
            assert (len(usages.recorded), function.__code__) == (expected, theirs.__code__)
    finally:
        function.__code__ = original
        del function.__globals__["__inner__"]
        vars(function).pop("__wrapped__", None)
    uninstrument()
    instrument()
    client.chat.completions.create(**ASK)
    assert len(usages.recorded) == 3


@pytest.mark.slow
def test_doctor_names_what_hides_a_call(usages: Usages, monkeypatch: pytest.MonkeyPatch) -> None:
    function: Any = openai._base_client.SyncAPIClient.request
    copy = FunctionType(function.__code__, {**function.__globals__, "__name__": "acme.tracing"}, "request", function.__defaults__)
    copy.__kwdefaults__ = function.__kwdefaults__
    monkeypatch.setattr(openai.OpenAI, "request", copy)
    found = {finding.sentence: finding.state for finding in check_sdks() if finding.what == "openai"}
    assert [state for sentence, state in found.items() if "of 2 calls to a listener here 1 were counted" in sentence] == ["wrong"]
    assert [state for sentence, state in found.items() if sentence.startswith("openai.OpenAI.request was replaced by acme.tracing")] == ["wrong"]
    assert usages.recorded == []


@pytest.mark.slow
def test_doctor_leaves_an_application_as_it_is(usages: Usages, server: ScriptedServer) -> None:
    assert "hooks are off" in next(finding.sentence for finding in check_sdks(switch_on=False) if finding.what == "openai")
    instrument(["openai"])
    assert next(finding.state for finding in check_sdks() if finding.what == "openai") == "ok"
    client = openai.OpenAI(base_url=server.url, api_key="none")
    client.chat.completions.create(**ASK)
    assert len(usages.recorded) == 1
    assert patching.is_on(Hook("openai._base_client", "SyncAPIClient.request"))
    assert not patching.is_on(Hook("groq._base_client", "SyncAPIClient.request"))


def test_streams_beside_a_patch_that_replaces_the_streams_class(usages: Usages) -> None:
    with ScriptedServer(sse(chunks("a", "b", usage=True))) as streaming:
        client = openai.OpenAI(base_url=streaming.url, api_key="none")
        original = client.request

        def request(*args: Any, **kwargs: Any) -> Any:
            class Watched(kwargs["stream_cls"]):  # type: ignore[misc]
                def __stream__(self) -> Iterator[Any]:
                    yield from super().__stream__()

            return original(*args, **{**kwargs, "stream_cls": Watched})

        client.request = request  # type: ignore[method-assign]
        instrument()
        assert len(list(client.chat.completions.create(**ASK, stream=True))) == 5
    assert [(usage.input_tokens, usage.ended) for usage in usages.recorded] == [(40, "complete")]
