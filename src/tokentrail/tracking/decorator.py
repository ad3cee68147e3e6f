"""`track_tokens`: attributes tokens to a tenant and an operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Literal, TypeAlias, TypeVar, get_args, overload

from tokentrail.attribution import Attribution, Spent, attribution, named_budgets
from tokentrail.idempotency import shorten
from tokentrail.process.forks import no_fork
from tokentrail.recording.runtime import current, internal_error
from tokentrail.tracking.metadata import metadata_text
from tokentrail.tracking.wrapping import Entered, begin, end, enter, leave, wrap
from tokentrail.vocabulary import OperationLike, parse_operation

__all__ = ["track_tokens"]

OverBudget: TypeAlias = Literal["warn", "raise"]
F = TypeVar("F", bound=Callable[..., Any])


class Tracking:
    """The result of `track_tokens(…)`: a decorator, a context manager and an async context manager, reusable and reentrant."""

    __slots__ = ("_callables", "_fixed", "entered")

    def __init__(
        self, operation: object, tenant_id: object, operation_id: object, metadata: object, budget: object = None, over_budget: object = None
    ) -> None:
        self.entered: dict[Attribution, Entered] = {}
        self._fixed: dict[str, Any] = {}
        budgets = _budgets(budget, over_budget)
        if budgets:
            self._fixed["budgets"] = budgets
        self._callables: list[tuple[str, Callable[..., Any], Callable[[Any], Any]]] = []
        arguments: tuple[tuple[str, Any, Callable[[Any], Any], Callable[[Any], Any]], ...] = (
            ("operation", operation, parse_operation, _operation_text),
            ("tenant_id", tenant_id, partial(_text, "tenant_id"), _any_text),
            ("operation_id", operation_id, partial(_text, "operation_id"), _any_text),
            ("metadata", metadata, metadata_text, metadata_text),
        )
        for name, given, literal, answer in arguments:
            if callable(given):
                self._callables.append((name, given, answer))
            elif given is not None:
                _set(self._fixed, name, literal(given))

    def _block(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> Attribution:
        """Returns the attribution of one call, without the values of callables that failed."""
        values = self._fixed
        if self._callables:
            values = dict(values)
            for name, ask, answer in self._callables:
                try:
                    _set(values, name, answer(ask(*args, **keywords)))
                except Exception as error:
                    internal_error(f"track_tokens: the callable for {name}", error)
        if "budgets" in values:
            _watch(values["budgets"])
        return Attribution(parent=attribution.get(), **values)

    def __call__(self, function: F, /) -> F:
        """Decorates a function. Raises `TypeError` for a class, or anything else that is no function."""
        if isinstance(function, type):
            raise TypeError(f"track_tokens decorates functions, not the class {function.__qualname__}: decorate its methods")
        if not callable(function) and not isinstance(function, (staticmethod, classmethod)):
            raise TypeError(f"track_tokens decorates functions, not {type(function).__name__}")
        _instrument_once()
        decorated: F = wrap(function, self._block)
        return decorated

    def __enter__(self) -> Spent:
        """Starts a block; returns the block's running totals."""
        _instrument_once()
        block = self._block((), {})
        begin(block, f"track_tokens {block.operation}".rstrip())
        self.entered[block] = enter(block)
        return block.spent

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Ends the innermost block of this instance in the current task or thread."""
        block = attribution.get()
        while block is not None and block not in self.entered:
            block = block.parent
        if block is None and self.entered:
            block = next(reversed(self.entered))  # the block was entered in another context
        entered = None if block is None else self.entered.pop(block, None)
        if block is not None and entered is not None:
            leave(entered)
            end(block, error)

    async def __aenter__(self) -> Spent:
        """Starts a block in this task."""
        return self.__enter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Ends the block."""
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
    budget: str | Sequence[str] | None = None,
    over_budget: OverBudget | None = None,
) -> Tracking: ...
@overload
def track_tokens(
    *,
    operation: OperationLike | Callable[..., OperationLike | None] | None = None,
    tenant_id: str | Callable[..., str | None] | None = None,
    operation_id: str | Callable[..., str | None] | None = None,
    metadata: Mapping[str, Any] | Callable[..., Mapping[str, Any] | None] | None = None,
    budget: str | Sequence[str] | None = None,
    over_budget: OverBudget | None = None,
) -> Tracking: ...
def track_tokens(
    function_or_operation: Any = None,
    /,
    *,
    operation: OperationLike | Callable[..., OperationLike | None] | None = None,
    tenant_id: str | Callable[..., str | None] | None = None,
    operation_id: str | Callable[..., str | None] | None = None,
    metadata: Mapping[str, Any] | Callable[..., Mapping[str, Any] | None] | None = None,
    budget: str | Sequence[str] | None = None,
    over_budget: OverBudget | None = None,
) -> Any:
    """Attributes the usages inside a function or a block.

        @track_tokens
        @track_tokens(operation="query", tenant_id=lambda question, user: user.org)
        with track_tokens("chat", tenant_id="acme") as spent: …

    Decorates functions, coroutine functions, generators and async generators, whose signature and kind do not change. On a decorated function
    `tenant_id`, `operation`, `operation_id` and `metadata` may be callables of the function's arguments (of a method: with `self`). An error in such
    a callable is counted and logged, and the call goes on without the value. A wrong literal raises `ValueError` or `TypeError` at once. Values that
    are left out or empty are inherited from the enclosing block.

    A generator that the function returns stays attributed while the generator is read, and so does the body of a streaming response of starlette,
    FastAPI, flask or werkzeug.

    The context manager yields `Spent`, the running totals. `tenant_id` is text of up to 256 characters (a longer text keeps its head and a hash).
    The first use installs the hooks of all installed provider SDKs.

    `budget` names budgets (`tokentrail budgets set`), of this block and those inside. With the setting `budget_dsn`, a call inside logs a warning, at
    most once a minute, while one of them is spent; with `over_budget="raise"` it raises `BudgetExceeded` and asks no provider. What is spent is known
    from a thread's last answer (settings `budget_interval`, `budget_max_age`); no call waits for one, and nothing is held before the first.
    """
    first = function_or_operation
    if callable(first) or isinstance(first, (staticmethod, classmethod)):
        if any(given is not None for given in (operation, tenant_id, operation_id, metadata, budget, over_budget)):
            raise TypeError("track_tokens takes a function alone, as @track_tokens; with more it is @track_tokens(operation=…, tenant_id=…)")
        return Tracking(None, None, None, None)(first)
    if first is not None and operation is not None:
        raise TypeError("track_tokens got two operations: give it first, or as operation=")
    return Tracking(operation if first is None else first, tenant_id, operation_id, metadata, budget, over_budget)


