"""aisuite over the SDKs of OpenAI and Anthropic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import aisuite

ASK = [{"role": "user", "content": "hello"}]


def cases(url: str) -> Iterator[tuple[str, Any]]:
    client = aisuite.Client({"openai": {"api_key": "none", "base_url": f"{url}/v1"}, "anthropic": {"api_key": "none", "base_url": url}})
    for name in ("openai", "anthropic"):
        yield name, lambda name=name: client.chat.completions.create(model=f"{name}:m", messages=ASK).choices[0].message.content
