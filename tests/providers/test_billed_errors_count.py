"""An answer that was paid for counts, also where the SDK turns it into an exception, and where an error within a stream states it."""

from __future__ import annotations

from typing import Any

import openai
import pydantic
import pytest

from tests.support.scripted import USAGE, ScriptedServer, chunks, completion, sse
from tokentrail.testing import Usages

ASK: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}


class Wanted(pydantic.BaseModel):
    number: int


def parse_of(client: Any) -> Any:
    """`parse` has left `beta` in openai 1.92."""
    return getattr(client.chat.completions, "parse", None) or client.beta.chat.completions.parse


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        (completion('{"number": 4', "length"), openai.LengthFinishReasonError),
        (completion("", "content_filter"), openai.ContentFilterFinishReasonError),
        (completion('{"number": "many"}'), pydantic.ValidationError),
    ],
)
def test_parse(answer: Any, raised: type[Exception], usages: Usages) -> None:
    with ScriptedServer(answer) as server, pytest.raises(raised):
        parse_of(openai.OpenAI(base_url=server.url, api_key="none"))(**ASK, response_format=Wanted)
    (usage,) = usages.recorded
    assert (usage.ended, usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.reasoning_tokens) == ("error", 40, 11, 32, 4)
    assert usage.error_type.endswith(raised.__name__)
    assert usage.response_id == "chatcmpl-scripted"


async def test_parse_async(usages: Usages) -> None:
    with ScriptedServer(completion('{"number": 4', "length")) as server, pytest.raises(openai.LengthFinishReasonError):
        await parse_of(openai.AsyncOpenAI(base_url=server.url, api_key="none"))(**ASK, response_format=Wanted)
    assert [(usage.ended, usage.input_tokens) for usage in usages.recorded] == [("error", 40)]


def test_parse_that_succeeds(usages: Usages) -> None:
    with ScriptedServer(completion('{"number": 4}')) as server:
        answer = parse_of(openai.OpenAI(base_url=server.url, api_key="none"))(**ASK, response_format=Wanted)
    assert answer.choices[0].message.parsed == Wanted(number=4)
    assert [(usage.ended, usage.input_tokens) for usage in usages.recorded] == [("complete", 40)]


@pytest.mark.parametrize("inside", [False, True])
def test_error_within_a_stream(inside: bool, usages: Usages) -> None:
    error: dict[str, Any] = {"message": "overloaded", "type": "server_error"}
    last = {"error": {**error, "usage": USAGE}} if inside else {"error": error, "usage": USAGE, "choices": []}
    with ScriptedServer(sse([*chunks("lorem", finish=None), last], done=False)) as server:
        stream = openai.OpenAI(base_url=server.url, api_key="none").chat.completions.create(**ASK, stream=True)
        with pytest.raises(openai.APIError):
            list(stream)
    (usage,) = usages.recorded
    assert (usage.ended, usage.input_tokens, usage.output_tokens, usage.reasoning_tokens) == ("error", 40, 11, 4)
    assert usage.output_chars == len("lorem")


def test_error_that_states_nothing_has_no_counts(usages: Usages) -> None:
    with ScriptedServer((401, {"error": {"message": "no"}})) as server, pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=server.url, api_key="none").chat.completions.create(**ASK)
    assert [(u.ended, u.input_tokens, u.output_tokens, u.input_source) for u in usages.recorded] == [("error", None, None, "unknown")]
