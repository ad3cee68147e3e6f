from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokentrail.models import FAMILIES, model_family


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("llama-3.1-8b-instant", "llama"),
        ("meta-llama/llama-4-scout-17b-16e-instruct", "llama"),
        ("us.meta.llama3-3-70b-instruct-v1:0", "llama"),
        ("codellama:7b", "llama"),
        ("qwen/qwen3-32b", "qwen"),
        ("QwQ-32B", "qwen"),
        ("gpt-4o-mini", "gpt"),
        ("openai/gpt-oss-120b", "gpt"),
        ("gpt-35-turbo", "gpt"),
        ("o1", "gpt"),
        ("openai/o4-mini", "gpt"),
        ("ft:gpt-3.5-turbo:acme", "gpt"),
        ("anthropic.claude-3-haiku-20240307-v1:0", "claude"),
        ("models/gemini-2.5-flash", "gemini"),
        ("gemini-embedding-001", "gemini"),
        ("open-mixtral-8x7b", "mistral"),
        ("codestral-latest", "mistral"),
        ("deepseek-r1-distill-llama-70b", "deepseek"),
        ("hermes-3-llama-3.1-405b", "llama"),
        ("gemma3:4b", "gemma"),
        ("phi3:mini", "phi"),
        ("microsoft/Phi-4", "phi"),
        ("command-r-plus", "command"),
        ("us.amazon.nova-lite-v1:0", "nova"),
        ("grok-4", "grok"),
        ("hf.co/HuggingFaceTB/SmolLM2-360M-Instruct-GGUF", "smollm"),
        ("text-embedding-3-small", "text-embedding"),
        ("nomic-embed-text", "nomic-embed"),
        ("all-minilm", "minilm"),
        ("cohere.embed-english-v3", "embed"),
        ("", ""),
        ("my-deployment", ""),
        ("solo1", ""),
        ("supernova", ""),
        ("delphi-2x", ""),
    ],
)
def test_family_is_found_in_a_decorated_name(model: str, family: str) -> None:
    assert model_family(model) == family


@given(st.text())
@pytest.mark.slow
def test_any_name_has_a_known_family_or_none(model: str) -> None:
    assert model_family(model) in {"", *FAMILIES}


def test_a_repeated_name_is_one_look_into_a_dictionary() -> None:
    model_family("gpt-4o")
    before = model_family.cache_info()
    model_family("gpt-4o")
    after = model_family.cache_info()
    assert (after.hits - before.hits, after.misses - before.misses) == (1, 0)
    assert before.maxsize is not None, "names are callers' words: the memory they take is bounded"


def test_an_endless_name_costs_little() -> None:
    assert model_family("x" * 10_000_000 + "gpt-4") == ""
