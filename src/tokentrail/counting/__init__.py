"""Counts the tokens of texts where a provider states no count. Every count is marked: reported, by the model's own tokenizer, or an estimate.

| file | holds |
|---|---|
| `tokens.py` | `count_tokens` |
| `tokenizers.py` | the choice of a tokenizer for a model, and the rule for models without a tokenizer |
| `vocabularies.py` | tiktoken's vocabularies: found on this machine, verified, loaded at first use |
| `estimator.py` | estimates in the background for calls without counts |

Importing this package loads no tokenizer.
"""

from tokentrail.counting.tokens import TokenCount, count_tokens, estimate_prompt_tokens

__all__ = ["TokenCount", "count_tokens", "estimate_prompt_tokens"]
