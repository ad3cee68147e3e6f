"""A truth outside our process: llama.cpp's server counts for itself what it serves."""

from __future__ import annotations

import asyncio
from pathlib import Path

import openai
import pytest

import tokentrail
from tests.support.collector import World
from tests.support.local_model import OWN_CONNECTIONS
from tests.support.waiting import wait_until
from tokentrail.local.local_model import LocalModel
from tokentrail.recording.runtime import Runtime
from tokentrail.settings import Settings

MESSAGES = [{"role": "user", "content": "Name three rivers."}]


@pytest.fixture
def configured(world: World, local_model: LocalModel, tmp_path: Path):
    store = world.store()
    gateway = world.gateway(store)
    tokentrail.instrument(["openai"])
    settings = Settings().with_(
        journal_dir=str(tmp_path / "journal"),
        endpoint=f"{gateway.otlp_http_url}/v1/logs",
        provider_hosts={local_model.url.removeprefix("http://"): "llama_cpp"},
        ship_interval=0.1,
    )
    with Runtime(settings).in_place():  # its shipper ends with it: it would warn of the gone gateway amid later tests
        yield store
    tokentrail.uninstrument()


def test_chat_streams_embeddings_and_async_calls(configured, local_model: LocalModel) -> None:
    before = local_model.served_tokens()
    client = openai.OpenAI(base_url=local_model.base_url, api_key="none", max_retries=0, default_headers=OWN_CONNECTIONS)
    with tokentrail.track_tokens("query", tenant_id="model-test") as spent:
        client.chat.completions.create(model="smollm2", messages=MESSAGES, max_tokens=16)
        list(client.chat.completions.create(model="smollm2", messages=MESSAGES, max_tokens=16, stream=True))
        list(client.chat.completions.create(model="smollm2", messages=MESSAGES, max_tokens=16, stream=True, stream_options={"include_usage": True}))
        client.completions.create(model="smollm2", prompt="Once upon", max_tokens=8)
        client.responses.create(model="smollm2", input="Say hi.", max_output_tokens=16)
        client.embeddings.create(model="smollm2", input=["one", "two words"], encoding_format="float")

        async def many() -> None:
            async with openai.AsyncOpenAI(base_url=local_model.base_url, api_key="none", max_retries=0) as own:
                await asyncio.gather(*(own.chat.completions.create(model="smollm2", messages=MESSAGES, max_tokens=8) for _ in range(3)))

        asyncio.run(many())
    after = local_model.served_tokens()
    served = (after.input - before.input, after.output - before.output)
    assert tokentrail.flush(30)
    assert (spent.input_tokens, spent.output_tokens) == served
    assert spent.source == "reported"
    count = "SELECT count() FROM usage WHERE tenant_id = 'model-test'"
    wait_until(lambda: configured.number(count) == 9, "nine calls in ClickHouse")
    row = configured.query(
        "SELECT sum(input_tokens), sum(output_tokens), sum(calls), groupUniqArray(provider) FROM usage WHERE tenant_id = 'model-test'"
    )[0]
    assert (int(row[0]), int(row[1])) == served
    assert row[2:] == ["9", "['llama_cpp']"]
