"""`retry`: which errors get another attempt, how long the pause is, when it ends, and what the caller sees of it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import email.utils
import inspect
import random
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import aiohttp
import anthropic
import botocore.exceptions
import groq
import httpx
import ollama
import openai
import pytest
import requests
import urllib3.exceptions
from google.genai import errors as google

import tokentrail
from tokentrail import BudgetExceeded, RetryBudget, retry
from tokentrail.retrying.policy import RetryPolicy
from tokentrail.retrying.transient import is_transient, retry_after_of, seconds_of

REQUEST = httpx.Request("POST", "http://provider/v1")
quick = {"first": 0.0001, "longest": 0.001}


def answered(status: int, **headers: str) -> httpx.Response:
    return httpx.Response(status, headers={name.replace("_", "-"): value for name, value in headers.items()}, request=REQUEST, json={})


def of_openai(status: int, **headers: str) -> openai.APIStatusError:
    return openai.APIStatusError("x", response=answered(status, **headers), body=None)


def of_aws(status: int, code: str = "ThrottlingException", **headers: str) -> botocore.exceptions.ClientError:
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": headers}
    return botocore.exceptions.ClientError({"Error": {"Code": code}, "ResponseMetadata": metadata}, "Converse")


def of_requests(status: int) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError(response=response)


def of_aiohttp(status: int) -> aiohttp.ClientResponseError:
    return aiohttp.ClientResponseError(request_info=None, history=(), status=status)  # type: ignore[arg-type]


class Grpc(Exception):  # noqa: N818 - what an exception of grpc looks like: grpc.RpcError with a method `code`
    def __init__(self, name: str) -> None:
        self._name = name

    def code(self) -> Any:
        import grpc

        return grpc.StatusCode[self._name]


def caused_by(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


BY_STATUS: list[Callable[[int], Exception]] = [
    of_openai,
    of_aws,
    of_requests,
    of_aiohttp,
    lambda status: groq.APIStatusError("x", response=answered(status), body=None),
    lambda status: anthropic.APIStatusError("x", response=answered(status), body=None),
    lambda status: ollama.ResponseError("x", status),
    lambda status: google.APIError(status, {}, None),
    lambda status: httpx.HTTPStatusError("x", request=REQUEST, response=answered(status)),
]


@pytest.mark.parametrize("make", BY_STATUS)
def test_statuses_of_every_sdk(make: Callable[[int], Exception]) -> None:
    statuses = (400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529)
    assert [status for status in statuses if is_transient(make(status))] == [408, 409, 429, 500, 502, 503, 504, 529]


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(),
        TimeoutError(),
        asyncio.TimeoutError(),
        concurrent.futures.TimeoutError(),
        httpx.ConnectError("x"),
        httpx.ReadTimeout("x"),
        httpx.RemoteProtocolError("x"),
        openai.APITimeoutError(REQUEST),
        openai.APIConnectionError(request=REQUEST),
        groq.APIConnectionError(request=REQUEST),
        requests.ConnectionError(),
        requests.ReadTimeout(),
        requests.exceptions.ChunkedEncodingError(),
        urllib3.exceptions.ProtocolError(),
        urllib3.exceptions.MaxRetryError(None, "/", OSError()),  # type: ignore[arg-type]
        urllib3.exceptions.ReadTimeoutError(None, "/", ""),  # type: ignore[arg-type]
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientPayloadError(),
        botocore.exceptions.EndpointConnectionError(endpoint_url="x"),
        botocore.exceptions.ReadTimeoutError(endpoint_url="x"),
        Grpc("UNAVAILABLE"),
        Grpc("RESOURCE_EXHAUSTED"),
    ],
    ids=lambda error: f"{type(error).__module__}.{type(error).__name__}",
)
def test_lost_connections_and_timeouts_of_every_client(error: Exception) -> None:
    assert is_transient(error)


CERTIFICATE = ssl.SSLCertVerificationError("self-signed")


@pytest.mark.parametrize(
    "error",
    [
        ValueError(),
        KeyError("x"),
        PermissionError(),
        asyncio.CancelledError(),
        KeyboardInterrupt(),
        BudgetExceeded("b", 1, 1, "", None),  # type: ignore[arg-type]
        of_openai(429, x_should_retry="false"),
        openai.RateLimitError("x", response=answered(429), body={"code": "insufficient_quota"}),
        httpx.UnsupportedProtocol("x"),
        httpx.LocalProtocolError("x"),
        requests.exceptions.InvalidURL(),
        requests.exceptions.SSLError(),
        CERTIFICATE,
        caused_by(httpx.ConnectError("x"), CERTIFICATE),
        caused_by(openai.APIConnectionError(request=REQUEST), caused_by(httpx.ConnectError("x"), CERTIFICATE)),
        urllib3.exceptions.MaxRetryError(None, "/", CERTIFICATE),  # type: ignore[arg-type]
        botocore.exceptions.NoCredentialsError(),
        botocore.exceptions.ParamValidationError(report="x"),
        ollama.ResponseError("x"),
        Grpc("INVALID_ARGUMENT"),
        Grpc("UNAUTHENTICATED"),
    ],
    ids=repr,
)
def test_what_comes_again_is_not_tried_again(error: BaseException) -> None:
    assert not is_transient(error)


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (of_openai(429, retry_after="7"), 7),
        (of_openai(429, Retry_After="7", retry_after_ms="1500"), 1.5),
        (of_openai(429, retry_after="soon"), None),
        (of_openai(429, retry_after="nan"), None),
        (of_openai(429, retry_after="-3"), 0),
        (of_openai(429), None),
        (of_aws(429, **{"Retry-After": "2"}), 2),
        (TimeoutError(), None),
    ],
)
def test_the_server_says_how_long(error: Exception, seconds: float | None) -> None:
    assert retry_after_of(error) == seconds


def test_a_date_is_a_pause_too() -> None:
    found = seconds_of(email.utils.formatdate(time.time() + 100, usegmt=True))
    assert found is not None
    assert 97 < found <= 100
    assert seconds_of(email.utils.formatdate(time.time() - 100, usegmt=True)) == 0


def test_delays_have_full_jitter_and_a_bound() -> None:
    policy, rng = RetryPolicy(first=1, longest=8), random.Random(7)
    for attempt, bound in ((1, 1), (2, 2), (3, 4), (4, 8), (5, 8), (500, 8)):
        delays = [policy.next_delay(attempt, rng=rng) for _ in range(500)]
        assert 0 <= min(delays) < bound / 20
        assert bound * 0.95 < max(delays) <= bound
        assert abs(sum(delays) / 500 - bound / 2) < bound / 10
    asked = [policy.next_delay(1, 5, rng) for _ in range(500)]
    assert 5 <= min(asked) < 5.05
    assert 5.95 < max(asked) <= 6


class Provider:
    """Fails as it is told, then answers."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.asked = 0

    def ask(self, *_: Any) -> str:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def kinds(provider: Provider, **numbers: Any) -> dict[str, Callable[[], Any]]:
    """The provider, asked by functions of all four kinds."""

    @retry(**quick, **numbers)
    def plain() -> str:
        return provider.ask()

    @retry(**quick, **numbers)
    async def coroutine() -> str:
        return provider.ask()

    @retry(**quick, **numbers)
    def generator() -> Iterator[str]:
        yield provider.ask()
        yield "more"

    @retry(**quick, **numbers)
    async def asynchronous() -> AsyncIterator[str]:
        yield provider.ask()
        yield "more"

    async def listed() -> list[str]:
        return [item async for item in asynchronous()]

    return {
        "plain": plain,
        "coroutine": lambda: asyncio.run(coroutine()),
        "generator": lambda: next(iter(generator())),
        "async generator": lambda: asyncio.run(listed())[0],
    }


