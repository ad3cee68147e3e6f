"""The attribution as a text, for the tasks of a queue, threads and other processes.

The text is JSON under one key of a carrier, which is any mapping of texts: the headers of a message, the options of a job. Unlike baggage, which goes
to other services, a carrier holds the whole attribution: tenant, operation, operation id, metadata, budgets. `spent` of a block in another process
does not grow: the ledger adds up.
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

from tokentrail.attribution import Attribution, attribution
from tokentrail.frames import passed_over
from tokentrail.idempotency import shorten
from tokentrail.propagation import baggage
from tokentrail.recording.runtime import internal_error
from tokentrail.tracking.values import instrument_once, watch
from tokentrail.tracking.wrapping import enter, leave

__all__ = ["KEY", "arrived", "carried_in", "carry", "extracted", "inject", "text_of"]

KEY: Final = "tokentrail"
MAX_CHARS: Final = 64 * 1024
F = TypeVar("F", bound=Callable[..., Any])


def inject(carrier: MutableMapping[str, Any]) -> None:
    """Writes the attribution in force into a carrier, under the key `tokentrail`. Without an attribution the carrier stays as it is; never raises."""
    text = text_of(attribution.get())
    if text:
        try:
            carrier[KEY] = text
        except Exception as error:
            internal_error("propagation.inject", error)


@contextmanager
def extracted(carrier: Mapping[str, Any] | None) -> Iterator[None]:
    """Puts the attribution of a carrier in force for a block.

    Without the key `tokentrail`, tenant and operation id of W3C baggage count: of the carrier's `baggage`, else of OpenTelemetry's context, where an
    instrumentation of the queue has extracted it. A carrier with neither, or whose text cannot be read, changes nothing; the block runs in any case.
    """
    block = carried_in(carrier)
    if block is None:
        yield
        return
    instrument_once()
    entered = enter(block)
    try:
        yield
    finally:
        leave(entered)


def carry(function: F) -> F:
    """Returns the function with the attribution in force now, for a thread or a process of one's own.

    The result can be pickled if the function can. Usages in this process are added to the `spent` of the block that is in force now. Without an
    attribution the function itself is returned.
    """
    block = attribution.get()
    return function if block is None else _carried(function, block)


class _Carried:
    """A function, and the attribution under which the function runs."""

    def __init__(self, function: Callable[..., Any], block: Attribution) -> None:
        with suppress(Exception):  # a callable whose attributes raise
            functools.update_wrapper(self, function)
        self._function, self._block = function, block

    @passed_over
    def __call__(self, *args: Any, **keywords: Any) -> Any:
        entered = enter(self._block)
        try:
            return self._function(*args, **keywords)
        finally:
            leave(entered)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return arrived, (self._function, text_of(self._block))


class _CarriedCoroutine(_Carried):
    """A coroutine function, and the attribution under which its coroutines run: frameworks ask whether `__call__` is a coroutine function."""

    @passed_over
    async def __call__(self, *args: Any, **keywords: Any) -> Any:
        entered = enter(self._block)
        try:
            return await self._function(*args, **keywords)
        finally:
            leave(entered)


def _carried(function: Any, block: Attribution) -> Any:
    kind: type[_Carried] = _Carried
    with suppress(Exception):  # same
        kind = _CarriedCoroutine if inspect.iscoroutinefunction(function) else _Carried
    return kind(function, block)


def arrived(function: Callable[..., Any], text: str) -> Callable[..., Any]:
    """Returns a function that another process carried here, with its attribution: how the result of `carry` is unpickled."""
    instrument_once()
    carried: Callable[..., Any] = _carried(function, _read(text) or Attribution())
    return carried


def text_of(block: Attribution | None) -> str:
    """Returns an attribution as JSON; "" for none, and for one without values."""
    if block is None:
        return ""
    values = {
        "tenant_id": block.tenant_id,
        "operation": block.operation,
        "operation_id": block.operation_id,
        "metadata": block.metadata,
        "metadata_cut": block.metadata_cut,
        "budgets": dict(block.budgets or {}),
    }
    stated = {name: value for name, value in values.items() if value}
    return json.dumps(stated, ensure_ascii=False, separators=(",", ":")) if stated else ""


def carried_in(carrier: Mapping[str, Any] | None) -> Attribution | None:
    """Returns the attribution of a carrier as `extracted` finds it; None if there is none."""
    try:
        text = (carrier or {}).get(KEY)
        if text:
            return _read(text.decode() if isinstance(text, bytes) else text)
        tenant_id, operation_id = baggage.read(str((carrier or {}).get(baggage.HEADER) or ""))
        if not tenant_id and not operation_id:
            tenant_id, operation_id = _of_opentelemetry()
        return Attribution(tenant_id=tenant_id, operation_id=operation_id, parent=attribution.get()) if tenant_id or operation_id else None
    except Exception as error:
        internal_error("propagation.extracted", error)
        return None


def _of_opentelemetry() -> tuple[str, str]:
    from opentelemetry import baggage as opentelemetry_baggage  # noqa: PLC0415 - half of the time of importing this module

    tenant_id, operation_id = map(opentelemetry_baggage.get_baggage, (baggage.TENANT_ID, baggage.OPERATION_ID))
    return shorten(str(tenant_id or "")), shorten(str(operation_id or ""))


def _read(text: str) -> Attribution | None:
    """Returns the attribution of a text. Raises `ValueError` or `TypeError` for a text that is none."""
    if not text:
        return None
    if len(text) > MAX_CHARS:
        raise ValueError(f"an attribution of {len(text)} characters")
    values = json.loads(text)
    texts = {name: values.get(name, "") for name in ("tenant_id", "operation", "operation_id", "metadata")}
    budgets = values.get("budgets") or {}
    if not all(isinstance(value, str) for value in (*texts.values(), *budgets, *budgets.values())):
        raise TypeError("a value of the attribution is no text")
    if texts["metadata"]:
        json.loads(texts["metadata"])
    short = {name: shorten(value) for name, value in texts.items() if name != "metadata"}
    if budgets:
        watch(budgets)
    return Attribution(
        **short, metadata=texts["metadata"], metadata_cut=values.get("metadata_cut") is True, budgets=budgets or None, parent=attribution.get()
    )
