"""The choice of a tokenizer for a model, and the rule for models without a tokenizer.

Every rule was measured against counts that providers reported: `benchmarks/estimate_error.py --corpus FOLDER` prints the error by family.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from tokentrail.counting.vocabularies import CL100K, O200K, Vocabulary
from tokentrail.models import model_family

__all__ = ["BYTES_RULE", "Choice", "bytes_rule", "choose"]

BYTES_RULE: Final = "estimate:utf8/4"

# tiktoken's table of models, with newer models. gpt-oss has o200k_harmony, which differs from o200k_base by special tokens alone.
_OWN: Final = (
    (O200K, re.compile(r"(?:chatgpt-|gpt-)4o|gpt-4\.[15](?!\d)|gpt-5(?!\d)|gpt-oss|o[134](?![a-z0-9])|computer-use-preview|codex-mini")),
    (CL100K, re.compile(r"gpt-(?:4|3\.5|35)(?![a-z0-9.])|text-embedding-(?:3|ada-002)(?!\d)|(?:davinci|babbage)-002")),
)
_PREFIX: Final = re.compile(r"(?:ft:|(?:[a-z]{2}\.)?openai[.-])*")  # fine-tuned models; the names of OpenAI's models at Bedrock and Heroku

# Families whose vocabulary is so near to o200k_base (byte pairs, 100,000 entries and more) that o200k_base is more exact than `bytes_rule`.
_NEAR_O200K: Final = frozenset({"gpt", "llama", "qwen", "deepseek", "gemini", "glm", "kimi", "sonar"})
_OPENAI: Final = frozenset({"openai", "azure.ai.openai", "azure_openai"})

PRIMING: Final = 3  # "every reply is primed with <|start|>assistant<|message|>"
_REASONING: Final = re.compile(r"gpt-5|o[134](?![a-z0-9])|computer-use-preview|codex-mini")
_HARMONY_PREAMBLE: Final = 60  # providers add a system message for gpt-oss: 60 to 64 tokens in recordings of four providers


@dataclass(frozen=True, slots=True)
class Choice:
    """The tokenizer for a model's texts: `vocabulary`, which is the model's own if `exact`, or `bytes_rule` without a vocabulary."""

    vocabulary: Vocabulary | None
    exact: bool
    priming: int  # tokens of a chat in addition to those of its messages

    @property
    def tokenizer(self) -> str:
        """The tokenizer's name in the ledger: `o200k_base`, `estimate:o200k_base`, `estimate:utf8/4`."""
        if self.vocabulary is None:
            return BYTES_RULE
        return self.vocabulary.name if self.exact else f"estimate:{self.vocabulary.name}"


@lru_cache(maxsize=2048)
def choose(model: str, provider: str) -> Choice:
    """Returns the choice for a model, by the model's name; the provider decides only where the name is unknown (the name of a deployment)."""
    name = model[:512].lower().rpartition("/")[2]
    name = name[_PREFIX.match(name).end() :]  # type: ignore[union-attr] # matches the empty text too
    for vocabulary, models in _OWN:
        if models.match(name):
            return Choice(vocabulary, exact=True, priming=_priming(name))
    family = model_family(model)
    near = family in _NEAR_O200K or (not family and provider.lower() in _OPENAI)
    return Choice(O200K if near else None, exact=False, priming=PRIMING)


def _priming(name: str) -> int:
    if name.startswith("gpt-oss"):
        return PRIMING + _HARMONY_PREAMBLE
    return PRIMING - 1 if _REASONING.match(name) else PRIMING  # one token less in every recording of a reasoning model


def bytes_rule(text: str) -> int:
    """Returns a quarter of the number of the text's UTF-8 bytes, rounded up.

    One rule for all scripts: byte-pair vocabularies spend about a token on four letters of English (1 byte each), two of Cyrillic, Arabic or Greek
    (2 bytes) and somewhat more than one of Chinese, Japanese or Korean (3 bytes). Code and numbers have up to twice as many tokens.
    """
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    return -(-size // 4)
