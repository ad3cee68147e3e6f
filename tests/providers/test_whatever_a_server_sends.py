"""SDKs do not check what a server sends. Odd numbers, names, shapes: one sound record each, and the caller gets what he would have got."""

from __future__ import annotations

from typing import Any

import msgspec
import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.scripted import ScriptedServer, chunks, completion, sse
from tokentrail.testing import Usages, collect_usages
from tokentrail.usage import Usage

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
ODD = [None, 0, -1, 12.0, 12.5, "12", True, [], {}, {"a": 1}, "", 10**12, 2**63 - 1, 2**63, -(2**63) - 1, 10**40, 1e30, "9" * 30, "-1"]
UNDERSTOOD = {0: 0, 12.0: 12, "12": 12, 10**12: 10**12, 2**63 - 1: 2**63 - 1}


def assert_survives_the_journal(usages: Usages) -> None:
    for usage in usages.recorded:
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(usage), type=Usage) == usage


@pytest.mark.parametrize("odd", ODD)
def test_odd_numbers_and_names(odd: Any, usages: Usages) -> None:
    usage = {"prompt_tokens": odd, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": odd}, "completion_tokens_details": odd}
    with ScriptedServer(completion(usage=usage, id=odd, model=odd)) as server:
        answer = openai.OpenAI(base_url=server.url, api_key="none").chat.completions.create(**ASK)
    assert answer.choices[0].message.content == "lorem ipsum"
    assert usages[0].output_tokens == 7
    assert usages[0].input_tokens == (None if isinstance(odd, (bool, list, dict)) else UNDERSTOOD.get(odd))
    assert_survives_the_journal(usages)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ([{"prompt_tokens": 10}, {"completion_tokens": 6}], (10, 6)),
        ([{"prompt_tokens": 10, "completion_tokens": None}, {"prompt_tokens": None, "completion_tokens": 6}], (10, 6)),
        ([{"prompt_tokens": 10, "completion_tokens": 4}, {}], (10, 4)),
        ([{"prompt_tokens": 10, "completion_tokens": 4}, {"prompt_tokens": 10, "completion_tokens": 9}], (10, 9)),
        ([{"prompt_tokens": 10, "completion_tokens": 4}, None], (10, 4)),
        ([{"prompt_tokens": 10, "completion_tokens": 4}, {"prompt_tokens": "lorem", "completion_tokens": 9}], (10, 9)),
        ([{"prompt_tokens": 10, "completion_tokens": -1}, {"prompt_tokens": {}, "completion_tokens": 9}], (10, 9)),
        ([{"prompt_tokens": -1, "completion_tokens": 4}, {"prompt_tokens": 10, "completion_tokens": 2**63}], (10, 4)),
    ],
)
def test_usage_in_several_chunks(stated: list[Any], expected: tuple[int, int], usages: Usages) -> None:
    """Each states what is known by then: what a later one leaves out stays as it was stated."""
    events = [*chunks("lorem"), *({"id": "c", "model": "m", "choices": [], "usage": usage} for usage in stated)]
    with ScriptedServer(sse(events)) as server:
        list(openai.OpenAI(base_url=server.url, api_key="none").chat.completions.create(**ASK, stream=True))
    assert (usages[0].input_tokens, usages[0].output_tokens) == expected


ANYTHING: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**9) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["content", "text", "usage", "delta", "type", "id", "output"]), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("id", "model", "choices", "usage", "output", "status", "background", "created_at", "data", "x_groq"), ANYTHING),
)


@pytest.fixture(scope="module")
def any_server() -> Any:
    with ScriptedServer({}) as server:
        yield server


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=FIELDS, stream=st.booleans())
@pytest.mark.slow
def test_any_json_is_one_sound_record(any_server: ScriptedServer, fields: dict[str, Any], stream: bool) -> None:
    client = openai.OpenAI(base_url=any_server.url, api_key="none", max_retries=0)
    for function, more in (
        (client.chat.completions.create, ASK),
        (client.completions.create, {"model": "m", "prompt": "hello"}),
        (client.embeddings.create, {"model": "m", "input": "hello", "encoding_format": "float"}),
    ):
        streamed = stream and function != client.embeddings.create
        event = {**chunks("lorem")[1], **fields}
        any_server.answers = [sse([event, fields])] if streamed else [{**completion(), **fields}]
        with collect_usages() as usages:
            try:
                answer = function(**more, stream=True) if streamed else function(**more)  # type: ignore[operator]
                if streamed:
                    list(answer)
            except (openai.OpenAIError, AttributeError, TypeError, ValueError):
                pass  # the SDK's own opinion
            assert len(usages.recorded) == 1
            assert_survives_the_journal(usages)


def test_written_otherwise(usages: Usages) -> None:
    with ScriptedServer(completion()) as server:
        client = openai.OpenAI(base_url=server.url, api_key="none")
        for path in ("/chat/completions", "chat/completions", "/chat/completions?api=1", f"{server.url}/v1/chat/completions"):
            client.post(path, body=ASK, cast_to=openai.types.chat.ChatCompletion)
        assert [usage.input_tokens for usage in usages.recorded] == [40] * 4
        client.post("/moderations", body=ASK, cast_to=object)
        assert client.post("/chat/completions", body=ASK, cast_to=object)["usage"]["prompt_tokens"] == 40  # type: ignore[index]
        assert (
            client.post(
                "/chat/completions",
                body=ASK,
                cast_to=openai._base_client.Stream.__init__.__globals__["httpx2"].Response
                if hasattr(openai._base_client, "httpx2")
                else __import__("httpx").Response,
            ).status_code
            == 200
        )
    assert len(usages.recorded) == 6
