"""How exactly recorded answers are read, by provider and endpoint: `python -m tokentrail.testing.exactness [--folder FOLDER]`.

Each body is given to `tokentrail.track_response`, as raw HTTP would be, and the usage is compared with what the recording says that the provider has
stated. Nothing is written to a journal. The exit code is 1 if a usage differs.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from tokentrail.counts import COUNTS
from tokentrail.process.current import current
from tokentrail.recording.runtime import Runtime
from tokentrail.testing.recording import Recording, read_recordings
from tokentrail.testing.usages import collect_usages
from tokentrail.tracking.endpoints import endpoints_of, known_providers
from tokentrail.tracking.response import track_response
from tokentrail.usage import Usage

__all__ = ["Row", "differences", "main", "place_of", "reason_not_read", "rows_of", "table", "usages_by_body"]

_FAILED: Final = 400
_PROVIDERS: Final = {
    "azure_ai": "azure.ai.inference",
    "azure_openai": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "bedrock_mantle": "aws.bedrock",
    "claude_agent": "anthropic",
    "google_genai": "gcp.gemini",
    "gpustack": "llama_cpp",
    "mistral": "mistral_ai",
    "sagemaker": "aws.sagemaker",
    "vertex": "gcp.vertex_ai",
    "vllm_local": "vllm",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
    "xai_grpc": "x_ai",
}
"""The names of providers in recordings, where they are other ones."""
_BEHIND: Final = {"converse": "aws.bedrock", "generate_content": "gcp.gemini", "messages": "anthropic"}
"""Who has answered a gateway's request, by the endpoint."""
_ENDPOINTS: Final = {
    "assistant_runs": "runs",
    "cohere_chat": "chat",
    "cohere_generate": "generate",
    "generate_content": "generate",
    "ollama_embed": "embeddings",
    "ollama_chat": "chat",
    "ollama_generate": "generate",
    "responses_get": "responses",
    "text_generation": "generate",
}
_PATHS: Final = {
    "/agents/completions": "agents",
    "/audio/speech": "speech",
    "/audio/transcriptions": "transcriptions",
    "/audio/translations": "translations",
    "/conversations": "conversations",
    "/fim/completions": "fim",
    "/summarize": "summarize",
    "/classify": "classify",
    "/contextualizedembeddings": "contextualized_embeddings",
    "/multimodalembeddings": "multimodal_embeddings",
}
"""Endpoints that a recording's path tells apart."""
_REASONS: Final = {
    "anthropic_complete": "states no usage",
    "batch_results": "results of a job",
    "batches": "a job that is polled",
    "caches": "stores a prompt: no usage",
    "count_tokens": "spends nothing",
    "invoke_model": "states no usage",
    "moderations": "spends nothing",
}


@dataclass(slots=True)
class Row:
    """What was found of a provider's endpoint. `not_read` has the reasons and how often each applies, `wrong` the ids with what differs."""

    provider: str
    endpoint: str
    exchanges: int = 0
    with_usage: int = 0
    by_body: int = 0
    not_read: dict[str, int] = field(default_factory=dict)
    wrong: dict[str, list[str]] = field(default_factory=dict)


def place_of(recording: Recording) -> tuple[str, str]:
    """Returns provider and endpoint of a recording, as `track_response` takes them."""
    path = recording.path.partition("?")[0]
    named = next((name for end, name in _PATHS.items() if path.endswith(end)), None)
    endpoint = named or _ENDPOINTS.get(recording.endpoint, recording.endpoint)
    if path.startswith("/model/") and "/invoke" in path:
        endpoint = "invoke_model"
    provider = _PROVIDERS.get(recording.provider, recording.provider)
    if provider not in known_providers():
        provider = _BEHIND.get(recording.endpoint, "openai")
    return provider, endpoint


def reason_not_read(recording: Recording) -> str:
    """Returns why a recording's body is not read; an empty text if it is read."""
    provider, endpoint = place_of(recording)
    if endpoint not in endpoints_of(provider):
        return _REASONS.get(recording.endpoint, "no shape")
    if recording.method == "GET" and not _is_job(recording):
        return "counted by the call that has created it"
    return ""


def _is_job(recording: Recording) -> bool:
    return recording.endpoint == "predictions" or b'"background":true' in recording.body.replace(b" ", b"")


def usages_by_body(recording: Recording) -> list[Usage]:
    """Returns the usages that a recording's body gives by `track_response`."""
    provider, endpoint = place_of(recording)
    request = recording.request if isinstance(recording.request, dict) else None
    path = recording.path.partition("?")[0]
    model = unquote(path.partition("/model/")[2].partition("/")[0]) or (path.rpartition(":")[0].rpartition("/")[2] if "/models/" in path else "")
    ended = "error" if recording.status >= _FAILED else None
    with Runtime(current.settings.with_(estimate=False)).in_place(), collect_usages() as usages:
        track_response(provider, endpoint, recording.body, request=request, headers=recording.headers, model=model, ended=ended)  # type: ignore[arg-type]
        return usages.recorded


