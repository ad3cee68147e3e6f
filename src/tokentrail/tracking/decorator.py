"""`track_tokens`: attributes tokens to a tenant and an operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar, overload

from tokentrail.attribution import Attribution, Spent, attribution
from tokentrail.tracking.values import OverBudget, Values, instrument_once
from tokentrail.tracking.wrapping import Entered, begin, end, enter, leave, wrap
from tokentrail.vocabulary import OperationLike

__all__ = ["track_tokens"]

F = TypeVar("F", bound=Callable[..., Any])


class Tracking:
    """The result of `track_tokens(…)`: a decorator, a context manager and an async context manager, reusable and reentrant."""

    __slots__ = ("_values", "entered")

    def __init__(self, values: Values) -> None:
        self.entered: dict[Attribution, Entered] = {}
        self._values = values

    def __call__(self, function: F, /) -> F:
        """Decorates a function. Raises `TypeError` for a class, or anything else that is no function."""
        if isinstance(function, type):
            raise TypeError(f"track_tokens decorates functions, not the class {function.__qualname__}: decorate its methods")
        if not callable(function) and not isinstance(function, (staticmethod, classmethod)):
            raise TypeError(f"track_tokens decorates functions, not {type(function).__name__}")
        instrument_once()
        decorated: F = wrap(function, self._values.of(getattr(function, "__func__", function)).block)
        return decorated

    def __enter__(self) -> Spent:
        """Starts a block; returns the block's running totals."""
        instrument_once()
        block = self._values.block((), {})
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
        @track_tokens(operation="query", tenant_id=argument("user.org"))
        with track_tokens("chat", tenant_id="acme") as spent: …

    Decorates functions, coroutine functions, generators and async generators, whose signature and kind do not change. On a decorated function
    `tenant_id`, `operation`, `operation_id` and `metadata` may be callables of the function's arguments (of a method: with `self`). `argument`
    names a parameter, also as a value within `metadata`. An error in such a callable is counted and logged, and the call goes on without the value.
    A wrong literal raises `ValueError` or `TypeError` at once. Values that are left out or empty are inherited from the enclosing block.

    A generator that the function returns stays attributed while the generator is read, and so does the body of a streaming response of Django,
    starlette, FastAPI, flask or werkzeug.

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
        return Tracking(Values(None, None, None, None))(first)
    if first is not None and operation is not None:
        raise TypeError("track_tokens got two operations: give it first, or as operation=")
    return Tracking(Values(operation if first is None else first, tenant_id, operation_id, metadata, budget, over_budget))
