"""The packages of the SDKs, by integration: what `instrument()` waits for without loading the integration."""

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
    "ibm-watsonx-ai": ("ibm_watsonx_ai",),
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
