"""`retry`: causes of connection errors, pauses that servers ask for, and functions of every kind."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anthropic
import boto3  # type: ignore[import-untyped]
import groq
import httpx
import openai
import pytest
import starlette.exceptions
import werkzeug.exceptions
from botocore.config import Config  # type: ignore[import-untyped]

from tests.support.scripted import ScriptedServer, completion
from tokentrail import retry
from tokentrail.retrying.transient import is_transient

REQUEST = httpx.Request("POST", "http://provider/v1")
MESSAGES: Any = [{"role": "user", "content": "x"}]
quick: Any = {"first": 0.0001, "longest": 0.001}


def raised_by(call: Callable[[], Any]) -> Exception:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - each SDK's own
        call()
    return raised.value


def of_aws(url: str) -> Any:
    made = boto3.client(
        "bedrock-runtime",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(retries={"total_max_attempts": 1}),
    )
    return made.converse(modelId="m", messages=[{"role": "user", "content": [{"text": "x"}]}])


def with_a_closed_client() -> Any:
    client = openai.OpenAI(base_url="http://127.0.0.1:9", api_key="k", max_retries=0)
    client.close()
    return client.chat.completions.create(model="m", messages=MESSAGES)


def with_a_key_that_is_no_header() -> Any:
    with ScriptedServer(completion()) as server:
        return openai.OpenAI(base_url=server.url, api_key="k\r\nx: y", max_retries=0).models.list()


WRONG: dict[str, Callable[[], Any]] = {
    "openai, address": openai.OpenAI(base_url="ftp://x/", api_key="k", max_retries=0).models.list,
    "openai, header": with_a_key_that_is_no_header,
    "openai, closed": with_a_closed_client,
    "anthropic": lambda: anthropic.Anthropic(base_url="ftp://x/", api_key="k", max_retries=0).messages.create(
        model="m", max_tokens=1, messages=MESSAGES
    ),
    "groq": lambda: groq.Groq(base_url="ftp://x/", api_key="k", max_retries=0).chat.completions.create(model="m", messages=MESSAGES),
    "aws": lambda: of_aws("ftp://127.0.0.1/"),
}


@pytest.mark.parametrize("call", WRONG.values(), ids=list(WRONG))
def test_a_request_that_is_wrong_before_it_is_sent_is_not_sent_again(call: Callable[[], Any]) -> None:
    assert not is_transient(raised_by(call))


def test_a_refused_connection_of_the_same_sdks_is_tried_again() -> None:
    nobody = "http://127.0.0.1:9"
    assert is_transient(raised_by(openai.OpenAI(base_url=nobody, api_key="k", max_retries=0).models.list))
    assert is_transient(raised_by(lambda: of_aws(nobody)))


@pytest.mark.parametrize(
    "error",
    [
        starlette.exceptions.HTTPException(503),
        werkzeug.exceptions.ServiceUnavailable(),
        groq.RateLimitError("x", response=httpx.Response(429, request=REQUEST), body={"error": {"code": "insufficient_quota"}}),
        groq.RateLimitError("x", response=httpx.Response(429, request=REQUEST), body={"type": "insufficient_quota"}),
    ],
    ids=repr,
)
def test_an_answer_of_ones_own_and_a_spent_account_are_final(error: Exception) -> None:
    assert not is_transient(error)


class Hostile(Exception):  # noqa: N818 - what it is
    @property
    def response(self) -> Any:
        raise RuntimeError("of a property")


def test_an_error_that_cannot_be_read_is_the_callers_all_the_same() -> None:
    @retry(attempts=2, retry_on=lambda _: True, **quick)
    def ask() -> None:
        raise Hostile

    with pytest.raises(Hostile):
        ask()


def limited(seconds: str) -> Exception:
    return groq.RateLimitError("x", response=httpx.Response(429, headers={"retry-after": seconds}, request=REQUEST), body=None)


def test_a_long_pause_is_waited_for_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    errors = [limited("400")]

    @retry(deadline=3600)
    def ask() -> str:
        if errors:
            raise errors.pop()
        return "answer"

    assert ask() == "answer"
    assert slept[0] >= 400


def test_a_pause_that_ends_at_the_deadline_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    for _ in range(30):  # the jitter is random
        errors = [limited("9.99")]

        @retry(deadline=10, first=5)
        def ask(errors: list[Any] = errors) -> str:
            if errors:
                raise errors.pop()
            return "answer"

        assert ask() == "answer"
    assert all(9.99 <= pause <= 10 for pause in slept)


def test_a_generator_is_sent_and_thrown_what_its_caller_sends_and_throws() -> None:
    @retry
    def echo() -> Iterator[Any]:
        got: Any = "first"
        while got != "end":
            try:
                got = yield got
            except KeyError:
                got = "caught"

    @retry
    async def echo_async() -> AsyncIterator[Any]:
        got: Any = "first"
        while got != "end":
            try:
                got = yield got
            except KeyError:
                got = "caught"

    async def main() -> list[Any]:
        steps: Any = echo_async()
        return [await anext(steps), await steps.asend(1), await steps.athrow(KeyError()), await steps.asend(2), await anext(steps, "ended")]

    steps: Any = echo()
    assert [next(steps), steps.send(1), steps.throw(KeyError()), steps.send(2)] == ["first", 1, "caught", 2]
    with pytest.raises(StopIteration):
        steps.send("end")
    assert asyncio.run(main())[:4] == ["first", 1, "caught", 2]


def test_a_context_manager_sees_the_error_of_its_block() -> None:
    seen: list[str] = []

    @contextmanager
    @retry
    def connected() -> Iterator[str]:
        try:
            yield "connection"
        except KeyError:
            seen.append("sync")

    @asynccontextmanager
    @retry
    async def connected_async() -> AsyncIterator[str]:
        try:
            yield "connection"
        except KeyError:
            seen.append("async")

    async def main() -> None:
        async with connected_async():
            raise KeyError

    with connected():
        raise KeyError
    asyncio.run(main())
    assert seen == ["sync", "async"]


class Provider:
    """Fails once."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self) -> int:
        self.asked += 1
        if self.asked == 1:
            raise ConnectionError
        return self.asked


def of_plain_function(provider: Provider) -> Callable[[], Any]:
    def ask() -> Any:
        return provider()

    return ask


KINDS: dict[str, Callable[[Provider], Any]] = {
    "object": lambda provider: provider,
    "partial": functools.partial,
    "function that returns a coroutine": of_plain_function,
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_every_kind_of_coroutine_function_is_tried_again(kind: Callable[[Provider], Any]) -> None:
    assert asyncio.run(retry(**quick)(kind(Provider()))()) == 2


class Service:
    """Methods of every kind."""

    @retry
    @staticmethod
    def static(word: str) -> str:
        return word

    @retry(attempts=2)
    @classmethod
    def of_class(cls, word: str) -> str:
        return cls.__name__ + word


def test_methods_keep_their_kind() -> None:
    assert (Service.static("x"), Service().static("x"), Service.of_class("x"), Service().of_class("x")) == ("x", "x", "Servicex", "Servicex")
