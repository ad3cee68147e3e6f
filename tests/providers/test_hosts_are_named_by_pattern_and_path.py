"""One's own servers and proxies get their names by host, port, pattern or path; the most specific key wins, and a wrong one is one sentence."""

from __future__ import annotations

import itertools
import logging

import httpx
import openai
import pytest

from tests.support.calls import count_calls
from tests.support.scripted import ScriptedServer, completion
from tokentrail.host_rules import HostRule, rules_of
from tokentrail.process.configure import configure
from tokentrail.providers.lookup import is_named, server_of
from tokentrail.settings import from_environment
from tokentrail.testing import Usages


def provider(url: str) -> str:
    return server_of(httpx.URL(url), "the sdk").provider


NAMES = {
    "vllm.internal:8000": "vllm",
    "*.internal": "some",
    "vllm-*.svc:8000": "vllm pods",
    "10.0.0.*": "rack",
    "[::1]:8000": "six",
    "http://pasted.example:9000/v1/": "pasted",
    "secure.example:443": "secure",
    "litellm.internal": "litellm",
    "litellm.internal/anthropic": "anthropic",
    "litellm.internal/v1/*/groq": "groq",
    "litellm.internal:4000/anthropic": "four thousand",
    "UPPER.example/Path": "upper",
    "*": "rest",
}


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://vllm.internal:8000/v1", "vllm"),
        ("http://VLLM.internal.:8000/v1", "vllm"),
        ("http://vllm.internal:8001/v1", "some"),
        ("http://a.b.internal/v1", "some"),
        ("http://vllm-7.svc:8000", "vllm pods"),
        ("http://vllm-7.svc:8001", "rest"),
        ("http://10.0.0.17:1234/v1", "rack"),
        ("http://10.0.1.17:1234/v1", "rest"),
        ("http://[::1]:8000/v1", "six"),
        ("http://[::1]:8001/v1", "rest"),
        ("https://pasted.example:9000/v1/chat", "pasted"),
        ("https://pasted.example:9000/v2", "rest"),
        ("https://secure.example/v1", "secure"),
        ("http://secure.example/v1", "rest"),
        ("http://litellm.internal:4000/v1", "litellm"),
        ("http://litellm.internal/anthropic/v1", "anthropic"),
        ("http://litellm.internal/anthropical/v1", "litellm"),
        ("http://litellm.internal/v1/team-a/groq/", "groq"),
        ("http://litellm.internal/v1/groq", "litellm"),
        ("http://litellm.internal:4000/anthropic", "four thousand"),
        ("http://upper.example/Path/x", "upper"),
        ("http://upper.example/path/x", "rest"),
        ("https://api.openai.com/v1", "rest"),
    ],
)
def test_the_most_specific_key_wins_in_any_order(url: str, name: str) -> None:
    for order in (NAMES, dict(reversed(NAMES.items()))):
        configure(provider_hosts=order)
        assert provider(url) == name


def test_any_order_of_any_three_keys_is_the_same() -> None:
    for three in itertools.permutations([("*.internal", "a"), ("litellm.internal", "b"), ("litellm.*", "c")]):
        configure(provider_hosts=dict(three))
        assert [provider(f"http://{host}/v1") for host in ("litellm.internal", "litellm.example", "x.internal")] == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("url", "name", "asked"),
    [
        ("https://gateway.ai.cloudflare.com/v1/account/gateway/openai", "openai", True),
        ("https://gateway.ai.cloudflare.com/v1/account/gateway/groq", "groq", False),
        ("https://gateway.ai.cloudflare.com/v1/account/gateway/azure-openai/resource/deployment", "azure.ai.openai", True),
        ("https://gateway.ai.cloudflare.com/v1/account/gateway/grok/v1", "x_ai", False),
        ("https://gateway.ai.cloudflare.com/v1/account/gateway/compat", "cloudflare", False),
        ("https://gateway.ai.cloudflare.com/v1/openai/openai/workers-ai/v1", "cloudflare", False),
        ("https://api.cloudflare.com/client/v4/accounts/account/ai/v1", "cloudflare", False),
        ("https://oai.helicone.ai/v1", "openai", True),
        ("https://groq.helicone.ai/openai/v1", "groq", False),
        ("https://ai-gateway.vercel.sh/v1", "vercel", False),
        ("https://api.portkey.ai/v1", "portkey", False),
    ],
)
def test_gateways_whose_address_says_it(url: str, name: str, asked: bool) -> None:
    server = server_of(httpx.URL(url), "the sdk")
    assert (server.provider, server.accepts_include_usage) == (name, asked)


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("", "its host is not a host"),
        (":8000", "its host is not a host"),
        ("/v1", "its host is not a host"),
        ("two words", "its host is not a host"),
        ("host?x", "its host is not a host"),
        ("::1", "its host is not a host"),
        ("ftp://host", "its"),
        ("host:port", "its port is not a number from 1 to 65535"),
        ("host:", "its port is not a number from 1 to 65535"),
        ("host:0", "its port is not a number from 1 to 65535"),
        ("host:65536", "its port is not a number from 1 to 65535"),
        ("host:٣", "its port is not a number from 1 to 65535"),
        ("host/a b", "its path holds a blank or one of ? # [ ]"),
        ("host/a?b", "its path holds a blank or one of ? # [ ]"),
    ],
)
def test_a_wrong_key_is_one_sentence_and_changes_nothing(key: str, what: str) -> None:
    configure(provider_hosts={"llm.internal": "kept"})
    with pytest.raises(ValueError, match="provider_hosts=") as raised:
        configure(provider_hosts={key: "vllm"})
    sentence = str(raised.value)
    assert repr(key) in sentence
    assert what in sentence
    assert "write host, host:port, *.domain or host/path, each =provider" in sentence
    assert "\n" not in sentence
    assert provider("http://llm.internal/v1") == "kept"


