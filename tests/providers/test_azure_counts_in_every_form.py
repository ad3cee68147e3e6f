"""Azure's clients, however the deployment is named: in the client, in the base URL, in the model, or not at all (`/openai/v1`)."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from tests.support.scripted import completion
from tokentrail.testing import Usages

http = getattr(openai._base_client, "httpx2", None) or openai._base_client.httpx
HOST = "https://example-resource.openai.azure.com"
ASK: dict[str, Any] = {"model": "my-gpt", "messages": [{"role": "user", "content": "hello"}]}
ANSWER = completion() | {
    "usage": {
        "prompt_tokens": 40, "completion_tokens": 11, "input_tokens": 40, "output_tokens": 11, "type": "tokens",
        "prompt_tokens_details": {"cached_tokens": 32}, "input_tokens_details": {"cached_tokens": 32}, "input_token_details": {"cached_tokens": 32},
    },
    "status": "completed", "data": [], "text": "lorem", "output": [],
}  # fmt: skip
GIVEN: dict[str, Any] = {"api_key": "none", "max_retries": 0}
VERSIONED: dict[str, Any] = {**GIVEN, "api_version": "2024-10-21"}

pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")

FORMS = {
    "endpoint": (openai.AzureOpenAI, {**VERSIONED, "azure_endpoint": HOST}),
    "deployment": (openai.AzureOpenAI, {**VERSIONED, "azure_endpoint": HOST, "azure_deployment": "my-gpt"}),
    "base-url": (openai.AzureOpenAI, {**VERSIONED, "base_url": f"{HOST}/openai/deployments/my-gpt"}),
    "v1": (openai.OpenAI, {**GIVEN, "base_url": f"{HOST}/openai/v1/"}),
    "v1-azure": (openai.AzureOpenAI, {**VERSIONED, "base_url": f"{HOST}/openai/v1"}),
    "ai-services": (openai.OpenAI, {**GIVEN, "base_url": "https://example-resource.services.ai.azure.com/openai/v1"}),
    "government": (openai.OpenAI, {**GIVEN, "base_url": "https://example-resource.openai.azure.us/openai/v1"}),
}


def clients_of(form: str, paths: list[str]) -> tuple[Any, Any]:
    make, given = FORMS[form]
    kinds = {openai.AzureOpenAI: openai.AsyncAzureOpenAI, openai.OpenAI: openai.AsyncOpenAI}

    def answer(request: Any) -> Any:
        paths.append(request.url.path)
        return http.Response(200, headers={"content-type": "application/json"}, content=json.dumps(ANSWER).encode())

    transport = http.MockTransport(answer)
    return make(**given, http_client=http.Client(transport=transport)), kinds[make](**given, http_client=http.AsyncClient(transport=transport))


@pytest.mark.parametrize("form", FORMS)
async def test_every_endpoint(form: str, usages: Usages) -> None:
    paths: list[str] = []
    client, client_async = clients_of(form, paths)
    sound = ("sound.wav", b"RIFF", "audio/wav")
    client.chat.completions.create(**ASK)
    client.completions.create(model="my-gpt", prompt="hello")
    client.embeddings.create(model="my-gpt", input="hello", encoding_format="float")
    client.images.generate(model="my-gpt", prompt="hello")
    client.images.edit(model="my-gpt", prompt="hello", image=sound)
    client.audio.transcriptions.create(model="my-gpt", file=sound)
    client.audio.speech.create(model="my-gpt", input="hello", voice="alloy")
    if hasattr(client, "responses"):
        client.responses.create(model="my-gpt", input="hello")
    await client_async.chat.completions.create(**ASK)
    await client_async.audio.translations.create(model="my-gpt", file=sound)
    names = ["chat", "completions", "embeddings", "images", "images", "transcriptions", "speech", "responses", "chat", "translations"]
    if not hasattr(client, "responses"):
        names.remove("responses")
    assert [usage.endpoint for usage in usages.recorded] == names
    provider = "azure.ai.inference" if form == "ai-services" else "azure.ai.openai"
    for usage in usages.recorded:
        assert (usage.provider, usage.request_model, usage.input_tokens, usage.ended) == (provider, "my-gpt", 40, "complete")
        assert usage.cache_read_tokens == 32 or usage.endpoint == "embeddings"
    assert len(paths) == len(names)


def test_the_deployment_of_a_path_is_the_model(usages: Usages) -> None:
    client, _ = clients_of("endpoint", [])
    for path in ("/deployments/my-gpt/images/generations", f"{HOST}/openai/deployments/my-gpt/audio/speech?api-version=x"):
        client.post(path, body={"input": "hello", "prompt": "hello"}, cast_to=object)
    assert [(usage.endpoint, usage.request_model, usage.provider) for usage in usages.recorded] == [
        ("images", "my-gpt", "azure.ai.openai"),
        ("speech", "my-gpt", "azure.ai.openai"),
    ]
