"""The rules: a number, what it finds, and the sentence of a finding. Numbers are never used again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["RULES", "Finding"]

RULES: Final = {
    "TT001": "an operation or a token type is written as a text, where the vocabulary has a constant",
    "TT002": "an operation or a token type that the vocabulary does not have",
    "TT101": "a usage is recorded in code that counts nothing itself",
    "TT102": "a provider's SDK is imported in code that counts nothing itself",
    "TT201": "an answer's usage is read by hand",
    "TT301": "tiktoken is used directly, in place of count_tokens()",
    "TT302": "tokens are estimated from a length, in place of count_tokens()",
}


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A finding: the file, the place (both from 1), the end of the place's statement, the rule's number, the sentence."""

    path: str
    line: int
    column: int
    rule: str
    sentence: str
    last_line: int = 0