def test_a_key_without_a_provider_is_one_sentence() -> None:
    with pytest.raises(ValueError, match="it names no provider"):
        configure(provider_hosts={"llm.internal": " "})


def test_a_wrong_variable_is_left_out_with_one_warning() -> None:
    wrong: list[str] = []
    found = from_environment({"TOKENTRAIL_PROVIDER_HOSTS": "vllm.internal:x=vllm", "TOKENTRAIL_TENANT_ID": "kept"}, wrong.append)
    assert (dict(found.provider_hosts), found.tenant_id) == ({}, "kept")
    assert len(wrong) == 1
    assert wrong[0].startswith("TOKENTRAIL_PROVIDER_HOSTS cannot be used: provider_hosts='vllm.internal:x': its port is not a number")


def test_the_variable_takes_patterns_and_paths() -> None:
    text = "vllm.internal:8000=vllm,*.llm.internal=litellm,gw.internal/v1/*/groq=groq"
    found = from_environment({"TOKENTRAIL_PROVIDER_HOSTS": text}, pytest.fail)
    assert [rule.provider for rule in rules_of(found.provider_hosts)] == ["vllm", "groq", "litellm"]
    assert rules_of(found.provider_hosts)[1] == HostRule("groq", "gw.internal", None, ("v1", "*", "groq"))


def test_calls_through_a_real_sdk_are_recorded_by_path(usages: Usages) -> None:
    with ScriptedServer(completion()) as server:
        base = server.url.removesuffix("/").removesuffix("/v1")
        port = server.port
        configure(provider_hosts={f"127.0.0.1:{port}/anthropic": "anthropic", f"127.*:{port}": "litellm"})
        for path in ("/anthropic/v1", "/other/v1"):
            openai.OpenAI(base_url=base + path, api_key="none", max_retries=0).chat.completions.create(model="m", messages=[])
    assert [usage.provider for usage in usages] == ["anthropic", "litellm"]


@pytest.mark.parametrize(
    ("address", "port", "named"),
    [
        ("api.openai.com", 0, True),
        ("gateway.ai.cloudflare.com", 0, True),
        ("localhost", 11434, True),
        ("vllm.internal", 8000, True),
        ("vllm.internal", 8001, False),
        ("litellm.internal", 4000, True),
        ("secure.example", 0, True),
        ("127.0.0.1", 8000, False),
    ],
)
def test_a_recorded_server_is_known_by_host_alone(address: str, port: int, named: bool) -> None:
    own = {"vllm.internal:8000": "vllm", "litellm.internal/anthropic": "anthropic", "secure.example:443": "secure"}
    assert is_named(address, port, own) is named


def test_an_unnamed_host_is_said_once_and_costs_later_calls_nothing(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    url = httpx.URL("http://[::1]:8123/v1")

    def look() -> object:
        return server_of(url, "openai")

    with caplog.at_level(logging.INFO, "tokentrail"):
        look()
        server_of(httpx.URL("http://[::1]:8123/v1"), "openai")
        provider("https://api.openai.com/v1")
    assert [record.getMessage() for record in caplog.records] == [
        "tokentrail: [::1]:8123 is recorded as openai, after the SDK: name the provider with TOKENTRAIL_PROVIDER_HOSTS=[::1]:8123=…"
    ]
    assert count_calls(look) < 10
