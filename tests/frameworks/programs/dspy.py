"""DSPy over litellm. DSPy's own client, which newer versions prefer, has no integration yet."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import dspy

from tests.frameworks.driver import wait


def cases(url: str) -> Iterator[tuple[str, Any]]:
    given: dict[str, Any] = {"api_key": "none", "cache": False, "num_retries": 0, "engine": "litellm"}
    models = {
        "openai": dspy.LM("openai/m", api_base=f"{url}/v1", **given),
        "anthropic": dspy.LM("anthropic/m", api_base=url, **given),
        "gemini": dspy.LM("gemini/m", api_base=f"{url}/v1beta/models/m", **given),
    }
    for name, model in models.items():
        yield name, lambda model=model: model("hello")
        yield f"{name} async", wait(lambda model=model: model.acall("hello"))
