"""Real instrumentations on real SDKs, with the bridge: without tokentrail's hooks each call that they state is one bridged row, beside the hooks one of ours.

Counts are those of the recording; where an instrumentation states others, or none, that is a fact of its own, named in `FACTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.framework_environments import PEERS, run_in
from tests.support.require import required
from tokentrail.testing import Recording, read_recordings

pytestmark = pytest.mark.skipif(not required("frameworks"), reason="make test-frameworks installs them")

OF: dict[str, tuple[str, ...]] = {
    "langfuse": ("openai",),
    "logfire": ("openai", "anthropic"),
    "openinference": ("openai", "anthropic", "google_genai", "bedrock", "groq"),
    "openlit": ("openai", "anthropic", "google_genai", "bedrock", "groq", "cohere", "ollama"),
    "openllmetry": ("openai", "anthropic", "google_genai", "bedrock", "groq", "cohere", "ollama"),
    "opentelemetry": ("google_genai", "bedrock"),
    "opentelemetry-genai": ("openai", "anthropic"),
    "opentelemetry-openai-v2": ("openai",),
}
"""By the name of an instrumentation: the providers whose SDKs it patches."""
SDKS = ("openai", "anthropic", "google_genai", "bedrock", "groq")
CALLS = ("chat", "responses", "embeddings", "messages", "generate_content", "converse")
NAMES = {"bedrock": "aws.bedrock", "google_genai": "gcp.gemini"}
"""Providers that a recording names after its SDK."""
TOTALS = ("input_tokens", "output_tokens")
PARTS = ("cache_read_tokens", "cache_write_tokens", "reasoning_tokens")

CACHED = ("cache_read_tokens", "cache_write_tokens")


@dataclass(frozen=True)
class Fact:
    """What an instrumentation states of some recordings: counts with the provider's meaning, which leaves parts out of totals; zeros; or nothing at all."""

    sentence: str
    applies: Callable[[Recording], bool]
    as_provider: tuple[str, ...] = ()
    zero: tuple[str, ...] = ()


def of(provider: str, endpoint: str = "", *, stream: bool | None = None) -> Callable[[Recording], bool]:
    return lambda each: each.provider == provider and endpoint in ("", each.endpoint) and stream in (None, each.stream)


def fails_in_openlit(each: Recording) -> bool:
    """Whether a whole answer's usage has other details than openlit reads."""
    details = b'"prompt_tokens_details"' in each.body, b'"completion_tokens_details"' in each.body
    return each.endpoint == "chat" and not each.stream and details in {"openai": [(False, False)], "groq": [(False, True)]}.get(each.provider, [])


FACTS: dict[str, tuple[Fact, ...]] = {
    "langfuse": (Fact("its counts are JSON in langfuse.observation.usage_details", lambda _: True),),
    "openinference": (
        Fact("states no counts of Groq's streams", of("groq", stream=True)),
        Fact("states no counts of Google's embeddings", of("google_genai", "embeddings")),
    ),
    "openlit": (
        Fact("does not patch Anthropic's beta.messages", lambda each: "beta=true" in each.path),
        Fact("fails at a usage without the details that it reads", fails_in_openlit),
        Fact("ends no span of Bedrock's streams", of("bedrock", stream=True)),
        Fact("leaves cached tokens out of Anthropic's input", of("anthropic", stream=False), ("input_tokens",)),
        Fact("states no cached tokens of Anthropic's streams, and leaves them out of the input", of("anthropic"), ("input_tokens",), CACHED),
        Fact("states zero where Google states no output", lambda each: each.id.endswith("815101821b71"), zero=("output_tokens",)),
        Fact("leaves cached tokens out of Bedrock's input", of("bedrock"), ("input_tokens",)),
        Fact("states no counts of Google's embeddings", of("google_genai", "embeddings")),
        Fact("leaves tools' tokens out of Google's input, and reasoning out of the output", of("google_genai"), TOTALS),
    ),
    "openllmetry": (
        Fact("states nothing of a response that is not complete", lambda each: each.id.endswith(("by-hand-failed", "by-hand-incomplete"))),
        Fact("leaves cached tokens out of Bedrock's input", of("bedrock"), ("input_tokens",)),
        Fact("states no counts of Google's embeddings", of("google_genai", "embeddings")),
        Fact("leaves tools' tokens out of Google's input, and reasoning out of the output", of("google_genai"), TOTALS),
    ),
    "opentelemetry": (
        Fact("leaves cached tokens out of Bedrock's input", of("bedrock"), ("input_tokens",)),
        Fact("leaves tools' tokens out of Google's input", of("google_genai"), ("input_tokens",)),
    ),
    "opentelemetry-openai-v2": (Fact("does not patch responses", of("openai", "responses")),),
}
"""By the name of an instrumentation, the version that pip installs today: the first fact that applies."""
EXCEPT: dict[str, tuple[Fact, ...]] = {
    "openllmetry": (
        Fact("fails at a streamed run, whose stream it takes for a dictionary", of("openai", "assistant_runs", stream=True)),
        Fact("states a model that is only loaded as a call of zero tokens", lambda each: each.id.endswith("ollama_chat-by-hand-load")),
    ),
}
"""By the name of an instrumentation, the calls that are another thing under it, tokentrail's hooks or not."""
Row = Mapping[str, Any]


