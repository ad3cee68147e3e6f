"""Who answers: the provider is named by the host that a client talks to, not by the SDK. Data first, then the one rule that reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tokentrail.settings import current

__all__ = ["ASKED_FOR_USAGE", "HOSTS", "PORTS", "SUFFIXES", "Server", "server_of"]

HOSTS: Final[Mapping[str, str]] = {
    "api.anthropic.com": "anthropic",
    "api.cerebras.ai": "cerebras",
    "api.cohere.ai": "cohere",
    "api.cohere.com": "cohere",
    "api.deepinfra.com": "deepinfra",
    "api.deepseek.com": "deepseek",
    "api.fireworks.ai": "fireworks",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral_ai",
    "api.moonshot.ai": "moonshot_ai",
    "api.moonshot.cn": "moonshot_ai",
    "api.openai.com": "openai",
    "api.perplexity.ai": "perplexity",
    "api.sambanova.ai": "sambanova",
    "api.together.ai": "together",
    "api.together.xyz": "together",
    "api.x.ai": "x_ai",
    "api.z.ai": "zai",
    "codestral.mistral.ai": "mistral_ai",
    "dashscope.aliyuncs.com": "dashscope",
    "dashscope-intl.aliyuncs.com": "dashscope",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "integrate.api.nvidia.com": "nvidia",
    "models.github.ai": "github",
    "models.inference.ai.azure.com": "azure.ai.inference",
    "ollama.com": "ollama",
    "openrouter.ai": "openrouter",
    "router.huggingface.co": "huggingface",
}
"""The well-known names of the GenAI conventions where there is one (openai, groq, mistral_ai, x_ai, gcp.gemini, …), else the company's own."""

SUFFIXES: Final[tuple[tuple[str, str], ...]] = (
    (".api.openai.com", "openai"),  # regions
    (".openai.azure.com", "azure.ai.openai"),
    (".openai.azure.us", "azure.ai.openai"),
    (".cognitiveservices.azure.com", "azure.ai.openai"),
    (".services.ai.azure.com", "azure.ai.inference"),
    (".models.ai.azure.com", "azure.ai.inference"),
    ("aiplatform.googleapis.com", "gcp.vertex_ai"),  # also us-central1-aiplatform.googleapis.com
    (".groq.com", "groq"),
    (".ollama.com", "ollama"),
)

PREFIXES: Final[tuple[tuple[str, str], ...]] = (
    ("bedrock-", "aws.bedrock"),
)  # bedrock-runtime.<region>.amazonaws.com, bedrock-mantle.<region>.api.aws

PORTS: Final[Mapping[int, str]] = {11434: "ollama"}
"""On any host that is not known by name: a port that one provider's server has made its own."""

ASKED_FOR_USAGE: Final = frozenset({"azure.ai.openai", "llama_cpp", "ollama", "openai", "vllm"})
"""Providers that state usage in a stream only if asked, and are known to accept `stream_options.include_usage`.

Seen in recordings: openai 14 of 17 streams with it carry usage (the others were errors or cut), 0 of 10 without; ollama's `/v1` 12 of 12. Not asked
because they state it anyway: groq (`x_groq`), mistral_ai, together, deepseek, openrouter. A host that is not known is never asked; name it with the
setting `provider_hosts` (`llm.internal:8000=vllm`).
"""


@dataclass(frozen=True, slots=True)
class Server:
    """Where a client's calls go: provider, address, port (0 where it is the scheme's), and whether streams there are asked for usage."""

    provider: str
    address: str
    port: int
    asked_for_usage: bool


_DEFAULT_PORTS: Final = (None, 80, 443)
_KEPT: Final = 256
_servers: dict[int, tuple[Any, Mapping[str, str], str, Server]] = {}


def server_of(url: Any, sdk: str) -> Server:
    """Name the server behind a client's base URL (an `httpx.URL`); `sdk` is the provider where the host is not known.

    A URL object is looked at once: reading its parts costs more than the rest of the call's bookkeeping.
    """
    own = current().provider_hosts
    known = _servers.get(id(url))
    if known is not None and known[0] is url and known[1] is own and known[2] == sdk:
        return known[3]
    server = _look_up(url.host, url.port, sdk, own)
    if len(_servers) >= _KEPT:
        _servers.clear()
    _servers[id(url)] = (url, own, sdk, server)  # keeps the URL, so that its id stays its own
    return server


def _look_up(host: str, port: int | None, sdk: str, own: Mapping[str, str]) -> Server:
    host = host.lower()
    named = own.get(f"{host}:{port}") or own.get(host) or _known(host, port)
    return Server(named or sdk, host, 0 if port in _DEFAULT_PORTS else int(port or 0), bool(named) and named in ASKED_FOR_USAGE)


def _known(host: str, port: int | None) -> str | None:
    named = HOSTS.get(host)
    if named is None:
        named = next((provider for suffix, provider in SUFFIXES if host.endswith(suffix)), None)
    if named is None:
        named = next((provider for prefix, provider in PREFIXES if host.startswith(prefix)), None)
    return named or PORTS.get(port or 0)
