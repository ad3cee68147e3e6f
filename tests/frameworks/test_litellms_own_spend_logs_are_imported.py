"""Rows that LiteLLM's own code makes of real answers: imported, they say what the recordings say. Where LiteLLM counts otherwise, that is a named fact."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.framework_environments import LITELLM_PROXY, run_in
from tests.support.require import required

pytestmark = pytest.mark.skipif(not required("frameworks"), reason="make test-frameworks installs them")

TOTALS = {"input_tokens", "output_tokens"}
FACTS = (
    (
        "counts reasoning by a tokenizer of its own where the provider states none",
        ("anthropic", "bedrock", "mistral", "ollama"),
        {"reasoning_tokens"},
    ),
    ("counts by a tokenizer of its own where a stream states no usage", ("openai", "groq", "mistral-fim"), TOTALS),
    ("states the prompt's tokens of Cohere, not those that are billed", ("cohere",), TOTALS | {"cache_read_tokens", "reasoning_tokens"}),
    ("states the usage of another chunk of Google's streams than the last", ("google_genai",), {"input_tokens"}),
    ("leaves cached tokens out of Mistral's and Ollama's usage, and audio out of Mistral's", ("mistral", "ollama"), TOTALS | {"cache_read_tokens"}),
    ("logs no row of some of Cohere's answers", ("cohere",), set()),
)
"""A sentence, the recordings by the beginning of their name, and the fields in which a row may differ; of no field: there is no row."""


def explained(name: str, different: object) -> bool:
    fields = set(different) - {"not taken"} if isinstance(different, dict) else set()
    return any(name.startswith(names) and (fields <= allowed if fields else not allowed) for _sentence, names, allowed in FACTS) or (
        # two facts at once
        name.startswith("ollama") and fields == {"cache_read_tokens", "reasoning_tokens"}
    )


@pytest.mark.timeout(600)
def test_rows_say_what_the_recordings_say(tmp_path: Path) -> None:
    found = run_in(LITELLM_PROXY, "tests.frameworks.litellm_spend_logs", journal=tmp_path)
    assert found["compared"] > 100
    assert {name: different for name, different in found["wrong"].items() if not explained(name, different)} == {}
    assert len(found["wrong"]) < found["compared"] / 4
