"""Counting text where a provider states no count: reported > the model's own tokenizer > an estimate, each marked as what it is.

Importing this package loads no tokenizer; the background half is `tokentrail.counting.estimator`.
"""

from tokentrail.counting.tokens import TokenCount, count_tokens, estimate_prompt_tokens

__all__ = ["TokenCount", "count_tokens", "estimate_prompt_tokens"]
