"""SDKs that ask in a way of their own: an answer with odd counts, fields or shapes leaves the caller as without tokentrail, and is one sound record.

Those in OpenAI's shape go through the kit (tests/conformance). `make test-apart` runs this in the environments of the SDKs that are installed apart.
"""

from __future__ import annotations

import base64
import copy
import json
import re
import struct
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest

from tests.support import watsonx
from tests.support.scripted import ScriptedServer, chunks, completion, sse
from tokentrail.instrumentation.around import COUNTS
from tokentrail.instrumentation.registry import instrument, uninstrument
from tokentrail.testing import collect_usages

ODD: tuple[Any, ...] = (None, "lorem", "12", -1, 12.5, 2**63, 10**40, True, [], {}, [[None]], {"a": {"b": None}})
WORDS = ("token", "usage", "count", "metrics", "results", "input_length")
VECTOR = base64.b64encode(struct.pack("<2f", 0.5, 0.25)).decode()
ASKED = [{"role": "user", "content": "abcde"}]
Call = Callable[[str], Any]


def hugging_face(url: str) -> Any:
    return import_module("huggingface_hub").InferenceClient(url, token="none", timeout=20)


def voyage(url: str) -> Any:
    return import_module("voyageai").Client(api_key="none", base_url=url)


def replicate(url: str) -> Any:
    return import_module("replicate").Client(api_token="none", base_url=url)


def read_all(client: Any, method: str, *args: Any, **kwargs: Any) -> list[Any]:
    """A stream's items, while the client is there."""
    return list(getattr(client, method)(*args, **kwargs))


GENERATED = [{"generated_text": "lorem", "details": {"finish_reason": "length", "generated_tokens": 7, "seed": None, "prefill": [], "tokens": []}}]
TOKEN = {"index": 1, "token": {"id": 1, "text": "lorem", "logprob": -0.5, "special": False}, "generated_text": None, "details": None}
LAST = {**TOKEN, "generated_text": "lorem", "details": {"finish_reason": "length", "generated_tokens": 1, "seed": None, "input_length": 5}}
VECTORS = {"object": "list", "data": [{"object": "embedding", "embedding": VECTOR, "index": 0}], "model": "m", "usage": {"total_tokens": 6}}
RANKED = {"object": "list", "data": [{"relevance_score": 0.5, "index": 0}], "model": "m", "usage": {"total_tokens": 31}}
PREDICTED = {
    "id": "p-1",
    "model": "m/m",
    "version": "hidden",
    "created_at": "2026-01-15T10:00:00.730471035Z",
    "input": {"prompt": "abc"},
    "status": "succeeded",
    "urls": {},
    "logs": "",
    "error": None,
    "output": ["lorem"],
    "metrics": {"input_token_count": 18, "output_token_count": 7},
}
CALLS: dict[str, tuple[str, Any, Call]] = {
    "hugging face's chat": ("huggingface_hub", completion(), lambda url: hugging_face(url).chat_completion(ASKED)),
    "hugging face's stream of a chat": (
        "huggingface_hub",
        list(chunks("lorem", "ipsum", usage=True)),
        lambda url: read_all(hugging_face(url), "chat_completion", ASKED, stream=True),
    ),
    "generated text": ("huggingface_hub", GENERATED, lambda url: hugging_face(url).text_generation("abc", details=True)),
    "a stream of generated text": (
        "huggingface_hub",
        [TOKEN, LAST],
        lambda url: read_all(hugging_face(url), "text_generation", "abc", details=True, stream=True),
    ),
    "voyage's vectors": ("voyageai", VECTORS, lambda url: voyage(url).embed(["abc"], model="voyage-4").__dict__),
    "voyage's ranking": ("voyageai", RANKED, lambda url: voyage(url).rerank("abc", ["de"], model="rerank-2.5").__dict__),
    "a prediction": ("replicate", PREDICTED, lambda url: replicate(url).predictions.get("p-1")),
    "watsonx's chat": ("ibm_watsonx_ai", watsonx.CHAT, lambda url: watsonx.model_of(url).chat(messages=ASKED)),
    "watsonx's stream": ("ibm_watsonx_ai", watsonx.chat_events(), lambda url: list(watsonx.model_of(url).chat_stream(messages=ASKED))),
    "watsonx's text": ("ibm_watsonx_ai", watsonx.GENERATED, lambda url: watsonx.model_of(url).generate("abc")),
    "watsonx's stream of text": (
        "ibm_watsonx_ai",
        watsonx.generation_events(),
        lambda url: list(watsonx.model_of(url).generate_text_stream("abc", raw_response=True)),
    ),
}


def places_in(value: Any, inside: bool = False) -> Iterator[tuple[Any, Any]]:
    """The places of what is named after tokens, and of all inside: a container, and the name in it."""
    for name, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        named = inside or (isinstance(name, str) and any(word in name for word in WORDS))
        if named:
            yield value, name
        yield from places_in(item, named)


def odd_answers(answer: Any) -> Iterator[Any]:
    answer = copy.deepcopy(answer)
    for place, name in list(places_in(answer)):
        stated = place[name]
        for odd in ODD:
            place[name] = odd
            yield answer
        place[name] = stated
    yield from (None, {}, [], "lorem", [[{}]])
    if isinstance(answer, list):
        yield answer[::-1]
        yield [*answer, *answer]


def seen_of(call: Call, url: str) -> str:
    """What the caller sees, without addresses of objects and ports."""
    try:
        seen = repr(call(url))
    except Exception as error:
        seen = f"{type(error).__qualname__}: {error}"
    return re.sub(r"0x[0-9a-f]+|127\.0\.0\.1:\d+", "", seen)


def body_of(name: str, answer: Any) -> list[bytes]:
    if "stream" not in name:
        return [json.dumps(answer).encode()]
    events = answer if isinstance(answer, list) else [answer]
    return watsonx.events(events) if name.startswith("watsonx") else sse(events, done="chat" in name)


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_the_caller_is_unharmed_and_the_record_is_sound(name: str) -> None:
    package, answer, call = CALLS[name]
    pytest.importorskip(package, reason="make test-apart installs it")
    with ScriptedServer(body_of(name, answer)) as server:
        with collect_usages() as usages:
            call(server.url)
        assert [each.ended for each in usages.recorded] == ["complete"]
        for odd in odd_answers(answer):
            server.answers = [body_of(name, odd)]
            uninstrument()
            bare = seen_of(call, server.url)
            instrument()
            with collect_usages() as usages:
                assert seen_of(call, server.url) == bare, odd
            assert len(usages.recorded) <= 1, (odd, usages.recorded)
            for usage in usages.recorded:
                counts = [getattr(usage, each) for each in COUNTS]
                assert all(count is None or (type(count) is int and 0 <= count < 2**63) for count in counts), (odd, counts)
