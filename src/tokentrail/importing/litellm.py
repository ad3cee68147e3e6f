"""LiteLLM's spend logs: rows of `LiteLLM_SpendLogs`, as its API (`/spend/logs`), its database or a CSV of it has them.

Read in its source (schema.prisma, spend_tracking_utils.py): `prompt_tokens` and `completion_tokens` are totals, 0 where none is stated. Their subsets
stand in `metadata.usage_object`, in older versions in `metadata.additional_usage_values`. An answer from LiteLLM's own cache is a row with an id of
its own (`…_cache_hit1751…`), and nobody was paid for it. A request that the proxy refused has no provider. Where a provider states no usage, LiteLLM
counts by a tokenizer of its own, and the row does not say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tokentrail.compat.own_names import provider_name
from tokentrail.idempotency import claimed_key
from tokentrail.importing.record import NotTaken, Record
from tokentrail.importing.selection import Selection, taken
from tokentrail.importing.values import nested, nested_list, text, time_ns, whole
from tokentrail.integrations.litellm import API
from tokentrail.providers.table import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TENANTS", "records"]

TENANTS: Final = ("team_id", "organization_id", "end_user", "user", "api_key", "team_alias", "key_alias")
"""The fields that may be the tenant."""

_ENDPOINTS: Final[Mapping[str, tuple[str, str, str]]] = {
    "completion": ("chat", "chat", "llm"),
    "anthropic_messages": ("messages", "chat", "llm"),
    "text_completion": ("completions", "generation", "llm"),
    "responses": ("responses", "generation", "llm"),
    "generate_content": ("generate", "chat", "llm"),
    "embedding": ("embeddings", "vector_search", "embedding"),
    "rerank": ("rerank", "vector_search", "embedding"),
    "image_generation": ("images", "generation", "llm"),
    "image_edit": ("images", "generation", "llm"),
    "transcription": ("transcriptions", "extraction", "llm"),
    "speech": ("speech", "generation", "llm"),
    "moderation": ("moderations", "classification", "llm"),
    "retrieve_batch": ("batch", "batch", "llm"),
}
"""Endpoint, operation and token type by the kind of call, without the `a` of asynchronous calls."""
_NO_CALLS: Final = ("mcp", "file", "assistant", "thread", "vector_store", "create_batch", "list", "cancel", "get_response", "delete", "health")
_KNOWN: Final = frozenset(API.names) | {provider.name for provider in PROVIDERS}
_ALIASES: Final = {"team_alias": "user_api_key_team_alias", "key_alias": "user_api_key_alias"}


def records(rows: Iterable[Mapping[str, Any]], selection: Selection, tenants: Sequence[str] = ("team_id",)) -> Iterator[Record | NotTaken]:
    """Yields a record of each row. `tenants`: the fields that are the tenant, of which the first one that is stated counts."""
    return taken(partial(_record, selection=selection, tenants=tenants), rows)


def _record(row: Mapping[str, Any], selection: Selection, tenants: Sequence[str]) -> Record:
    identity = text(row.get("request_id"))
    if not identity or "startTime" not in row:
        raise NotTaken("no row of LiteLLM_SpendLogs: request_id or startTime is missing", fault=True)
    if text(row.get("cache_hit")).lower() == "true":
        raise NotTaken("answered from LiteLLM's own cache: nobody was paid")
    kind = _kind(text(row.get("call_type")))
    if any(kind.startswith(word) or f"_{word}" in kind for word in _NO_CALLS):
        raise NotTaken("no call of a model (files, batches' creation, tools)")
    metadata = nested(row.get("metadata"))
    provider, model = _provider_and_model(row)
    failed = "failure" in (text(row.get("status")), text(metadata.get("status")))
    if failed and not provider:
        raise NotTaken("refused by the proxy before any provider was asked")
    if not provider and not model:
        raise NotTaken("without a model and a provider")
    endpoint, operation, token_type = _ENDPOINTS.get(kind, ("", "chat", "llm"))
    counts = _counts(row, metadata)
    if not any(counts.values()) and kind == "retrieve_batch":
        raise NotTaken("a batch that states no tokens yet")
    if failed or not (counts["input_tokens"] or counts["output_tokens"]):
        counts = {name: value or None for name, value in counts.items()}
    elif token_type == "embedding":  # noqa: S105 - a kind of token
        counts["output_tokens"] = counts["output_tokens"] or None
    ts = time_ns(row["startTime"], selection.zone, "startTime")
    end, first = (_later(row, name, ts, selection) for name in ("endTime", "completionStartTime"))
    stream = first is not None and first != end
    return Record(
        key=claimed_key(f"litellm:{identity}"),
        ts=ts,
        counts=counts,
        tenant_id=next(filter(None, (_said(row, metadata, name) for name in tenants)), ""),
        operation=operation,
        token_type=token_type,
        provider=provider,
        request_model=model,
        response_id=identity,
        endpoint=endpoint,
        operation_id=text(row.get("session_id")),
        ended="error" if failed else "complete",
        error_type=text(nested(metadata.get("error_information")).get("error_class")),
        duration_ns=end,
        time_to_first_chunk_ns=first if stream else None,
        stream=stream,
        metadata=_kept(row, metadata),
    )


def _later(row: Mapping[str, Any], name: str, ts: int, selection: Selection) -> int | None:
    """Returns how long after the start a time is; None where the row does not state it."""
    value = row.get(name)
    return max(time_ns(value, selection.zone, name) - ts, 0) if text(value) else None


def _kind(call_type: str) -> str:
    word = call_type.strip("_").lower()
    return word[1:] if word[:1] == "a" and word[1:] in _ENDPOINTS else word.removeprefix("_a")


def _provider_and_model(row: Mapping[str, Any]) -> tuple[str, str]:
    """Returns the provider, which older rows state in front of the model alone (`ollama/qwen3`), and the model without it."""
    model, given = text(row.get("model")), text(row.get("custom_llm_provider"))
    before, slash, rest = model.partition("/")
    if slash and (before == given or (not given and before in _KNOWN)):
        return provider_name(before, (API.names,)), rest
    return provider_name(given, (API.names,)), model


def _counts(row: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, int | None]:
    usage = nested(metadata.get("usage_object")) or nested(metadata.get("additional_usage_values"))
    given, answered = (nested(usage.get(f"{half}_tokens_details")) for half in ("prompt", "completion"))
    said: dict[str, Any] = {
        "input_tokens": row.get("prompt_tokens"),
        "output_tokens": row.get("completion_tokens"),
        "cache_read_tokens": _first(usage.get("cache_read_input_tokens"), given.get("cached_tokens")),
        "cache_write_tokens": _first(usage.get("cache_creation_input_tokens"), given.get("cache_creation_tokens")),
        "cache_write_1h_tokens": nested(given.get("cache_creation_token_details")).get("ephemeral_1h_input_tokens"),
        "reasoning_tokens": answered.get("reasoning_tokens"),
        "audio_input_tokens": given.get("audio_tokens"),
        "audio_output_tokens": answered.get("audio_tokens"),
        "image_input_tokens": given.get("image_tokens"),
        "image_output_tokens": answered.get("image_tokens"),
    }
    return {name: whole(value, name) for name, value in said.items()}


def _first(*values: Any) -> Any:
    """Returns the first value that states something: 0 is the default of LiteLLM where another field has the number."""
    return next((value for value in values if value), next((value for value in values if value is not None), None))


def _said(row: Mapping[str, Any], metadata: Mapping[str, Any], name: str) -> str:
    return text(metadata.get(_ALIASES[name]) if name in _ALIASES else row.get(name))


def _kept(row: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what is kept beside the columns: who, and how LiteLLM has priced the call. No address, no content."""
    kept: dict[str, Any] = {name: _said(row, metadata, name) for name in ("team_alias", "key_alias", "user", "end_user", "model_group")}
    kept["tags"] = [tag for tag in nested_list(row.get("request_tags")) if isinstance(tag, str) and not tag.startswith("User-Agent:")]
    kept["litellm_spend_usd"] = text(row.get("spend"))
    return {name: value for name, value in kept.items() if value}
