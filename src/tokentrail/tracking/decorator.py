"""`track_tokens`: who spends the tokens, and what for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import TracebackType
from typing import Any, TypeVar, overload

from tokentrail.attribution import Attribution, Spent, attribution
from tokentrail.idempotency import bounded
from tokentrail.process.forks import no_fork
from tokentrail.recording.runtime import current, internal_error
from tokentrail.tracking.metadata import metadata_text
from tokentrail.tracking.wrapping import Entered, attributed, begin, end, enter, leave
from tokentrail.vocabulary import OperationLike, parse_operation

__all__ = ["track_tokens"]

F = TypeVar("F", bound=Callable[..., Any])


class Tracking:
    """What `track_tokens(…)` gives: a decorator, a context manager and an async context manager, which may be used any number of times at once."""

    __slots__ = ("_asked", "_open", "_said")

    def __init__(self, operation: object, tenant_id: object, operation_id: object, metadata: object) -> None:
        self._open: dict[Attribution, Entered] = {}
        self._said: dict[str, Any] = {}
        self._asked: list[tuple[str, Callable[..., Any], Callable[[Any], Any]]] = []
        arguments: tuple[tuple[str, Any, Callable[[Any], Any], Callable[[Any], Any]], ...] = (
            ("operation", operation, parse_operation, _operation_text),
            ("tenant_id", tenant_id, partial(_text, "tenant_id"), _any_text),
            ("operation_id", operation_id, partial(_text, "operation_id"), _any_text),
            ("metadata", metadata, metadata_text, metadata_text),
        )
        for name, given, literal, answer in arguments:
            if callable(given):
                self._asked.append((name, given, answer))
            elif given is not None:
                _say(self._said, name, literal(given))

    def _block(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> Attribution:
        """The attribution of one call; what a callable gets wrong is left out."""
        said = self._said
        if self._asked:
            said = dict(said)
            for name, ask, answer in self._asked:
                try:
                    _say(said, name, answer(ask(*args, **keywords)))
                except Exception as error:
                    internal_error(f"track_tokens: the callable for {name}", error)
        return Attribution(parent=attribution.get(), **said)

    def __call__(self, function: F, /) -> F:
        """Decorate a function. Raises `TypeError` for a class, or anything else that is no function."""
        if isinstance(function, type):
            raise TypeError(f"track_tokens decorates functions, not the class {function.__qualname__}: decorate its methods")
        if not callable(function) and not isinstance(function, (staticmethod, classmethod)):
            raise TypeError(f"track_tokens decorates functions, not {type(function).__name__}")
        _arm()
        decorated: F = attributed(function, self._block)
        return decorated

    def __enter__(self) -> Spent:
        """Begin a block; its running totals."""
        _arm()
        block = self._block((), {})
        begin(block, f"track_tokens {block.operation}".rstrip())
        self._open[block] = enter(block)
        return block.spent

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """End the block: this task's or thread's innermost one of this instance."""
        block = attribution.get()
        while block is not None and block not in self._open:
            block = block.parent
        if block is None and self._open:
            block = next(reversed(self._open))  # it is left in another context than it was entered in
        entered = None if block is None else self._open.pop(block, None)
        if block is not None and entered is not None:
            leave(entered)
            end(block, error)

    async def __aenter__(self) -> Spent:
        """Begin a block in this task."""
        return self.__enter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """End the block."""
        self.__exit__(kind, error, traceback)


@overload
def track_tokens(function: F, /) -> F: ...
@overload
def track_tokens(
    operation: OperationLike | None = None,
    /,
    *,
    tenant_id: str | Callable[..., str | None] | None = None,
    operation_id: str | Callable[..., str | None] | None = None,
    metadata: Mapping[str, Any] | Callable[..., Mapping[str, Any] | None] | None = None,
) -> Tracking: ...
@overload
def track_tokens(
    *,
    operation: OperationLike | Callable[..., OperationLike | None] | None = None,
    tenant_id: str | Callable[..., str | None] | None = None,
    operation_id: str | Callable[..., str | None] | None = None,
    metadata: Mapping[str, Any] | Callable[..., Mapping[str, Any] | None] | None = None,
) -> Tracking: ...
def track_tokens(
    function_or_operation: Any = None,
    /,
    *,
    operation: OperationLike | Callable[..., OperationLike | None] | None = None,
    tenant_id: str | Callable[..., str | None] | None = None,
    operation_id: str | Callable[..., str | None] | None = None,
    metadata: Mapping[str, Any] | Callable[..., Mapping[str, Any] | None] | None = None,
) -> Any:
    """Attribute what is spent inside a function or a block.

        @track_tokens
        @track_tokens(operation="query", tenant_id=lambda question, user: user.org)
        with track_tokens("chat", tenant_id="acme") as spent: …

    Decorates functions, coroutine functions, generators and async generators; what they look like from outside does not change. On a decorated
    function `tenant_id`, `operation`, `operation_id` and `metadata` may be callables of its arguments (of a method: with `self`); one that fails at
    call time is counted and logged, and the call goes on without. A wrong literal raises `ValueError` or `TypeError` right here. What is left out,
    or empty, is inherited from the block around it.

    A generator that the function returns stays attributed while it is read, and so does the body of a streaming response of starlette, FastAPI,
    flask or werkzeug.

    As a context manager it yields `Spent`, the running totals. `tenant_id` is text of up to 256 characters (longer ones keep their head and a hash).
    The first use arms the hooks of all installed provider SDKs.
    """
    first = function_or_operation
    if callable(first) or isinstance(first, (staticmethod, classmethod)):
        if any(given is not None for given in (operation, tenant_id, operation_id, metadata)):
            raise TypeError("track_tokens takes a function alone, as @track_tokens; with more it is @track_tokens(operation=…, tenant_id=…)")
        return Tracking(None, None, None, None)(first)
    if first is not None and operation is not None:
        raise TypeError("track_tokens got two operations: give it first, or as operation=")
    return Tracking(operation if first is None else first, tenant_id, operation_id, metadata)


def _say(said: dict[str, Any], name: str, value: Any) -> None:
    if name == "metadata":
        said["metadata"], said["metadata_cut"] = value
    else:
        said[name] = str(value)


def _text(name: str, given: Any) -> str:
    if not isinstance(given, str):
        raise TypeError(f"{name} is a text or a function of the arguments, not {type(given).__name__}")
    return bounded(given)


def _any_text(found: Any) -> str:
    return "" if found is None else bounded(str(found))


def _operation_text(found: Any) -> str:
    """A callable's operation: one outside the vocabulary is kept as it is given, and is `unknown` in ClickHouse's enum."""
    try:
        return "" if found is None else parse_operation(found).value
    except ValueError:
        return bounded(str(found))


def _arm() -> None:
    """Patch the provider SDKs at the first use of the decorator; never raises."""
    runtime = current.runtime
    if runtime.armed or runtime.settings.disabled:
        return
    try:
        with no_fork():
            from tokentrail.instrumentation import instrument  # noqa: PLC0415 - wrapt comes with it

        instrument()
    except Exception as error:
        internal_error("instrument", error)
    runtime.armed = True  # not before: a child forked meanwhile, and another thread's first call, would go on without hooks
