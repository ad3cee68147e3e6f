"""What the answers say and what the server itself has counted are the same numbers: the ground on which every other test with this model stands.

The plain `openai` SDK, nothing of ours in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import openai
import pytest

from tests.support.local_model import OWN_CONNECTIONS
from tests.support.waiting import wait_until
from tokentrail.local.local_model import MODEL_NAME, LocalModel, ServedTokens


@dataclass(frozen=True)
class Said:
    input: int
    output: int


@pytest.fixture
def client(local_model: LocalModel) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=local_model.base_url, api_key="none", max_retries=0, timeout=60, default_headers=OWN_CONNECTIONS) as made:
        yield made


def question(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def chat(client: openai.OpenAI) -> Said:
    usage = client.chat.completions.create(model=MODEL_NAME, messages=question("Say hello."), max_tokens=8, temperature=0).usage
    return Said(usage.prompt_tokens, usage.completion_tokens)


def chat_stream(client: openai.OpenAI) -> Said:
    stream = client.chat.completions.create(
        model=MODEL_NAME, messages=question("Count to ten."), max_tokens=10, temperature=0, stream=True, stream_options={"include_usage": True}
    )
    usage = [chunk.usage for chunk in stream if chunk.usage is not None][-1]
    return Said(usage.prompt_tokens, usage.completion_tokens)


def completion(client: openai.OpenAI) -> Said:
    usage = client.completions.create(model=MODEL_NAME, prompt="The sky is", max_tokens=6, temperature=0).usage
    return Said(usage.prompt_tokens, usage.completion_tokens)


def embeddings(client: openai.OpenAI) -> Said:
    return Said(client.embeddings.create(model=MODEL_NAME, input=["one two three", "four"]).usage.prompt_tokens, 0)


def response(client: openai.OpenAI) -> Said:
    usage = client.responses.create(model=MODEL_NAME, input="Name a colour.", max_output_tokens=8, temperature=0).usage
    return Said(usage.input_tokens, usage.output_tokens)


def response_stream(client: openai.OpenAI) -> Said:
    last = list(client.responses.create(model=MODEL_NAME, input="Name a fruit.", max_output_tokens=8, temperature=0, stream=True))[-1]
    return Said(last.response.usage.input_tokens, last.response.usage.output_tokens)


CALLS = (chat, chat_stream, completion, embeddings, response, response_stream)


def difference(local_model: LocalModel, before: ServedTokens) -> Said:
    now = local_model.served_tokens()
    return Said(now.input - before.input, now.output - before.output)


@pytest.mark.parametrize("call", CALLS)
def test_one_call(local_model: LocalModel, client: openai.OpenAI, call: Callable[[openai.OpenAI], Said]) -> None:
    before = local_model.served_tokens()
    said = call(client)
    assert said.input > 0
    assert difference(local_model, before) == said


def test_sum_of_many_calls_with_repeats_from_the_cache(local_model: LocalModel, client: openai.OpenAI) -> None:
    before = local_model.served_tokens()
    said = [call(client) for call in (*CALLS, chat, chat, completion, completion)]
    assert difference(local_model, before) == Said(sum(one.input for one in said), sum(one.output for one in said))
    assert local_model.served_tokens().cached > before.cached, "a repeated prompt should have come from the cache"


def test_a_refused_call_counts_nothing(local_model: LocalModel, client: openai.OpenAI) -> None:
    before = local_model.served_tokens()
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=MODEL_NAME, messages=question("word " * 3000))
    assert difference(local_model, before) == Said(0, 0)


def test_an_abandoned_stream_costs_its_prompt_and_what_was_made(local_model: LocalModel, client: openai.OpenAI) -> None:
    before = local_model.served_tokens()
    stream = client.chat.completions.create(model=MODEL_NAME, messages=question("Tell a long story."), max_tokens=400, temperature=0, stream=True)
    seen = [next(stream) for _ in range(6)]
    stream.close()
    cost = wait_until(lambda: (said := difference(local_model, before)).output > 0 and said, "a counted abandoned stream")
    assert cost.input > 0
    assert len(seen) - 2 <= cost.output < 400


def test_tool_calls_are_understood(client: openai.OpenAI) -> None:
    tool = {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "Weather in a city",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
    wanted = '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_call>'
    (choice,) = client.chat.completions.create(
        model=MODEL_NAME, messages=question(f"Repeat this text exactly:\n{wanted}"), tools=[tool], max_tokens=60, temperature=0
    ).choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls[0].function.name == "weather"
    assert choice.message.tool_calls[0].function.arguments.replace(" ", "") == '{"city":"Paris"}'
