"""Langfuse's observations: its API's pages, an export of its interface, and its files in blob storage (observations, observations_v2).

Read in its source (ingestion/types.ts, observations_converters.ts, observation-stream.ts) and its field reference. `usage_details` are parts that
Langfuse adds up: it takes cached tokens out of the `input` of OpenAI's usages, and reasoning out of their `output`. So a total here is the sum of the
parts of its side, unless `total` says that `input` and `output` alone are the totals. Older exports have totals: `usage`, or `promptTokens`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from tokentrail.bridge import names
from tokentrail.compat.own_names import provider_name
from tokentrail.idempotency import claimed_key, escape
from tokentrail.importing.record import NotTaken, Record
from tokentrail.importing.selection import Selection, taken
from tokentrail.importing.values import nested, nested_list, text, time_ns, whole
from tokentrail.integrations.litellm import API

__all__ = ["TENANTS", "records"]

TENANTS: Final = ("user_id", "session_id", "environment", "trace_name", "project_id")
"""The fields that may be the tenant, beside `metadata.NAME`."""

CALLS: Final = {"GENERATION": ("chat", "llm"), "EMBEDDING": ("vector_search", "embedding")}
"""Operation and token type of the types that are calls. The counts of an agent, a chain or a span are those of the calls below it."""
TOTALS: Final = (("promptTokens", "completionTokens"), ("prompt_tokens", "completion_tokens"), ("inputUsage", "outputUsage"))
OUTPUT: Final = ("output", "completion", "reasoning")
INPUT: Final = ("input", "prompt", "cache")
_PROVIDERS: Final = (*names.FIELDS["provider"], "ls_provider", "provider")


def records(rows: Iterable[Mapping[str, Any]], selection: Selection, tenants: Sequence[str] = ("user_id",)) -> Iterator[Record | NotTaken]:
    """Yields a record of each observation. `tenants`: the fields that are the tenant, of which the first one that is stated counts."""
    return taken(partial(_record, selection=selection, tenants=tenants), rows)


def _record(row: Mapping[str, Any], selection: Selection, tenants: Sequence[str]) -> Record:
    identity, kind = text(row.get("id")), text(row.get("type")).upper()
    if not identity or not kind:
        raise NotTaken("no observation of Langfuse: id or type is missing", fault=True)
    if kind not in CALLS:
        raise NotTaken(f"no call of a model: {kind.lower()}")
    operation, token_type = CALLS[kind]
    metadata = nested(row.get("metadata"))
    start, end, first = (_time(row, name, selection) for name in ("start_time", "end_time", "completion_start_time"))
    ts = time_ns(_get(row, "start_time"), selection.zone, "start_time") if start is None else start
    failed = text(row.get("level")).upper() == "ERROR"
    counts = _counts(row)
    if all(value is None for value in counts.values()) and not failed:
        raise NotTaken("states no tokens")
    trace, span = text(_get(row, "trace_id")), identity
    model = text(_get(row, "provided_model_name") or row.get("model"))
    provided = _get(row, "provided_usage_details")
    return Record(
        key=claimed_key(f"langfuse:{escape(trace)}:{escape(identity)}"),
        ts=ts,
        counts=counts,
        tenant_id=next(filter(None, (_tenant(row, metadata, name) for name in tenants)), ""),
        operation=operation,
        token_type=token_type,
        provider=_provider(metadata),
        request_model=model,
        operation_id=text(_get(row, "session_id")),
        ended="error" if failed else "complete",
        source="estimated" if provided is not None and not nested(provided) else "reported",  # Langfuse's own tokenizer
        duration_ns=end - ts if end is not None and end >= ts else None,
        time_to_first_chunk_ns=first - ts if first is not None and first >= ts else None,
        stream=first is not None,
        trace_id=_hex(trace, 32),
        span_id=_hex(span, 16),
        metadata=_kept(row),
    )


def _get(row: Mapping[str, Any], name: str) -> Any:
    """Returns a field, under its name in blob storage or in the API: `start_time`, `startTime`. Empty is not stated."""
    if row.get(name) not in (None, ""):
        return row[name]
    first, *rest = name.split("_")
    return row.get(first + "".join(map(str.capitalize, rest)))


def _time(row: Mapping[str, Any], name: str, selection: Selection) -> int | None:
    value = _get(row, name)
    return time_ns(value, selection.zone, name) if text(value) else None


def _counts(row: Mapping[str, Any]) -> dict[str, int | None]:
    details = {name: whole(value, name) for name, value in nested(_get(row, "usage_details")).items()}
    if any(details.values()):
        return _of_parts({name: value for name, value in details.items() if value is not None})
    usage = nested(row.get("usage"))
    unit = text(usage.get("unit")).lower()
    if unit not in ("", "tokens"):
        raise NotTaken(f"counts {unit}, no tokens")
    for said, given, answered in ((usage, "input", "output"), *((said, *words) for said in (usage, row) for words in TOTALS)):
        found = {"input_tokens": whole(said.get(given), given), "output_tokens": whole(said.get(answered), answered)}
        if any(found.values()):
            return found
    return {}


def _of_parts(details: Mapping[str, int]) -> dict[str, int | None]:
    sides: dict[str, dict[str, int]] = {"input": {}, "output": {}}
    for name, value in details.items():
        word = name.lower()
        side = "output" if any(part in word for part in OUTPUT) else "input" if any(part in word for part in INPUT) else ""
        if side:
            sides[side][word] = value
    totals = {side: sum(parts.values()) for side, parts in sides.items()}
    alone = {side: parts[side] for side, parts in sides.items() if side in parts}
    if details.get("total") == sum(alone.values()) != sum(totals.values()):
        totals |= alone
    found: dict[str, int | None] = {f"{side}_tokens": totals[side] if parts else None for side, parts in sides.items()}
    for side, parts in sides.items():
        for word, value in parts.items():
            for subset in _subsets(word, side):
                found[subset] = (found.get(subset) or 0) + value
    return found


def _subsets(word: str, side: str) -> Iterator[str]:
    """Yields the counts that a part is, beside being a part of its side's total."""
    if side == "input" and ("creation" in word or "write" in word):
        yield "cache_write_tokens"
        if "1h" in word:
            yield "cache_write_1h_tokens"
    elif side == "input" and "cache" in word:
        yield "cache_read_tokens"
    elif "reasoning" in word:
        yield "reasoning_tokens"
    elif "audio" in word or "image" in word:
        yield f"{'audio' if 'audio' in word else 'image'}_{side}_tokens"


def _provider(metadata: Mapping[str, Any]) -> str:
    """Returns who answered, where the metadata tell: Langfuse itself does not."""
    places = (metadata, nested(metadata.get("attributes")))
    said = next(filter(None, (text(place.get(name)) for place in places for name in _PROVIDERS)), "")
    return provider_name(said, (API.names,))


def _tenant(row: Mapping[str, Any], metadata: Mapping[str, Any], name: str) -> str:
    if name.startswith("metadata."):
        return text(metadata.get(name.removeprefix("metadata.")))
    return text(_get(row, name))


def _hex(value: str, digits: int) -> int:
    try:
        return int(value, 16) if len(value) == digits else 0
    except ValueError:
        return 0


def _kept(row: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what is kept beside the columns: names that the team has given. No metadata, which may hold content."""
    kept: dict[str, Any] = {name: text(_get(row, name)) for name in ("name", "trace_name", "user_id", "environment", "version", "prompt_name")}
    kept["tags"] = [tag for tag in nested_list(_get(row, "trace_tags") or row.get("tags")) if isinstance(tag, str)]
    kept["langfuse_cost_usd"] = text(_get(row, "total_cost"))
    return {name: value for name, value in kept.items() if value}