each_kind = pytest.mark.parametrize("kind", ["plain", "coroutine", "generator", "async generator"])


@each_kind
def test_an_answer_after_failures(kind: str) -> None:
    provider = Provider(of_openai(503), ConnectionError())
    assert kinds(provider)[kind]() == "answer"
    assert provider.asked == 3


@each_kind
def test_the_last_error_is_raised_as_it_is(kind: str) -> None:
    errors = [of_openai(500), of_openai(429), of_openai(502)]
    provider = Provider(*errors)
    with pytest.raises(openai.APIStatusError) as raised:
        kinds(provider, attempts=3)[kind]()
    assert raised.value is errors[-1]
    assert provider.asked == 3


@each_kind
def test_a_refusal_is_raised_at_once(kind: str) -> None:
    provider = Provider(of_openai(400))
    with pytest.raises(openai.APIStatusError):
        kinds(provider)[kind]()
    assert provider.asked == 1


@each_kind
def test_a_pause_beyond_the_deadline_is_not_begun(kind: str) -> None:
    provider = Provider(of_openai(429, retry_after="61"))
    with pytest.raises(openai.APIStatusError):
        kinds(provider)[kind]()
    assert provider.asked == 1


@each_kind
def test_a_shared_budget_bounds_all_retries(kind: str) -> None:
    provider, budget = Provider(*(of_openai(503) for _ in range(1000))), RetryBudget(ratio=0.1, burst=5)
    for _call in range(100):
        with pytest.raises(openai.APIStatusError):
            kinds(provider, budget=budget)[kind]()
    assert 100 + 5 <= provider.asked <= 100 + 5 + 100 * 0.1


