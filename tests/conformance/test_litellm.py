"""litellm keeps every promise: what litellm sends itself, and what it sends through OpenAI's SDK; also under its Router."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.litellm_calls import call_of
from tokentrail.testing import Recording, read_recordings
from tokentrail.testing.conformance import Case, Conformance
from tokentrail.testing.conformance.http_stage import HttpStage

pytest.importorskip("litellm", reason="make test-frameworks installs it, and runs this file there")

import litellm
from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER
from litellm.litellm_core_utils.thread_pool_executor import executor
from litellm.llms.bedrock import base_aws_llm

from tests.support.planted import KEY
from tests.support.provider_sdks import text_in

RECORDINGS = [each for each in read_recordings() if call_of(each, "") is not None]
ROUTED = ("completion", "embedding", "responses")


def renew_threads() -> None:
    """litellm's threads that sign for AWS do not survive a fork: without others an asynchronous call in the child waits for ever."""
    base_aws_llm.AWS_SIGNING_EXECUTOR = ThreadPoolExecutor(1)


os.register_at_fork(after_in_child=renew_threads)


@pytest.fixture(autouse=True, scope="module")
def imported() -> None:
    """litellm imports much at the first call of a provider, with warnings: it does so before any call is compared."""
    litellm.suppress_debug_info = True
    kit = TestLitellm()
    with HttpStage() as stage:
        for case in kit.some_cases():
            stage.play(case.recording)
            kit.look(stage, case, copies=False)


class Functions:
    """litellm has no client: its functions at an address, which are left with nothing cached and nothing to log."""

    def __init__(self, url: str) -> None:
        self.url = url

    def close(self) -> None:
        litellm.in_memory_llm_clients_cache.flush_cache()

    async def aclose(self) -> None:
        await GLOBAL_LOGGING_WORKER.flush()  # which is of one loop
        await GLOBAL_LOGGING_WORKER.stop()
        self.close()


class TestLitellm(Conformance):
    integration = "litellm"
    key = KEY
    recordings = RECORDINGS
    sends_through = ("openai",)
    retries = 0  # above the requests, which are calls of their own: tests/frameworks/programs/litellm.py
    adds_to_requests = ("stream_options",)
    calls_per_chunk = 7  # bytes are read, and not the SDK's objects: a field of an event that has no text costs two calls

    def client(self, url: str, case: Case) -> Any:
        return Functions(url)

    def ask(self, client: Any, case: Case) -> Any:
        name, arguments = call_of(case.recording, client.url, text_in(case.recording.request) or "lorem")  # type: ignore[misc]
        owner: Any = litellm
        if case.style == "router":
            model = arguments.pop("model")
            owner = litellm.Router(model_list=[{"model_name": "routed", "litellm_params": {**arguments, "model": model}}], num_retries=0)
            asked = {key: value for key, value in arguments.items() if key in {"messages", "stream", "prompt", "input"}}
            arguments = {"model": "routed", **asked}
        call = getattr(owner, f"a{name}" if case.asynchronous else name)
        if not case.style or not case.stream:
            return call(**arguments)
        return _read_async(call(**arguments)) if case.asynchronous else list(call(**arguments))

    def styles_of(self, recording: Recording) -> Sequence[str]:
        name, _ = call_of(recording, "")  # type: ignore[misc]
        return ("router",) if name in ROUTED else ()

    def streamed_cases(self) -> Iterator[Case]:
        """Of Cohere's streams litellm gives the caller one item, at the end: they cannot be left in the middle."""
        return (case for case in super().streamed_cases() if case.recording.provider != "cohere")

    def expected(self, recording: Recording) -> Sequence[Any] | None:
        """litellm needs a model also where the recorded request names none."""
        return [{**usage, "request_model": usage["request_model"] or "m"} for usage in recording.expected_usages or ()]

    @contextmanager
    def repeatable(self) -> Iterator[None]:
        """litellm makes up the ids of answers, and their times; it logs in threads, whose warnings come by chance within the call or after it."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(litellm._uuid.uuid, "uuid4", lambda: "00000000-0000-4000-8000-000000000000")
            patch.setattr(time, "time", lambda: 1767225600.0)
            patch.setattr(executor, "submit", lambda function, *args, **more: function(*args, **more))
            yield


async def _read_async(stream: Any) -> list[Any]:
    return [chunk async for chunk in await stream]
