"""`argument` names a parameter also as one value of `metadata`."""

from __future__ import annotations

import json

from tokentrail import argument, track_token_usage, track_tokens
from tokentrail.testing import Usages


@track_tokens(operation="chat", metadata={"purpose": argument("purpose"), "org": argument("user.org"), "kind": "fixed"})
def spend(user: dict[str, str], *, purpose: str = "none") -> None:
    track_token_usage(token_type="llm", operation="chat", provider="openai", model="m", input_tokens=1)


def test_its_value_is_that_of_the_call(tokentrail_usages: Usages) -> None:
    spend({"org": "acme"}, purpose="index")
    spend({"org": "globex"})
    assert [json.loads(usage.metadata) for usage in tokentrail_usages] == [
        {"purpose": "index", "org": "acme", "kind": "fixed"},
        {"purpose": "none", "org": "globex", "kind": "fixed"},
    ]
