"""`track_tokens` says who spends; `track_token_usage` records a usage by hand."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, overload

from tokentrail import ledger, recorder, settings
from tokentrail.attribution import Attribution, Spent, attribution
from tokentrail.idempotency import Key, bounded, claimed_key, digest, key_prefix
from tokentrail.models import model_family
from tokentrail.steps import Entered, attributed, begin, end, enter, leave
from tokentrail.usage import Usage
from tokentrail.vocabulary import Ended, KeyKind, Operation, Source, TokenType, parse_operation, parse_token_type

__all__ = ["track_token_usage", "track_tokens"]

P = ParamSpec("P")
R = TypeVar("R")

OperationLike = Operation | str
MAX_METADATA_BYTES = 16 * 1024


def metadata_text(metadata: Mapping[str, Any] | None) -> tuple[str, bool]:
    """Metadata as a JSON object, and whether it was cut: beyond 16 KiB the largest values are left out. Values that JSON lacks become text."""
    if not metadata:
        return "", False
    text = json.dumps(dict(metadata), default=str, ensure_ascii=False, skipkeys=True)
    if len(text.encode("utf-8", "replace")) <= MAX_METADATA_BYTES:
        return text, False
    kept: dict[str, Any] = {}
    room = MAX_METADATA_BYTES
    sized = sorted(
        (len(json.dumps({str(name): value}, default=str, ensure_ascii=False).encode("utf-8", "replace")), str(name))
        for name, value in metadata.items()
    )
    for size, name in sized:
        if size > room:
            break
        room -= size
        kept[name] = metadata[name]
    return json.dumps(kept, default=str, ensure_ascii=False), True


class track_tokens:  # noqa: N801 - reads as a verb wherever it is used: decorator, context manager, async context manager
    """Attribute what is spent inside: `@track_tokens`, `@track_tokens(operation=…)`, `with track_tokens("chat") as spent`.

    Decorates functions, coroutine functions, generators and async generators; what they look like from outside does not change. On a decorated
    function `tenant_id`, `operation`, `operation_id` and `metadata` may be callables of its arguments; one that fails at call time is counted and
    logged, and the call goes on without. A wrong literal raises `ValueError` right here. What is left out is inherited from the block around it.

    As a context manager it yields `Spent`, the running totals. `tenant_id` is text of up to 256 characters (longer ones keep their head and a hash).
    The first use arms the hooks of all installed provider SDKs.
    """

    def __new__(cls, operation: Any = None, /, **_keywords: Any) -> Any:
        """`@track_tokens` without parentheses gets the function itself."""
        self = super().__new__(cls)
        if callable(operation) and not isinstance(operation, type) and not _keywords and not isinstance(operation, str):
            self.__init__()  # type: ignore[misc] # the instance is not returned, so Python does not call it
            return self(operation)
        return self

    def __init__(
        self,
        operation: OperationLike | Callable[..., OperationLike] | None = None,
        /,
        *,
        tenant_id: str | Callable[..., str] | None = None,
        operation_id: str | Callable[..., str] | None = None,
        metadata: Mapping[str, Any] | Callable[..., Mapping[str, Any]] | None = None,
        **keywords: Any,
    ) -> None:
        given = keywords.pop("operation", operation)
        if keywords:
            raise TypeError(f"track_tokens has no argument {', '.join(sorted(keywords))}: it takes operation, tenant_id, operation_id, metadata")
        self._operation = given if given is None or callable(given) else parse_operation(given).value
        if tenant_id is not None and not callable(tenant_id) and not isinstance(tenant_id, str):
            raise TypeError(f"tenant_id is a text or a function of the arguments, not {type(tenant_id).__name__}")
        self._tenant_id = tenant_id
        self._operation_id = operation_id
        self._metadata = metadata if metadata is None or callable(metadata) else metadata_text(metadata)[0]
        self._open: list[tuple[Attribution, Entered]] = []

    def _block(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> Attribution:
        """The attribution of one call; what a callable gets wrong is left out."""

        def value(given: Any, read: Callable[[Any], str]) -> str:
            if given is None or isinstance(given, str):
                return given or ""
            try:
                return read(given(*args, **keywords))
            except Exception as error:
                ledger.internal_error("track_tokens: a callable for the attribution", error)
                return ""

        return Attribution(
            tenant_id=value(self._tenant_id, str),
            operation=value(self._operation, _operation_text),
            operation_id=value(self._operation_id, str),
            metadata=value(self._metadata, lambda found: metadata_text(found)[0]),
            parent=attribution.get(),
        )

    @overload
    def __call__(self, function: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def __call__(self, function: Any, /) -> Any: ...
    def __call__(self, function: Any, /) -> Any:
        """Decorate a function."""
        _arm()
        return attributed(function, self._block)

    def __enter__(self) -> Spent:
        """Begin a block; its running totals."""
        _arm()
        block = self._block((), {})
        begin(block, f"track_tokens {block.operation}".rstrip())
        self._open.append((block, enter(block)))
        return block.spent

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """End the block."""
        block, entered = self._open.pop()
        leave(entered)
        end(block, error)

    async def __aenter__(self) -> Spent:
        """Begin a block in this task."""
        return self.__enter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """End the block."""
        self.__exit__(kind, error, traceback)


def _operation_text(found: Any) -> str:
    """A callable's operation: one outside the vocabulary is kept as it is given, and is `unknown` in ClickHouse's enum."""
    try:
        return parse_operation(found).value
    except ValueError:
        return bounded(str(found))


_armed = False


def _arm() -> None:
    """Patch the provider SDKs at the first use of the decorator; never raises."""
    global _armed  # noqa: PLW0603
    if _armed:
        return
    _armed = True
    try:
        if not settings.current().disabled:
            from tokentrail.instrumentation import instrument  # noqa: PLC0415 - wrapt comes with it

            instrument()
    except Exception as error:
        ledger.internal_error("instrument", error)


def _nanoseconds(name: str, given: datetime | int | None) -> int:
    if given is None:
        return time.time_ns()
    if isinstance(given, datetime):
        if given.tzinfo is None:
            raise ValueError(f"{name} is a datetime without a time zone: give datetime.now(timezone.utc) or nanoseconds as an int")
        return int(given.timestamp() * 1_000_000) * 1_000
    return int(given)


def _count(name: str, given: int | None) -> int | None:
    if given is not None and (isinstance(given, bool) or not isinstance(given, int)):
        raise TypeError(f"{name} is a number of tokens, an int or None for not stated, not {given!r}")
    return given


def track_token_usage(
    *,
    token_type: TokenType | str,
    operation: Operation | str,
    tenant_id: str = "",
    provider: str,
    model: str,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
    cache_read_tokens: int | None = None,
    cache_write_tokens: int | None = None,
    reasoning_tokens: int | None = None,
    source: Source | str = Source.REPORTED,
    idempotency_key: str | None = None,
    corrects_key: str = "",
    calls: int = 1,
    ended: Ended | str = Ended.COMPLETE,
    timestamp: datetime | int | None = None,
    duration: float | None = None,
    response_model: str = "",
    response_id: str = "",
    endpoint: str = "",
    operation_id: str = "",
    metadata: Mapping[str, Any] | None = None,
) -> str:
    """Record a usage by hand and return its idempotency key; it is in the journal when this returns.

    Totals hold their subsets: `input_tokens` includes cache reads and writes, `output_tokens` includes reasoning. `None` is "not stated".
    `source` says where the numbers come from (reported, estimated); a total that is `None` is unknown. `timestamp`: the call's start, an aware
    datetime or UTC nanoseconds; now by default. `duration` in seconds.

    Give `idempotency_key` where the same usage may be told more than once (retries, replays, a queue): it then counts once, whatever else differs.
    Without it every call of this function is a spend of its own. `corrects_key` makes this a correction of that record: signed `input_tokens`,
    `output_tokens` and `calls` (often 0) are added to the totals.

    Raises `ValueError` or `TypeError` for a wrong argument, where it is written. A journal that cannot be written never raises.
    """
    token_word = parse_token_type(token_type)
    operation_word = parse_operation(operation)
    given_source = Source(str(source))
    ts = _nanoseconds("timestamp", timestamp)
    block = attribution.get()
    tenant = tenant_id or (block.tenant_id if block else "") or settings.current().tenant_id
    key = _key(idempotency_key, corrects_key, operation_word, tenant, ts)
    text, cut = metadata_text(metadata)
    input_source = given_source.value if input_tokens is not None else "unknown"
    output_source = given_source.value if output_tokens is not None else "unknown"
    if token_word is not TokenType.LLM and output_tokens is None:
        output_source = input_source
    trace_id, span_id = recorder.current_span()
    recorder.record(
        Usage(
            key=key.text,
            key_kind=key.kind.value,
            key_time=key.time,
            ts=ts,
            tenant_id=bounded(tenant),
            operation=operation_word.value,
            token_type=token_word.value,
            operation_id=operation_id or (block.operation_id if block else ""),
            metadata=text or (block.metadata if block else ""),
            metadata_cut=cut,
            endpoint=endpoint,
            gen_ai_operation="embeddings" if token_word is TokenType.EMBEDDING else "chat",
            trace_id=trace_id,
            span_id=span_id,
            provider=provider,
            request_model=model,
            response_model=response_model,
            response_id=response_id,
            model_family=model_family(response_model or model),
            ended=Ended(str(ended)).value,
            calls=calls,
            duration_ns=None if duration is None else int(duration * 1e9),
            input_source=input_source,
            output_source=output_source,
            corrects_key=corrects_key,
            input_tokens=_count("input_tokens", input_tokens),
            output_tokens=_count("output_tokens", output_tokens),
            cache_read_tokens=_count("cache_read_tokens", cache_read_tokens),
            cache_write_tokens=_count("cache_write_tokens", cache_write_tokens),
            reasoning_tokens=_count("reasoning_tokens", reasoning_tokens),
        )
    )
    return key.text


def _key(idempotency_key: str | None, corrects_key: str, operation: Operation, tenant: str, ts: int) -> Key:
    if idempotency_key is not None:
        if not idempotency_key:
            raise ValueError("idempotency_key is empty: leave it out, or give a text")
        return claimed_key(idempotency_key)
    if corrects_key:
        # a correction is a record of its own: on the original's key it would replace it
        return claimed_key(f"correction:{digest([corrects_key, str(ts)])}")
    return Key(f"{key_prefix(operation.value, tenant)}{digest([], recorder.secret())}:{ts:019d}", KeyKind.AUTOMATIC, ts)
