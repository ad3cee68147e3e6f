"""Who answers: the provider is named by the host that a client talks to, not by the SDK. Data first, then the one rule that reads it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tokentrail.host_rules import HostRule, rules_of, steps_of
from tokentrail.process.current import current

__all__ = ["ASKED_FOR_USAGE", "GATEWAYS", "HOSTS", "PORTS", "SUFFIXES", "Server", "is_named", "place_of", "server_of"]

logger = logging.getLogger("tokentrail")

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

_CLOUDFLARE: Final[Mapping[str, str]] = {
    "anthropic": "anthropic",
    "aws-bedrock": "aws.bedrock",
    "azure-openai": "azure.ai.openai",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "google-ai-studio": "gcp.gemini",
    "google-vertex-ai": "gcp.vertex_ai",
    "grok": "x_ai",
    "groq": "groq",
    "huggingface": "huggingface",
    "mistral": "mistral_ai",
    "openai": "openai",
    "openrouter": "openrouter",
    "perplexity-ai": "perplexity",
}
"""developers.cloudflare.com/ai-gateway/usage/providers: `gateway.ai.cloudflare.com/v1/{account_id}/{gateway_id}/{provider}` passes on to the
provider. What goes to its other paths (`compat`, `workers-ai`) is answered by Cloudflare, as far as an address can tell."""

GATEWAYS: Final[tuple[HostRule, ...]] = rules_of(
    {f"gateway.ai.cloudflare.com/v1/*/*/{step}": provider for step, provider in _CLOUDFLARE.items()}
    | {
        "gateway.ai.cloudflare.com": "cloudflare",
        "api.cloudflare.com/client/v4/accounts/*/ai": "cloudflare",  # Workers AI: developers.cloudflare.com/workers-ai
        "oai.helicone.ai": "openai",  # docs.helicone.ai: a host for each provider that is passed on to
        "anthropic.helicone.ai": "anthropic",
        "groq.helicone.ai": "groq",
        "ai-gateway.helicone.ai": "helicone",
        "ai-gateway.vercel.sh": "vercel",  # vercel.com/docs/ai-gateway
        "api.portkey.ai": "portkey",  # portkey.ai/docs; which provider is behind it stands in a header or a configuration
    }
)
"""Services between a client and providers. Where the address names the provider behind, that is who answers; else the gateway is."""

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


_SCHEMES: Final = {"https": 443, "http": 80}
_KEPT: Final = 256
_servers: dict[int, tuple[Any, Mapping[str, str], str, Server]] = {}
_rules: dict[int, tuple[Mapping[str, str], tuple[HostRule, ...]]] = {}
_unnamed: set[tuple[str, int]] = set()


def server_of(url: Any, sdk: str) -> Server:
    """Name the server behind a client's base URL (an `httpx.URL`); `sdk` is the provider where the host is not known.

    A URL object is looked at once: reading its parts costs more than the rest of the call's bookkeeping.
    """
    own = current.settings.provider_hosts
    known = _servers.get(id(url))
    if known is not None and known[0] is url and known[1] is own and known[2] == sdk:
        return known[3]
    server = _look_up(url, sdk, own)
    if len(_servers) >= _KEPT:
        _servers.clear()
    _servers[id(url)] = (url, own, sdk, server)  # keeps the URL, so that its id stays its own
    return server


def _look_up(url: Any, sdk: str, own: Mapping[str, str]) -> Server:
    host, port, usual = url.host.lower().rstrip("."), url.port, _SCHEMES.get(url.scheme, 0)
    steps = steps_of(url.path)
    named = _named(_rules_for(own), host, (port or usual,), steps) or _named(GATEWAYS, host, (port or usual,), steps) or _known(host, port)
    shown = 0 if port in (None, *_SCHEMES.values()) else int(port)
    if named is None:
        _tell(host, shown, sdk)
    return Server(named or sdk, host, shown, named is not None and named in ASKED_FOR_USAGE)


def _named(rules: Sequence[HostRule], host: str, ports: Sequence[int], steps: Sequence[str]) -> str | None:
    return next((rule.provider for rule in rules if rule.means(host, ports, steps)), None)


def _rules_for(own: Mapping[str, str]) -> tuple[HostRule, ...]:
    """The rules of these `provider_hosts`, read once as long as the setting stays the same."""
    known = _rules.get(id(own))
    if known is None or known[0] is not own:
        _rules.clear()
        known = _rules[id(own)] = own, rules_of(own)
    return known[1]


def _known(host: str, port: int | None) -> str | None:
    named = HOSTS.get(host)
    if named is None:
        named = next((provider for suffix, provider in SUFFIXES if host.endswith(suffix)), None)
    if named is None:
        named = next((provider for prefix, provider in PREFIXES if host.startswith(prefix)), None)
    return named or PORTS.get(port or 0)


def is_named(address: str, port: int, own: Mapping[str, str]) -> bool:
    """Whether a recorded server is known by name, to the tables here or to `provider_hosts`, at any path; else only the SDK named its provider.

    `port` is 0 where it is the scheme's.
    """
    ports = (port,) if port else tuple(_SCHEMES.values())
    return _known(address, port) is not None or any(rule.means_host(address, ports) for rule in (*_rules_for(own), *GATEWAYS))


def _tell(host: str, port: int, sdk: str) -> None:
    """Say once for each host that only the SDK names its provider."""
    if (host, port) in _unnamed or len(_unnamed) >= _KEPT:
        return
    _unnamed.add((host, port))
    where = place_of(host, port)
    logger.info("tokentrail: %s is recorded as %s, after the SDK: name who answers there with TOKENTRAIL_PROVIDER_HOSTS=%s=…", where, sdk, where)


def place_of(address: str, port: int) -> str:
    """A server as a key of `provider_hosts`: `llm.internal:8000`, `[::1]:8000`, without the port where it is 0."""
    host = f"[{address}]" if ":" in address else address
    return f"{host}:{port}" if port else host