_COMPARED: Final = (
    *("endpoint", "gen_ai_operation", "operation", "token_type", "response_model", "response_id", "stream", "ended", "key_kind"),
    *("input_source", "output_source", *(count.name for count in COUNTS)),
)


def differences(usages: Sequence[Usage], recording: Recording, expected: Sequence[Mapping[str, Any]] | None = None) -> list[str]:
    """Returns how usages differ from what the recording says: from its usages field by field, or else from the counts that the provider stated."""
    expected = recording.expected_usages if expected is None else expected
    if expected is None:
        return _differences_of_counts(usages, recording)
    if len(usages) != len(expected):
        return [f"{len(usages)} usages for {len(expected)}"]
    return [
        f"{name} is {getattr(usage, name)!r} and not {wanted[name]!r}"
        for usage, wanted in zip(usages, expected, strict=True)
        for name in _COMPARED
        if getattr(usage, name) != wanted[name] and not (recording.status >= _FAILED and name in _OF_REFUSALS)
    ]


_OF_REFUSALS: Final = ("response_id", "stream")
"""What a refusal's body says, or does not say, apart from what its caller knows."""


def _is_stated(value: int | None, recording: Recording) -> bool:
    """Whether a number stands in the body or in the headers: a corpus does not list every place."""
    return re.search(rb"(?<![0-9])%d(?![0-9])" % (value or 0), b" ".join((recording.body, *map(str.encode, recording.headers.values())))) is not None


def _differences_of_counts(usages: Sequence[Usage], recording: Recording) -> list[str]:
    totals, stated = recording.expected_totals, recording.expected
    if totals is None:
        counts = [count for usage in usages for count in (usage.input_tokens, usage.output_tokens) if count is not None]
        return [f"{count} tokens are not stated" for count in counts if not _is_stated(count, recording)]
    if len(usages) != 1:
        return [f"{len(usages)} usages for 1"]
    usage = usages[0]
    wanted = {
        "input_tokens": totals["input_total"],
        "output_tokens": totals["output_total"],
        "cache_read_tokens": stated["cached_input_tokens"],
        "cache_write_tokens": stated["cache_write_tokens"],
        "reasoning_tokens": stated["reasoning_tokens"],
        "response_model": stated["model"] or "",
    }
    found = {name: getattr(usage, name) for name in wanted}
    if usage.consumed_input_tokens is not None:  # the ledger counts what is billed
        found |= {"input_tokens": usage.consumed_input_tokens, "output_tokens": usage.consumed_output_tokens}
    return [
        f"{name} is {found[name]!r} and not {value!r}"
        for name, value in wanted.items()
        if found[name] != value and not (value is None and _is_stated(found[name], recording))
    ]


def rows_of(
    recordings: Iterable[Recording], expects: Callable[[Recording], Sequence[Mapping[str, Any]] | None] = lambda recording: recording.expected_usages
) -> list[Row]:
    """Returns what is found of recordings, one row a provider and endpoint of theirs; `expects` returns the usages that a recording has to give."""
    rows: dict[tuple[str, str], Row] = {}
    for recording in recordings:
        place = recording.provider, recording.endpoint
        row = rows.setdefault(place, Row(*place))
        row.exchanges += 1
        row.with_usage += recording.expected_totals is not None
        reason = reason_not_read(recording)
        if reason:
            row.not_read[reason] = row.not_read.get(reason, 0) + 1
        elif found := differences(usages_by_body(recording), recording, expects(recording)):
            row.wrong[recording.id] = found
        else:
            row.by_body += 1
    return [rows[place] for place in sorted(rows)]


def table(rows: Sequence[Row]) -> str:
    """Returns the rows as a table in Markdown, with a line of sums."""
    lines = ["| provider | endpoint | exchanges | with usage | exact | not read, because |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {row.provider} | {row.endpoint} | {row.exchanges} | {row.with_usage} | {row.by_body} | {told(row)} |"
        for row in [*rows, Row("all", "", *(sum(getattr(row, name) for row in rows) for name in ("exchanges", "with_usage", "by_body")))]
    ]
    return "\n".join(lines)


def told(row: Row) -> str:
    """Returns the reasons of a row as a cell of the table."""
    reasons = [f"{reason} ({count})" for reason, count in sorted(row.not_read.items())]
    return "; ".join([*reasons, *(f"**{name} differs**" for name in row.wrong)])


def main(arguments: list[str] | None = None) -> int:
    """Prints the table; returns the exit code (1: a usage differs; 2: a folder without recordings)."""
    parser = argparse.ArgumentParser(
        prog="python -m tokentrail.testing.exactness", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--folder", help="folder of recordings (default: those shipped with tokentrail)")
    options = parser.parse_args(arguments)
    try:
        recordings = read_recordings(options.folder)
    except ValueError as error:
        parser.exit(2, f"{error}\n")
    rows = rows_of(recordings)
    sys.stdout.write(table(rows) + "\n")
    wrong = {name: found for row in rows for name, found in row.wrong.items()}
    sys.stdout.writelines(f"{name}: {', '.join(found)}\n" for name, found in wrong.items())
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