@cache
def recordings(name: str) -> dict[str, Recording]:
    return {each.id: each for each in read_recordings(providers=OF[name]) if each.endpoint != "live"}


def rows_of(name: str, mode: str, journal: Path) -> dict[str, list[Row]]:
    found = run_in(PEERS[name], "tests.frameworks.bridged", name, mode, *OF[name], journal=journal)
    assert found["internal errors"] == {}
    return {recording: [row for row in told["rows"] if row["calls"]] for recording, told in found["told"].items()}


def stated(name: str, recording: Recording) -> dict[str, Any] | None:
    """What the instrumentation states of a recording's answer; None for nothing."""
    [wanted] = recording.expected_usages or [{}]
    fact = next((fact for fact in FACTS.get(name, ()) if fact.applies(recording)), None)
    if fact is None:
        return dict(wanted)
    if not (fact.as_provider or fact.zero):
        return None
    return dict(wanted) | {total: recording.expected[total] for total in fact.as_provider} | dict.fromkeys(fact.zero, 0)


def wrong(row: Row, wanted: dict[str, Any], recording: Recording) -> dict[str, Any]:
    """The fields of a bridged row that are not what is wanted. Parts may be left unstated, and zero where the provider states none."""
    provider = NAMES.get(recording.provider, recording.provider)
    found = {"origin": row["origin"], "provider": row["provider"]} | {total: row[total] for total in TOTALS}
    expected = {"origin": "bridged", "provider": provider} | {total: wanted[total] for total in TOTALS}
    different = {field: (value, expected[field]) for field, value in found.items() if value != expected[field]}
    return different | {part: (row[part], wanted[part]) for part in PARTS if row[part] is not None and row[part] != (wanted[part] or 0)}


@pytest.mark.parametrize("name", OF)
@pytest.mark.timeout(600)
def test_each_call_that_is_stated_is_one_bridged_row_with_the_providers_counts(name: str, tmp_path: Path) -> None:
    rows = rows_of(name, "alone", tmp_path)
    faults: dict[str, Any] = {}
    compared = 0
    for recording in recordings(name).values():
        complete = [usage for usage in recording.expected_usages or [] if (usage["ended"], usage["input_source"]) == ("complete", "reported")]
        if not complete or recording.provider not in SDKS or recording.endpoint not in CALLS:
            continue
        compared += 1
        wanted = stated(name, recording)
        found = rows[recording.id]
        if len(found) != (wanted is not None):
            faults[recording.id] = f"{len(found)} rows of {int(wanted is not None)}"
        elif wanted is not None and (different := wrong(found[0], wanted, recording)):
            faults[recording.id] = different
    assert faults == {}
    assert compared > 10


@pytest.mark.parametrize("name", OF)
@pytest.mark.timeout(600)
def test_beside_the_hooks_each_call_is_one_row_of_tokentrail(name: str, tmp_path: Path) -> None:
    rows = rows_of(name, "ours", tmp_path)
    faults: dict[str, Any] = {}
    for recording in recordings(name).values():
        if any(fact.applies(recording) for fact in EXCEPT.get(name, ())):
            continue
        wanted = [("recorded", *(usage[count] for count in (*TOTALS, *PARTS))) for usage in recording.expected_usages or []]
        found = [(row["origin"], *(row[count] for count in (*TOTALS, *PARTS))) for row in rows[recording.id] if row["calls"]]
        if found != wanted:
            faults[recording.id] = f"{found} and not {wanted}"
    assert faults == {}
