"""The providers, one row each: the addresses of a provider, and its accepted options.

A name is that of the GenAI conventions if the conventions have one (openai, groq, mistral_ai, x_ai, gcp.gemini, …), else the company's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["PROVIDERS", "Provider"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider and its addresses."""

    name: str
    hosts: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()  # of hosts
    prefixes: tuple[str, ...] = ()  # of hosts
    port: int = 0  # the default port of the provider's server, on any host that no other row names
    gateways: tuple[str, ...] = ()  # keys as in `provider_hosts`: addresses of gateways that forward to this provider
    cloudflare: str = ""  # the provider's step in addresses of Cloudflare's AI gateway
    accepts_include_usage: bool = False
    """States usage in a stream only on request, and accepts `stream_options.include_usage`.

    Seen in recordings: of openai's streams, 14 of 17 with the option carry usage (the others were errors or cut), 0 of 10 without; ollama's `/v1` 12
    of 12. False where a provider states usage anyway: groq (`x_groq`), mistral_ai, together, deepseek, openrouter. Requests to unknown hosts are not
    changed; the setting `provider_hosts` names a host (`llm.internal:8000=vllm`).
    """


PROVIDERS: Final = (
    Provider(name="anthropic", hosts=("api.anthropic.com",), gateways=("anthropic.helicone.ai",), cloudflare="anthropic"),
    # bedrock-runtime.<region>.amazonaws.com, bedrock-mantle.<region>.api.aws
    Provider(name="aws.bedrock", prefixes=("bedrock-",), cloudflare="aws-bedrock"),
    Provider(name="azure.ai.inference", hosts=("models.inference.ai.azure.com",), suffixes=(".services.ai.azure.com", ".models.ai.azure.com")),
    Provider(
        name="azure.ai.openai",
        suffixes=(".openai.azure.com", ".openai.azure.us", ".cognitiveservices.azure.com"),
        cloudflare="azure-openai",
        accepts_include_usage=True,
    ),
    Provider(name="cerebras", hosts=("api.cerebras.ai",), cloudflare="cerebras"),
    Provider(
        name="cloudflare",
        gateways=(
            "gateway.ai.cloudflare.com",
            "api.cloudflare.com/client/v4/accounts/*/ai",  # Workers AI: developers.cloudflare.com/workers-ai
        ),
    ),
    Provider(name="cohere", hosts=("api.cohere.ai", "api.cohere.com"), cloudflare="cohere"),
    Provider(name="dashscope", hosts=("dashscope.aliyuncs.com", "dashscope-intl.aliyuncs.com")),
    Provider(name="deepinfra", hosts=("api.deepinfra.com",)),
    Provider(name="deepseek", hosts=("api.deepseek.com",), cloudflare="deepseek"),
    Provider(name="fireworks", hosts=("api.fireworks.ai",)),
    Provider(name="gcp.gemini", hosts=("generativelanguage.googleapis.com",), cloudflare="google-ai-studio"),
    Provider(name="gcp.vertex_ai", suffixes=("aiplatform.googleapis.com",), cloudflare="google-vertex-ai"),  # also us-central1-aiplatform.…
    Provider(name="github", hosts=("models.github.ai",)),
    Provider(name="groq", hosts=("api.groq.com",), suffixes=(".groq.com",), gateways=("groq.helicone.ai",), cloudflare="groq"),
    Provider(name="helicone", gateways=("ai-gateway.helicone.ai",)),  # docs.helicone.ai: one host for each provider behind the gateway, and this host
    Provider(
        name="huggingface",
        hosts=("router.huggingface.co", "api-inference.huggingface.co"),
        suffixes=(".endpoints.huggingface.cloud",),
        cloudflare="huggingface",
    ),
    Provider(name="llama_cpp", accepts_include_usage=True),
    Provider(name="mistral_ai", hosts=("api.mistral.ai", "codestral.mistral.ai"), cloudflare="mistral"),
    Provider(name="moonshot_ai", hosts=("api.moonshot.ai", "api.moonshot.cn")),
    Provider(name="nvidia", hosts=("integrate.api.nvidia.com",)),
    Provider(name="ollama", hosts=("ollama.com",), suffixes=(".ollama.com",), port=11434, accepts_include_usage=True),
    Provider(
        name="openai",
        hosts=("api.openai.com",),
        suffixes=(".api.openai.com",),  # regions
        gateways=("oai.helicone.ai",),
        cloudflare="openai",
        accepts_include_usage=True,
    ),
    Provider(name="openrouter", hosts=("openrouter.ai",), cloudflare="openrouter"),
    Provider(name="perplexity", hosts=("api.perplexity.ai",), cloudflare="perplexity-ai"),
    Provider(name="portkey", gateways=("api.portkey.ai",)),  # portkey.ai/docs; the provider behind is in a header or a configuration
    Provider(name="replicate", hosts=("api.replicate.com",), cloudflare="replicate"),  # replicate.com/docs
    Provider(name="sambanova", hosts=("api.sambanova.ai",)),
    Provider(name="together", hosts=("api.together.ai", "api.together.xyz")),
    Provider(name="vercel", gateways=("ai-gateway.vercel.sh",)),  # vercel.com/docs/ai-gateway
    Provider(name="vllm", accepts_include_usage=True),
    Provider(name="voyage", hosts=("api.voyageai.com", "ai.mongodb.com")),  # docs.voyageai.com
    Provider(name="x_ai", hosts=("api.x.ai",), cloudflare="grok"),
    Provider(name="zai", hosts=("api.z.ai",)),
)
