"""A body of InvokeModel that comes in chunks is counted however it is read: urllib3 has further ways for such a body."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.bedrock import BedrockServer, client_of
from tokentrail.testing import Usages

ANSWER = {"id": "m", "type": "message", "usage": {"input_tokens": 5, "output_tokens": 7}, "content": [{"type": "text", "text": "lo\nrem"}]}
WRITTEN = json.dumps(ANSWER, indent=1).encode()


def read_one_after_another(body: Any) -> bytes:
    return b"".join(iter(body._raw_stream.read1, b""))


@pytest.mark.parametrize(
    "read",
    [
        lambda body: body.read(),
        b"".join,
        lambda body: b"".join(body.iter_chunks(7)),
        lambda body: b"".join(body.readlines()),
        lambda body: b"".join(body._raw_stream),
        lambda body: b"".join(body._raw_stream.stream(9)),
        lambda body: b"".join(body._raw_stream.read_chunked()),
        lambda body: body._raw_stream.data,
        lambda body: io.BufferedReader(body).read(),
        read_one_after_another,
    ],
)
def test_however_it_is_read(read: Callable[[Any], bytes], usages: Usages) -> None:
    with BedrockServer([WRITTEN[:50], WRITTEN[50:]]) as server:
        body = client_of(server.url).invoke_model(modelId="a.b", body='{"messages": []}')["body"]
        assert json.loads(read(body)) == ANSWER
    assert [(usage.ended, usage.input_tokens, usage.output_tokens) for usage in usages.recorded] == [("complete", 5, 7)]


def test_left_in_the_middle_is_partial(usages: Usages) -> None:
    with BedrockServer([WRITTEN[:50], WRITTEN[50:]], bedrock_input_token_count="5") as server:
        raw = client_of(server.url).invoke_model(modelId="a.b", body='{"messages": []}')["body"]._raw_stream
        for _ in raw.stream(9):
            break
        raw.close()
    assert [(usage.ended, usage.input_tokens, usage.output_tokens) for usage in usages.recorded] == [("partial", 5, None)]
