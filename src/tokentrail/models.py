"""The family of a model, from the model's name.

Providers decorate one model in many ways (`groq/llama-3.1-8b-instant`, `us.meta.llama3-3-70b-instruct-v1:0`, `llama3.2:3b`, `ft:gpt-4o-mini:acme`),
so a family is searched inside the name; of two families in a name (`deepseek-r1-distill-llama-70b`) the first wins.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

__all__ = ["FAMILIES", "model_family"]

# Family -> names of its models, seen in recordings and in the providers' lists of models. The order decides only between matches at one place.
_NAMES: Final = {
    "embed": r"embed-(?:english|multilingual|v\d)",
    "gemini": r"gemini|learnlm|text-embedding-00\d|text-multilingual-embedding",
    "text-embedding": r"text-embedding|ada-002",
    "gpt": r"gpt|(?<![a-z0-9])o[134](?![a-z0-9])|davinci|babbage|codex|computer-use-preview",
    "claude": r"claude",
    "llama": r"llama(?!-?index)|vicuna",
    "qwen": r"qwen|qwq|qvq",
    "mistral": r"mi[sx]tral|ministral|magistral|codestral|devstral|pixtral|voxtral",
    "deepseek": r"deepseek",
    "gemma": r"gemma",
    "phi": r"(?<![a-z0-9])phi-?\d",
    "command": r"(?<![a-z0-9])command|c4ai|(?<![a-z0-9])aya(?![a-z])",
    "nova": r"(?<![a-z0-9])nova(?![a-z])",
    "titan": r"(?<![a-z0-9])titan(?![a-z])",
    "grok": r"grok",
    "smollm": r"smollm",
    "kimi": r"kimi|moonshot",
    "glm": r"(?<![a-z])(?:chat)?glm(?![a-z])",
    "minimax": r"minimax|(?<![a-z])abab\d",
    "granite": r"granite",
    "jamba": r"jamba|(?<![a-z0-9])j2-",
    "palmyra": r"palmyra",
    "sonar": r"(?<![a-z0-9])sonar",
    "nemotron": r"nemotron",
    "falcon": r"falcon",
    "olmo": r"olmo",
    "ernie": r"ernie",
    "hunyuan": r"hunyuan",
    "yi": r"(?<![a-z0-9])yi-",
    "luminous": r"luminous",
    "voyage": r"voyage",
    "jina": r"(?<![a-z0-9])jina",
    "nomic-embed": r"nomic-embed",
    "mxbai-embed": r"mxbai",
    "arctic": r"snowflake-arctic|(?<![a-z0-9])arctic",
    "bge": r"(?<![a-z0-9])bge(?![a-z])",
    "gte": r"(?<![a-z0-9])gte(?![a-z])",
    "e5": r"(?<![a-z0-9])e5(?![a-z0-9])",
    "minilm": r"minilm",
    "compound": r"(?<![a-z0-9])compound",
    "rerank": r"rerank",
    "whisper": r"whisper",
    "dall-e": r"dall-e",
}

FAMILIES: Final = tuple(_NAMES)
"""Every family that `model_family` can return."""

_MAX_NAME_CHARS: Final = 512  # callers choose the name of a model: longer names are not searched to the end


@lru_cache(maxsize=1)
def _any_family() -> re.Pattern[str]:  # compiled at the first use: the import must cost nothing
    return re.compile("|".join(f"({pattern})" for pattern in _NAMES.values()))


@lru_cache(maxsize=2048)
def model_family(model: str) -> str:
    """Returns the family of a model (`llama`, `qwen`, `gpt`, `claude`, …; all families are in `FAMILIES`), or "" if the name has none.

    On the call path: a repeated name costs one dictionary look-up.
    """
    found = _any_family().search(model[:_MAX_NAME_CHARS].lower())
    return FAMILIES[found.lastindex - 1] if found and found.lastindex else ""
