"""Reads a span's or an event's attributes as a usage. What is malformed is not stated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from tokentrail import semconv
from tokentrail.attribution import Attribution
from tokentrail.bridge import names
from tokentrail.bridge.tellings import Telling
from tokentrail.idempotency import Key, shorten
from tokentrail.instrumentation.contract import Answer, Request
from tokentrail.recording.assemble import assemble
from tokentrail.settings import Settings
from tokentrail.usage import Usage
from tokentrail.vocabulary import Operation, Origin

__all__ = ["states_call", "telling_of", "usage_of"]

Attributes = Mapping[str, Any]

MOST: Final = 10**12
"""A count beyond a trillion is malformed, as in the ledger."""
MOST_CHARS: Final = 512
PORTS: Final = range(65_536)


def states_call(attributes: Attributes) -> bool:
    """Whether the attributes state tokens of a call: not those of an agent, a chain or a tool, and not those of a record of tokentrail."""
    if semconv.EVENT in attributes or _operation(attributes) in names.NO_CALLS:
        return False
    if any(attributes.get(kind, names.CALLS[0]) not in names.CALLS for kind in names.KIND_NAMES):
        return False
    return _count(attributes, "input_tokens") is not None or _count(attributes, "output_tokens") is not None


def telling_of(attributes: Attributes, teller: str) -> Telling:
    """Returns what the attributes say by which a call can be recognized."""
    models = tuple(filter(None, (_text(attributes, "request_model"), _text(attributes, "response_model"))))
    return Telling(teller, _text(attributes, "response_id"), models, (_count(attributes, "input_tokens"), _count(attributes, "output_tokens")))


def usage_of(
    attributes: Attributes,
    block: Attribution | None,
    settings: Settings,
    *,
    key: Key,
    scope: str,
    ts: int,
    trace_id: int,
    span_id: int,
    duration_ns: int | None = None,
    failed: bool = False,
) -> Usage:
    """Builds the usage that the attributes state. Tenant and operation: the attributes', else the block's, else the settings'."""
    operation = _operation(attributes)
    provider = _text(attributes, "provider")
    port = attributes.get(semconv.SERVER_PORT)
    request = Request(
        provider=names.PROVIDERS.get(provider.lower(), provider.lower()),
        endpoint=operation,
        gen_ai_operation=operation,
        token_type="embedding" if operation == names.EMBEDDINGS else "llm",
        model=_text(attributes, "request_model"),
        stream=any(attributes.get(name) is True for name in names.FIELDS["stream"]),
        server_address=_text(attributes, "server_address"),
        server_port=port if type(port) is int and port in PORTS else 0,
    )
    counts: dict[str, Any] = {count: _count(attributes, count) for count in names.COUNTS}
    answer = Answer(model=_text(attributes, "response_model"), response_id=_text(attributes, "response_id"), **counts)
    purpose = _text(attributes, "operation") or (block and block.operation) or settings.operations.get(operation) or Operation.CHAT.value
    error_type = _text(attributes, "error_type")
    usage = assemble(
        request,
        answer,
        block,
        key=key.text,
        key_kind=key.kind.value,
        key_time=key.time,
        ts=ts,
        tenant_id=_text(attributes, "tenant_id") or (block and block.tenant_id) or settings.tenant_id,
        operation=purpose,
        operation_id=_text(attributes, "operation_id"),
        ended="error" if failed or error_type else "complete",
        error_type=error_type,
        duration_ns=duration_ns,
        trace_id=trace_id,
        span_id=span_id,
        measured=False,
    )
    return replace(usage, origin=Origin.BRIDGED.value, instrumentation=shorten(scope))


def _operation(attributes: Attributes) -> str:
    word = _text(attributes, "gen_ai_operation").lower()
    return names.OPERATIONS.get(word, word)


def _text(attributes: Attributes, field: str) -> str:
    """Returns the first stated text of a field, shortened; empty if there is none."""
    for name in names.FIELDS[field]:
        value = attributes.get(name)
        if isinstance(value, str) and value not in names.UNSTATED:
            return shorten(value, MOST_CHARS)
    return ""


def _count(attributes: Attributes, count: str) -> int | None:
    """Returns the first stated number of a count; None if there is none, or if the number is malformed."""
    for name in names.COUNTS[count]:
        value = attributes.get(name)
        if value is None:
            continue
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return value if type(value) is int and 0 <= value <= MOST else None
    return None
