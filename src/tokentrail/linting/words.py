"""The names by which code shows what it does: providers' SDKs, answers and their usages, counts, texts."""

from __future__ import annotations

from typing import Final

__all__ = ["ANSWERS", "CHARS", "COUNTS", "OWN", "SDKS", "TEXTS", "USAGES"]

SDKS: Final = frozenset(
    (
        "anthropic",
        "azure.ai.inference",
        "cerebras",
        "claude_agent_sdk",
        "cohere",
        "fireworks",
        "google.genai",
        "google.generativeai",
        "groq",
        "huggingface_hub",
        "ibm_watsonx_ai",
        "litellm",
        "mistralai",
        "ollama",
        "openai",
        "openrouter",
        "replicate",
        "together",
        "voyageai",
        "writerai",
        "xai_sdk",
    )
)
USAGES: Final = ("usage", "usage_metadata", "usageMetadata", "response_usage", "token_usage")
COUNTS: Final = frozenset(
    (
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "input_tokens",
        "output_tokens",
        "cached_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "reasoning_tokens",
        "prompt_token_count",
        "candidates_token_count",
        "total_token_count",
        "prompt_tokens_details",
        "completion_tokens_details",
        "prompt_eval_count",
        "eval_count",
    )
)
OWN: Final = ("input_tokens", "output_tokens", "reasoning_tokens")
"""Counts that a `tokentrail.Usage` has under the same name."""
ANSWERS: Final = frozenset(("response", "resp", "completion", "answer", "reply", "result", "res", "chunk", "message", "msg", "event", "output", "r"))
TEXTS: Final = (
    "text",
    "prompt",
    "content",
    "message",
    "query",
    "question",
    "answer",
    "document",
    "completion",
    "string",
    "body",
    "context",
)
CHARS: Final = (3, 3.5, 4, 4.0, 4.5, 5)
"""Characters a token, as rules of thumb have them."""