def _set(values: dict[str, Any], name: str, value: Any) -> None:
    if name == "metadata":
        values["metadata"], values["metadata_cut"] = value
    else:
        values[name] = str(value)


def _text(name: str, given: Any) -> str:
    if not isinstance(given, str):
        raise TypeError(f"{name} is a text or a function of the arguments, not {type(given).__name__}")
    return shorten(given)


def _budgets(budget: Any, over: Any) -> dict[str, str]:
    """Returns what is to be done where a budget is spent, by name. Raises `TypeError` or `ValueError` for what is no name or no such action."""
    if over not in (None, *get_args(OverBudget)):
        raise ValueError(f"over_budget is {over!r}: write 'warn' or 'raise'")
    if budget is None:
        if over is not None:
            raise TypeError("over_budget needs budget, the name of one")
        return {}
    names = [budget] if isinstance(budget, str) else budget
    if not isinstance(names, (list, tuple)) or not names or not all(isinstance(name, str) and name for name in names):
        raise TypeError(f"budget is the name of a budget, or a list of names, not {budget!r}")
    return dict.fromkeys(names, over or "warn")


def _watch(budgets: Mapping[str, str]) -> None:
    try:
        with no_fork():
            from tokentrail.budgets.guard import guard  # noqa: PLC0415 - a service without budgets needs no guard

        guard.watch(budgets)
        named_budgets.update(budgets)
    except Exception as error:
        internal_error("budgets", error)


def _any_text(found: Any) -> str:
    return "" if found is None else shorten(str(found))


def _operation_text(found: Any) -> str:
    """Returns the operation of a callable: a word outside the vocabulary is kept unchanged, and is `unknown` in ClickHouse's enum."""
    try:
        return "" if found is None else parse_operation(found).value
    except ValueError:
        return shorten(str(found))


def _instrument_once() -> None:
    """Patches the provider SDKs at the first use of the decorator; never raises."""
    runtime = current.runtime
    if runtime.armed or runtime.settings.disabled:
        return
    try:
        with no_fork():
            from tokentrail.instrumentation.registry import instrument  # noqa: PLC0415 - imports wrapt too

        instrument()
    except Exception as error:
        internal_error("instrument", error)
    runtime.armed = True  # only now: a child forked meanwhile, and another thread's first call, would otherwise go on without hooks
