"""CrewAI's language models, over the SDKs, and a crew of one agent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

os.environ |= {"CREWAI_DISABLE_TELEMETRY": "true", "OTEL_SDK_DISABLED": "true", "CREWAI_TRACING_ENABLED": "false"}
from crewai import LLM


def cases(url: str) -> Iterator[tuple[str, Any]]:
    for name, base in (("openai", f"{url}/v1"), ("anthropic", url)):
        model = LLM(model=f"{name}/gpt-4o-mini" if name == "openai" else "anthropic/claude-sonnet-4-0", base_url=base, api_key="none", max_tokens=9)
        yield name, lambda model=model: model.call("hello")