@each_kind
def test_who_decides_may_be_another_and_may_fail(kind: str) -> None:
    provider = Provider(KeyError("x"))
    assert kinds(provider, retry_on=lambda error: isinstance(error, KeyError))[kind]() == "answer"

    def fails(_error: Exception) -> bool:
        raise RuntimeError

    provider = Provider(ConnectionError())
    with pytest.raises(ConnectionError):
        kinds(provider, retry_on=fails)[kind]()


def test_a_stream_that_has_begun_is_not_begun_again() -> None:
    begun = []

    @retry(**quick)
    def words() -> Iterator[str]:
        begun.append(1)
        yield "one"
        raise ConnectionError

    @retry(**quick)
    async def asynchronous() -> AsyncIterator[str]:
        begun.append(1)
        yield "one"
        raise ConnectionError

    async def listed() -> None:
        async for _ in asynchronous():
            pass

    with pytest.raises(ConnectionError):
        list(words())
    with pytest.raises(ConnectionError):
        asyncio.run(listed())
    assert len(begun) == 2


def test_a_stream_that_is_left_is_closed_and_keeps_its_result() -> None:
    closed = []

    @retry
    def words() -> Iterator[str]:
        try:
            yield from ("one", "two")
        finally:
            closed.append(1)
        return "result"

    steps = words()
    assert next(steps) == "one"
    steps.close()  # type: ignore[attr-defined]
    assert closed == [1]
    rest = words()
    assert [next(rest), next(rest)] == ["one", "two"]
    with pytest.raises(StopIteration, match="result"):
        next(rest)


def test_a_cancellation_passes_at_once_also_within_a_pause() -> None:
    provider = Provider(of_openai(429, retry_after="30"))

    @retry
    async def ask() -> str:
        return provider.ask()

    async def main() -> None:
        task = asyncio.ensure_future(ask())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert provider.asked == 1


def test_a_decorated_function_says_what_it_is() -> None:
    @retry
    async def ask(question: str, *, model: str = "m") -> str:
        """Asks."""
        return question + model

    assert inspect.iscoroutinefunction(ask)
    assert (ask.__name__, ask.__doc__, str(inspect.signature(ask))) == ("ask", "Asks.", "(question: 'str', *, model: 'str' = 'm') -> 'str'")


@pytest.mark.parametrize(
    "wrong",
    [{"attempts": 0}, {"attempts": 1.5}, {"attempts": True}, {"deadline": 0}, {"first": -1}, {"longest": "1"}, {"deadline": float("nan")}],
)
def test_wrong_numbers_stop_the_decorator(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is"):
        retry(**wrong)


def test_wrong_things_stop_the_decorator() -> None:
    with pytest.raises(TypeError):
        retry(Provider)
    with pytest.raises(TypeError):
        retry(attempts=3)(7)  # type: ignore[type-var]
    with pytest.raises(TypeError, match="RetryBudget"):
        retry(budget=7)  # type: ignore[call-overload]
    for ratio, burst in ((-1, 10), (2, 10), (0.1, 0), (float("nan"), 10)):
        with pytest.raises(ValueError, match="retry budget"):
            RetryBudget(ratio, burst)


def test_no_text_of_an_error_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="tokentrail")
    assert kinds(Provider(ConnectionError("a prompt of the application")))["plain"]() == "answer"
    assert "ConnectionError" in caplog.text
    assert "prompt" not in caplog.text
    assert tokentrail.retry is retry
