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


_PYDANTIC: Final = "gateway*.pydantic.dev/proxy"
"""pydantic.dev/docs/ai/overview/gateway: the step behind it names the provider, or a form (`chat`) or a group, which do not."""
_MIRASCOPE: Final = "mirascope.com/router/v2"
"""Seen in recordings at an address on loopback: the step behind it names the provider."""

PROVIDERS: Final = (
    Provider(name="ai21", hosts=("api.ai21.com",)),  # docs.ai21.com
    Provider(name="aimlapi", hosts=("api.aimlapi.com",)),  # docs.aimlapi.com
    Provider(name="aleph_alpha", hosts=("api.aleph-alpha.com",)),  # docs.aleph-alpha.com
    Provider(
        name="anthropic",
        hosts=("api.anthropic.com",),
        gateways=("anthropic.helicone.ai", f"{_PYDANTIC}/anthropic", f"{_MIRASCOPE}/anthropic"),
        cloudflare="anthropic",
    ),
    # bedrock-runtime.<region>.amazonaws.com, bedrock-mantle.<region>.api.aws
    Provider(name="aws.bedrock", prefixes=("bedrock-",), gateways=(f"{_PYDANTIC}/bedrock",), cloudflare="aws-bedrock"),
    Provider(name="aws.sagemaker", prefixes=("runtime.sagemaker.",)),  # docs.aws.amazon.com/general: runtime.sagemaker.<region>.amazonaws.com
    Provider(name="azure.ai.inference", hosts=("models.inference.ai.azure.com",), suffixes=(".services.ai.azure.com", ".models.ai.azure.com")),
    Provider(
        name="azure.ai.openai",
        suffixes=(".openai.azure.com", ".openai.azure.us", ".cognitiveservices.azure.com"),
        cloudflare="azure-openai",
        accepts_include_usage=True,
    ),
    Provider(name="baidu", hosts=("qianfan.baidubce.com", "aip.baidubce.com")),  # cloud.baidu.com/doc/qianfan
    Provider(name="baseten", hosts=("inference.baseten.co",), suffixes=(".api.baseten.co",), cloudflare="baseten"),  # docs.baseten.co
    Provider(name="braintrust", gateways=("api.braintrust.dev/v1/proxy",)),  # braintrust.dev/docs: the model names the provider behind
    Provider(name="cerebras", hosts=("api.cerebras.ai",), cloudflare="cerebras"),
    Provider(name="chutes", hosts=("llm.chutes.ai",)),  # chutes.ai/docs
    Provider(name="clarifai", hosts=("api.clarifai.com",)),  # docs.clarifai.com
    Provider(
        name="cloudflare",
        gateways=(
            "gateway.ai.cloudflare.com",
            "api.cloudflare.com/client/v4/accounts/*/ai",  # Workers AI: developers.cloudflare.com/workers-ai
        ),
    ),
    Provider(name="cohere", hosts=("api.cohere.ai", "api.cohere.com"), cloudflare="cohere"),
    Provider(name="crusoe", hosts=("api.inference.crusoecloud.com", "api.crusoe.ai")),  # docs.crusoecloud.com; the latter until 2026
    Provider(
        name="dashscope",
        hosts=("dashscope.aliyuncs.com", "dashscope-intl.aliyuncs.com", "dashscope-us.aliyuncs.com"),
        # alibabacloud.com/help/model-studio/base-url: cn-hongkong.dashscope.…; one host for each workspace, <workspace>.<region>.maas.…
        suffixes=(".dashscope.aliyuncs.com", ".maas.aliyuncs.com"),
        accepts_include_usage=True,  # help.aliyun.com/zh/model-studio, "OpenAI Chat": a stream states usage with this option alone
    ),
    Provider(
        name="databricks",  # docs.databricks.com: https://<workspace>/serving-endpoints
        suffixes=(".cloud.databricks.com", ".azuredatabricks.net", ".gcp.databricks.com"),
    ),
    Provider(name="deepinfra", hosts=("api.deepinfra.com",)),
    Provider(name="deepseek", hosts=("api.deepseek.com",), gateways=("deepseek.helicone.ai",), cloudflare="deepseek"),
    Provider(name="digitalocean", hosts=("inference.do-ai.run",)),  # docs.digitalocean.com
    Provider(name="featherless", hosts=("api.featherless.ai",)),  # featherless.ai/docs
    Provider(name="fireworks", hosts=("api.fireworks.ai",)),
    Provider(name="friendli", hosts=("api.friendli.ai",)),  # friendli.ai/docs
    Provider(
        name="gcp.gemini",
        hosts=("generativelanguage.googleapis.com",),
        gateways=(f"{_MIRASCOPE}/google",),
        cloudflare="google-ai-studio",
    ),
    Provider(
        name="gcp.vertex_ai",
        suffixes=("aiplatform.googleapis.com",),  # also us-central1-aiplatform.…
        gateways=(f"{_PYDANTIC}/google-vertex",),
        cloudflare="google-vertex-ai",
    ),
    Provider(name="github", hosts=("models.github.ai",)),
    Provider(name="gmi_cloud", hosts=("api.gmi-serving.com",)),  # docs.gmicloud.ai
    Provider(
        name="groq",
        hosts=("api.groq.com",),
        suffixes=(".groq.com",),
        gateways=("groq.helicone.ai", f"{_PYDANTIC}/groq"),
        cloudflare="groq",
    ),
    # docs.helicone.ai: one host for each provider behind the gateway, and these, which leave the provider to the model or to a header
    Provider(name="helicone", gateways=("ai-gateway.helicone.ai", "gateway.helicone.ai")),
    Provider(name="heroku", suffixes=(".inference.heroku.com",)),  # devcenter.heroku.com: us.…, eu.…
    Provider(
        name="huggingface",
        hosts=("router.huggingface.co", "api-inference.huggingface.co"),
        suffixes=(".endpoints.huggingface.cloud",),  # huggingface.co/docs/inference-endpoints
        cloudflare="huggingface",
    ),
    Provider(name="hyperbolic", hosts=("api.hyperbolic.xyz",)),  # docs.hyperbolic.xyz
    # cloud.ibm.com/apidocs/watsonx-ai: us-south.…, eu-de.…; ap-south-1.…
    Provider(name="ibm.watsonx.ai", suffixes=(".ml.cloud.ibm.com", ".aws.wxai.ibm.com")),
    Provider(name="inception", hosts=("api.inceptionlabs.ai",)),  # docs.inceptionlabs.ai
    Provider(name="inference_net", hosts=("api.inference.net",)),  # docs.inference.net
    Provider(name="jina", hosts=("api.jina.ai",)),  # jina.ai/embeddings
    Provider(name="lambda", hosts=("api.lambda.ai", "api.lambdalabs.com")),  # docs.lambda.ai
    Provider(name="lepton", suffixes=(".lepton.run",)),  # docs.lepton.ai
    Provider(name="litellm", accepts_include_usage=True),  # docs.litellm.ai/docs/completion/usage: for every provider behind the proxy
    Provider(name="llama_cpp", accepts_include_usage=True),
    Provider(name="lm_studio", port=1234, accepts_include_usage=True),  # lmstudio.ai/docs: the server's port; `stream_options` since 0.3.18
    Provider(name="meta", hosts=("api.llama.com",)),  # llama.developer.meta.com/docs
    Provider(name="minimax", hosts=("api.minimax.io", "api.minimaxi.com", "api.minimax.chat", "api.minimaxi.chat")),  # platform.minimax.io/docs
    Provider(name="mirascope", gateways=(_MIRASCOPE,)),
    Provider(
        name="mistral_ai",
        hosts=("api.mistral.ai", "api.eu.mistral.ai", "api.us.mistral.ai", "codestral.mistral.ai"),  # docs.mistral.ai, "Regional inference"
        cloudflare="mistral",
    ),
    Provider(name="modelscope", hosts=("api-inference.modelscope.cn",)),  # modelscope.cn/docs/model-service
    Provider(name="moonshot_ai", hosts=("api.moonshot.ai", "api.moonshot.cn")),
    Provider(
        name="nebius",
        hosts=("api.studio.nebius.ai", "api.studio.nebius.com", "api.tokenfactory.nebius.com"),  # docs.tokenfactory.nebius.com
        gateways=("nebius.helicone.ai",),
    ),
    Provider(name="novita", hosts=("api.novita.ai",)),  # novita.ai/docs
    Provider(name="nscale", hosts=("inference.api.nscale.com",)),  # docs.nscale.com
    Provider(name="nvidia", hosts=("integrate.api.nvidia.com", "ai.api.nvidia.com")),  # docs.api.nvidia.com
    Provider(name="ollama", hosts=("ollama.com",), suffixes=(".ollama.com",), port=11434, accepts_include_usage=True),
    Provider(
        name="openai",
        hosts=("api.openai.com",),
        suffixes=(".api.openai.com",),  # regions
        gateways=(
            "oai.helicone.ai",
            *(f"{_PYDANTIC}/{route}" for route in ("openai", "openai-chat", "openai-responses")),
            f"{_MIRASCOPE}/openai",
        ),
        cloudflare="openai",
        accepts_include_usage=True,
    ),
    Provider(name="openrouter", hosts=("openrouter.ai",), cloudflare="openrouter"),
    Provider(name="oracle", prefixes=("inference.generativeai.",)),  # docs.oracle.com: inference.generativeai.<region>.oci.oraclecloud.com
    Provider(name="ovhcloud", suffixes=(".endpoints.kepler.ai.cloud.ovh.net",)),  # help.ovhcloud.com, AI Endpoints
    Provider(name="parasail", hosts=("api.parasail.io",)),  # docs.parasail.io
    Provider(name="perplexity", hosts=("api.perplexity.ai",), cloudflare="perplexity-ai"),
    Provider(name="portkey", gateways=("api.portkey.ai", "aigw.portkey.ai")),  # portkey.ai/docs; the provider behind is in the model or a header
    Provider(name="predibase", hosts=("serving.app.predibase.com",)),  # docs.predibase.com
    Provider(name="pydantic_ai_gateway", gateways=("gateway*.pydantic.dev",)),
    Provider(name="reka", hosts=("api.reka.ai",)),  # docs.reka.ai
    Provider(name="replicate", hosts=("api.replicate.com",), cloudflare="replicate"),  # replicate.com/docs
    Provider(name="requesty", gateways=("router.requesty.ai",)),  # docs.requesty.ai: the model names the provider behind
    Provider(name="sambanova", hosts=("api.sambanova.ai",)),
    Provider(name="scaleway", hosts=("api.scaleway.ai",)),  # scaleway.com/en/docs/generative-apis
    Provider(name="sglang", accepts_include_usage=True),  # docs.sglang.ai
    Provider(name="siliconflow", hosts=("api.siliconflow.com", "api.siliconflow.cn")),  # docs.siliconflow.com
    Provider(
        name="snowflake", suffixes=(".snowflakecomputing.com",), accepts_include_usage=True
    ),  # docs.snowflake.com, Cortex REST API; in recordings
    Provider(name="stepfun", hosts=("api.stepfun.com", "api.stepfun.ai")),  # platform.stepfun.com/docs
    Provider(
        name="tencent",
        hosts=(
            *("api.hunyuan.cloud.tencent.com", "api.lkeap.cloud.tencent.com"),  # cloud.tencent.com/document/product/1729
            *("tokenhub.tencentcloudmaas.com", "tokenhub-intl.tencentcloudmaas.com"),  # tencentcloud.com/document/product/1300/78941
            *("tokenhub.tencentcloudmaas.tech", "tokenhub-intl.tencentcloudmaas.tech"),  # the same page: if the former do not answer
            "tokenhub.tencentmaas.com",  # docs.openclaw.ai/providers/tencent
        ),
    ),
    Provider(name="text_generation_inference", accepts_include_usage=True),  # huggingface.co/docs/text-generation-inference
    Provider(name="together", hosts=("api.together.ai", "api.together.xyz")),
    Provider(name="upstage", hosts=("api.upstage.ai",)),  # console.upstage.ai/docs
    Provider(name="venice", hosts=("api.venice.ai",)),  # docs.venice.ai
    Provider(name="vercel", gateways=("ai-gateway.vercel.sh",)),  # vercel.com/docs/ai-gateway
    Provider(name="vllm", accepts_include_usage=True),
    Provider(name="volcengine", suffixes=(".volces.com", ".bytepluses.com")),  # volcengine.com/docs/82379: ark.<region>.volces.com
    Provider(name="voyage", hosts=("api.voyageai.com", "ai.mongodb.com")),  # docs.voyageai.com
    Provider(name="wandb", hosts=("api.inference.wandb.ai",)),  # docs.wandb.ai/inference
    Provider(name="writer", hosts=("api.writer.com",), accepts_include_usage=True),  # dev.writer.com, chat completions: `stream_options`
    Provider(name="x_ai", hosts=("api.x.ai",), suffixes=(".api.x.ai",), cloudflare="grok"),  # docs.x.ai/developers/regions: us-east-1.…
    Provider(name="zai", hosts=("api.z.ai", "open.bigmodel.cn")),  # docs.z.ai; docs.bigmodel.cn: the company's platform in China
)
