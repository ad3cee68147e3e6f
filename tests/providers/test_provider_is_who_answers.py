"""The provider is named by the host that a client talks to, the SDK only where nobody knows the host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import ollama
import openai
import pytest

from tests.support.scripted import ScriptedServer, completion
from tokentrail.process.configure import configure
from tokentrail.providers.lookup import server_of
from tokentrail.providers.table import PROVIDERS
from tokentrail.testing import ReplayServer, Usages

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "open" / "index.tsv"


@pytest.mark.parametrize(
    ("url", "provider", "address", "port", "asked"),
    [
        ("https://api.openai.com/v1/", "openai", "api.openai.com", 0, True),
        ("https://eu.api.openai.com/v1/", "openai", "eu.api.openai.com", 0, True),
        ("https://API.GROQ.com/openai/v1", "groq", "api.groq.com", 0, False),
        ("https://example-resource.openai.azure.com/openai/", "azure.ai.openai", "example-resource.openai.azure.com", 0, True),
        ("https://api.deepseek.com", "deepseek", "api.deepseek.com", 0, False),
        ("https://api.mistral.ai/v1", "mistral_ai", "api.mistral.ai", 0, False),
        ("https://api.x.ai/v1", "x_ai", "api.x.ai", 0, False),
        ("https://openrouter.ai/api/v1", "openrouter", "openrouter.ai", 0, False),
        ("https://api.together.xyz/v1", "together", "api.together.xyz", 0, False),
        ("https://generativelanguage.googleapis.com/v1beta/openai/", "gcp.gemini", "generativelanguage.googleapis.com", 0, False),
        ("https://us-central1-aiplatform.googleapis.com/v1", "gcp.vertex_ai", "us-central1-aiplatform.googleapis.com", 0, False),
        ("https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1", "aws.bedrock", "bedrock-runtime.us-west-2.amazonaws.com", 0, False),
        ("http://localhost:11434/v1", "ollama", "localhost", 11434, True),
        ("http://ollama:11434/v1", "ollama", "ollama", 11434, True),
        ("http://localhost:8000/v1", "the sdk", "localhost", 8000, False),
        ("https://notopenai.com.evil.example/v1", "the sdk", "notopenai.com.evil.example", 0, False),
        ("https://notapi.openai.com.example:8443/v1", "the sdk", "notapi.openai.com.example", 8443, False),
    ],
)
def test_hosts(url: str, provider: str, address: str, port: int, asked: bool) -> None:
    server = server_of(httpx.URL(url), "the sdk")
    assert (server.provider, server.address, server.port, server.accepts_include_usage) == (provider, address, port, asked)


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        # as recorded
        ("https://api.ai21.com/studio/v1", "ai21"),
        ("https://api.aleph-alpha.com", "aleph_alpha"),
        ("https://api.inference.crusoecloud.com/v1", "crusoe"),
        ("https://us.inference.heroku.com/v1", "heroku"),
        ("https://api.replicate.com/v1", "replicate"),
        ("https://runtime.sagemaker.us-east-1.amazonaws.com", "aws.sagemaker"),
        ("https://example.snowflakecomputing.com/api/v2/cortex/v1", "snowflake"),
        ("https://api.voyageai.com/v1", "voyage"),
        ("https://us-south.ml.cloud.ibm.com/ml/v1", "ibm.watsonx.ai"),
        ("https://api.writer.com:443/v1", "writer"),
        # as documented
        ("https://inference.baseten.co/v1", "baseten"),
        ("https://model-abc.api.baseten.co/environments/production/sync/v1", "baseten"),
        ("https://dbc-1.cloud.databricks.com/serving-endpoints", "databricks"),
        ("https://adb-1.1.azuredatabricks.net/serving-endpoints", "databricks"),
        ("https://qianfan.baidubce.com/v2", "baidu"),
        ("https://ark.cn-beijing.volces.com/api/v3", "volcengine"),
        ("https://api.hunyuan.cloud.tencent.com/v1", "tencent"),
        ("https://open.bigmodel.cn/api/paas/v4", "zai"),
        ("https://api.minimax.io/v1", "minimax"),
        ("https://api.studio.nebius.com/v1", "nebius"),
        ("https://oai.endpoints.kepler.ai.cloud.ovh.net/v1", "ovhcloud"),
        ("https://api.scaleway.ai/v1", "scaleway"),
        ("https://inference.generativeai.us-chicago-1.oci.oraclecloud.com", "oracle"),
        ("https://x.us-east-1.aws.endpoints.huggingface.cloud/v1", "huggingface"),
        ("http://localhost:1234/v1", "lm_studio"),
        ("https://ap-south-1.aws.wxai.ibm.com/ml/v1", "ibm.watsonx.ai"),
        ("https://private.us-south.ml.cloud.ibm.com/ml/v1", "ibm.watsonx.ai"),
        ("https://cn-hongkong.dashscope.aliyuncs.com/compatible-mode/v1", "dashscope"),
        ("https://ws-1.ap-southeast-1.maas.aliyuncs.com/compatible-mode/v1", "dashscope"),
        ("https://trial.cn-beijing.maas.aliyuncs.com/apps/anthropic", "dashscope"),
        ("https://eu-west-1.api.x.ai/v1", "x_ai"),
        ("https://tokenhub.tencentmaas.com/v1", "tencent"),
        ("https://tokenhub-intl.tencentcloudmaas.com/v1", "tencent"),
        ("https://tokenhub.tencentcloudmaas.tech/v1", "tencent"),
        ("https://api.crusoe.ai/v1", "crusoe"),
        ("https://api.eu.mistral.ai/v1", "mistral_ai"),
        ("https://api.us.mistral.ai/v1", "mistral_ai"),
        ("https://api.tokenfactory.nebius.com/v1", "nebius"),
        ("https://ai.mongodb.com/v1", "voyage"),
        ("https://api.hyperbolic.xyz/v1", "hyperbolic"),
        ("https://api.novita.ai/openai/v1", "novita"),
        ("https://api.siliconflow.cn/v1", "siliconflow"),
        ("https://api.lambda.ai/v1", "lambda"),
        ("https://api.minimaxi.com/v1", "minimax"),
        ("https://api.z.ai/api/paas/v4", "zai"),
        # gateways whose host names the provider behind, or themselves
        ("https://deepseek.helicone.ai/v1", "deepseek"),
        ("https://nebius.helicone.ai/v1", "nebius"),
        ("https://gateway.helicone.ai/v1", "helicone"),
        ("https://aigw.portkey.ai/v1", "portkey"),
        # gateways whose path names the provider behind
        ("https://gateway.pydantic.dev/proxy/anthropic", "anthropic"),
        ("https://gateway-us.pydantic.dev/proxy/openai-responses", "openai"),
        ("https://gateway.pydantic.dev/proxy/google-vertex", "gcp.vertex_ai"),
        ("https://gateway.pydantic.dev/proxy/bedrock", "aws.bedrock"),
        ("https://gateway.pydantic.dev/proxy/chat", "pydantic_ai_gateway"),
        ("https://mirascope.com/router/v2/google/v1beta", "gcp.gemini"),
        ("https://mirascope.com/router/v2/else", "mirascope"),
        ("https://gateway.ai.cloudflare.com/v1/account/mine/replicate", "replicate"),
        ("https://api.braintrust.dev/v1/proxy", "braintrust"),
        # and what only looks so
        ("https://snowflakecomputing.com.example/v1", "the sdk"),
        ("https://api.braintrust.dev/v1/other", "the sdk"),
        ("https://mirascope.com/docs", "the sdk"),
        ("https://notgateway.pydantic.dev/proxy/openai", "the sdk"),
        ("https://oss.ap-southeast-1.aliyuncs.com/v1", "the sdk"),
        ("https://notapi.x.ai/v1", "the sdk"),
        ("https://docs.aws.wxai.ibm.com.example/v1", "the sdk"),
    ],
)
def test_more_hosts(url: str, provider: str) -> None:
    server = server_of(httpx.URL(url), "the sdk")
    assert (server.provider, server.is_named) == (provider, provider != "the sdk")


@pytest.mark.skipif(not CORPUS.is_file(), reason="the whole corpus of recordings is not beside the repository")
def test_every_recorded_host_is_named() -> None:
    bases = {json.loads(path.read_text("utf-8"))["base_url"] for path in CORPUS.parent.rglob("*.json")}
    unnamed = {url for url in bases if not server_of(httpx.URL(url), "the sdk").is_named}
    assert all("localhost" in url or "0.0.0.0" in url for url in unnamed), unnamed
    assert len(bases) > 40


def test_no_host_is_of_two_providers_and_every_key_is_one() -> None:
    for field in ("hosts", "suffixes", "prefixes", "gateways"):
        stated = [key for provider in PROVIDERS for key in getattr(provider, field)]
        assert len(stated) == len(set(stated))
    names = [provider.name for provider in PROVIDERS]
    assert names == sorted(set(names))
    ports = [provider.port for provider in PROVIDERS if provider.port]
    assert len(ports) == len(set(ports))


def test_the_conventions_names_are_the_tables() -> None:
    """The well-known values of `gen_ai.provider.name` in semantic-conventions-genai, without `gcp.gen_ai`, which stands for an unknown backend."""
    known = {"anthropic", "aws.bedrock", "azure.ai.inference", "azure.ai.openai", "cohere", "deepseek", "gcp.gemini", "gcp.vertex_ai", "groq"}
    known |= {"ibm.watsonx.ai", "mistral_ai", "moonshot_ai", "openai", "perplexity", "x_ai"}
    assert known <= {provider.name for provider in PROVIDERS}


def test_a_setting_names_ones_own_hosts() -> None:
    own = httpx.URL("http://llm.internal:8000/v1")
    assert server_of(own, "openai").provider == "openai"
    configure(provider_hosts={"llm.internal": "vllm", "llm.internal:9000": "mine", "api.openai.com": "proxy"})
    assert server_of(own, "openai").provider == "vllm"
    assert server_of(own, "openai").accepts_include_usage
    assert server_of(httpx.URL("http://llm.internal:9000/v1"), "openai").provider == "mine"
    assert server_of(httpx.URL("https://api.openai.com/v1"), "openai").provider == "proxy"


def test_one_sdk_many_providers(usages: Usages, known_as: Any) -> None:
    ask: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    with ScriptedServer(completion()) as one, ScriptedServer(completion()) as other:
        known_as(one.port, "deepseek")
        for server in (one, other):
            openai.OpenAI(base_url=server.url, api_key="none").chat.completions.create(**ask)
        openai.AzureOpenAI(azure_endpoint=one.url, api_key="none", api_version="2024-10-21").chat.completions.create(**ask)
    assert [(u.provider, u.server_address, u.server_port) for u in usages.recorded] == [
        ("deepseek", "127.0.0.1", one.port),
        ("openai", "127.0.0.1", other.port),
        ("deepseek", "127.0.0.1", one.port),
    ]


class Moving(openai.OpenAI):
    """A client whose property, and not its field, says where it goes."""

    elsewhere = ""

    @property
    def base_url(self) -> Any:
        base = super().base_url
        return type(base)(f"{self.elsewhere}/") if self.elsewhere else base


def test_a_client_that_moves(usages: Usages, monkeypatch: pytest.MonkeyPatch) -> None:
    ask: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    with ScriptedServer(completion()) as one, ScriptedServer(completion()) as other:
        client, moving = openai.OpenAI(base_url=one.url, api_key="none"), Moving(base_url=one.url, api_key="none")
        monkeypatch.setattr(openai, "api_key", "none")
        for server in (one, other, one):
            client.base_url = server.url
            client.chat.completions.create(**ask)
            moving.elsewhere = server.url
            moving.chat.completions.create(**ask)
            monkeypatch.setattr(openai, "base_url", server.url)
            openai.chat.completions.create(**ask)
    assert [u.server_port for u in usages.recorded] == [server.port for server in (one, other, one) for _ in range(3)]


def test_requested_and_answered_model_operation_and_texts(usages: Usages) -> None:
    ask: dict[str, Any] = {
        "model": "gpt-4o",
        "messages": [
            {"role": "system", "content": "abc"},
            {"role": "user", "content": [{"type": "text", "text": "defg"}, {"type": "image_url", "image_url": {"url": "data:,"}}]},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}],
    }
    with ScriptedServer(completion("hij")) as server:
        openai.OpenAI(base_url=server.url, api_key="none").chat.completions.create(**ask)
    (usage,) = usages.recorded
    assert (usage.request_model, usage.response_model, usage.response_id, usage.model_family) == (
        "gpt-4o",
        "gpt-4o-mini-2024-07-18",
        "chatcmpl-scripted",
        "gpt",
    )
    assert (usage.endpoint, usage.gen_ai_operation, usage.operation, usage.token_type) == ("chat", "chat", "chat", "llm")
    assert (usage.texts, usage.input_chars, usage.output_chars) == (2, 7, 3)


def test_messages_from_a_generator_are_not_read_twice(usages: Usages) -> None:
    with ScriptedServer(completion()) as server:
        messages = ({"role": "user", "content": text} for text in ("ab", "cd"))
        openai.OpenAI(base_url=server.url, api_key="none").chat.completions.create(model="m", messages=messages)  # type: ignore[arg-type]
        assert [message["content"] for message in server.asked[0]["messages"]] == ["ab", "cd"]
    assert (usages[0].texts, usages[0].input_chars) == (2, 4)


def test_ollama_functions_clients_and_loads(replay: ReplayServer, usages: Usages, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = next(r for r in replay.recordings.values() if r.endpoint == "ollama_chat" and not r.stream and r.expected_totals and r.status == 200)
    client = ollama.Client(host=replay.url("ollama", recording=recording.id))
    client.chat(model="m", messages=[{"role": "user", "content": "hello"}])
    monkeypatch.setattr(ollama.chat.__self__, "_client", client._client)
    ollama.chat(model="m", messages=[{"role": "user", "content": "hello"}])
    assert len(usages.recorded) == 2
    ollama.chat(model="m", messages=[])
    ollama.chat(model="m", keep_alive=0)
    assert len(usages.recorded) == 2
    assert (usages[1].provider, usages[1].input_tokens, usages[1].endpoint) == ("ollama", recording.expected_totals["input_total"], "chat")
