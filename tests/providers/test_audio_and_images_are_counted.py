"""Subsets of a total that few providers state (audio, images, cache writes) are each read from their own place: plain answers and streams."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.support.scripted import ScriptedServer, chunks, completion, sse
from tokentrail.counts import COUNTS
from tokentrail.testing import Usages

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
INSIDE_INPUT = {"cached_tokens": 11, "cache_write_tokens": 12, "audio_tokens": 13, "image_tokens": 14}
INSIDE_OUTPUT = {"reasoning_tokens": 21, "audio_tokens": 22, "image_tokens": 23}
STATED = {
    "input_tokens": 100,
    "output_tokens": 200,
    "cache_read_tokens": 11,
    "cache_write_tokens": 12,
    "audio_input_tokens": 13,
    "image_input_tokens": 14,
    "reasoning_tokens": 21,
    "audio_output_tokens": 22,
    "image_output_tokens": 23,
}
CHAT = {"prompt_tokens": 100, "completion_tokens": 200, "prompt_tokens_details": INSIDE_INPUT, "completion_tokens_details": INSIDE_OUTPUT}
RESPONSES = {"input_tokens": 100, "output_tokens": 200, "input_tokens_details": INSIDE_INPUT, "output_tokens_details": INSIDE_OUTPUT}
RESPONSE = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "output": [], "status": "completed", "usage": RESPONSES}


def assert_all_stated(usages: Usages) -> None:
    (usage,) = usages.recorded
    counts = {count.name: getattr(usage, count.name) for count in COUNTS}
    assert {name: value for name, value in counts.items() if value is not None} == STATED


@pytest.mark.parametrize("stream", [False, True])
def test_chat(stream: bool, usages: Usages) -> None:
    last = chunks(finish=None)[0] | {"choices": [], "usage": CHAT}
    answer = sse([*chunks("lorem"), last]) if stream else completion(usage=CHAT)
    with ScriptedServer(answer) as server, openai.OpenAI(base_url=server.url, api_key="none") as client:
        told = client.chat.completions.create(**ASK, stream=stream)
        if stream:
            list(told)
    assert_all_stated(usages)


@pytest.mark.skipif(not hasattr(openai.OpenAI, "responses"), reason="this openai knows no responses")
@pytest.mark.parametrize("stream", [False, True])
def test_responses(stream: bool, usages: Usages) -> None:
    answer = sse([{"type": "response.completed", "sequence_number": 0, "response": RESPONSE}], names=True) if stream else RESPONSE
    with ScriptedServer(answer) as server, openai.OpenAI(base_url=server.url, api_key="none") as client:
        told = client.responses.create(model="m", input="hello", stream=stream)
        if stream:
            list(told)
    assert_all_stated(usages)
