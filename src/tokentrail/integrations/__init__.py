"""The packages that tokentrail patches: one small file of data each, found by its entry point in the group `tokentrail.integrations`.

    integrations/<package>.py    the integration: patched functions, endpoints, supported versions, other tools that patch the SDK
    transports/                  how an SDK moves bytes: arguments and results of the patched functions, and the streams to follow
    shapes/                      how JSON reads: texts of a request, counts of an answer, chunks of a stream

An integration combines a transport with endpoints, which consist of a shape's functions. A shape depends on no transport and no SDK, so many
transports share one shape. The types of all three are defined in `tokentrail.instrumentation.contract`; the providers in `tokentrail.providers`.
"""

from __future__ import annotations

from typing import Final

__all__ = ["SDKS"]

SDKS: Final = {
    "aiobotocore": ("aiobotocore",),
    "anthropic": ("anthropic",),
    "azure-ai-inference": ("azure.ai.inference",),
    "botocore": ("botocore",),
    "cerebras-cloud-sdk": ("cerebras.cloud.sdk",),
    "claude-agent-sdk": ("claude_agent_sdk",),
    "cohere": ("cohere",),
    "fireworks-ai": ("fireworks",),
    "google-genai": ("google.genai",),
    "groq": ("groq",),
    "huggingface_hub": ("huggingface_hub.inference",),
    "litellm": ("litellm",),
    "mistralai": ("mistralai", "mistralai_azure", "mistralai_gcp"),
    "ollama": ("ollama",),
    "openai": ("openai",),
    "openrouter": ("openrouter",),
    "together": ("together",),
    "writer-sdk": ("writerai",),
    "replicate": ("replicate",),
    "voyageai": ("voyageai",),
    "xai-sdk": ("xai_sdk",),
}
"""The packages that an integration patches: `instrument()` loads the integration when an application imports one of them."""
