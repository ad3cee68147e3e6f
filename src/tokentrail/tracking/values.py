"""The values of an attribution, as they are given: a text, or a callable that is asked at each call.

`argument("user.org")` names a parameter of the decorated function, for values that a framework injects (FastAPI's `Depends`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, TypeAlias, get_args

from tokentrail.attribution import Attribution, attribution, named_budgets
from tokentrail.callables import is_coroutine_function
from tokentrail.idempotency import shorten
from tokentrail.process.forks import no_fork
from tokentrail.recording.runtime import current, internal_error
from tokentrail.tracking.metadata import metadata_text
from tokentrail.vocabulary import parse_operation

__all__ = ["Argument", "OverBudget", "Source", "Values", "argument", "instrument_once", "refuse_coroutines", "watch"]

OverBudget: TypeAlias = Literal["warn", "raise"]
Ask: TypeAlias = Callable[..., Any]
_MISSING: Any = object()


class Source:
    """Where a value comes from at each call, also as one value of `metadata`: `argument`, and the sources of web requests."""

    __slots__ = ()

    def __call__(self, *_args: Any, **_keywords: Any) -> Any:
        """Returns the value of one call; None for no value."""
        raise NotImplementedError


class Argument(Source):
    """A parameter of the decorated function, or what its attributes lead to. Made by `argument`."""

    __slots__ = ("_attributes", "_name")

    def __init__(self, path: str) -> None:
        self._name, *self._attributes = path.split(".")

    def of(self, function: Any) -> Source:
        """Returns a source that finds the value among a call's arguments. Raises `TypeError` if the function has no such parameter."""
        parameters = inspect.signature(function).parameters
        parameter = parameters.get(self._name)
        takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
        if (parameter is None and not takes_any) or (parameter is not None and parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)):
            known = ", ".join(parameters) or "none"
            raise TypeError(f"argument({self._name!r}): {getattr(function, '__qualname__', function)} has no such parameter; it has {known}")
        by_position = parameter is not None and parameter.kind is not parameter.KEYWORD_ONLY
        position = list(parameters).index(self._name) if by_position else len(parameters)
        default = None if parameter is None or parameter.default is parameter.empty else parameter.default
        return _OfFunction(self._name, tuple(self._attributes), position, default)

    def __call__(self, *_args: Any, **_keywords: Any) -> Any:
        """Raises `TypeError`: without a function there is no parameter."""
        raise TypeError(f"argument({self._name!r}) is for decorated functions: a block takes the value itself")


class _OfFunction(Source):
    """A parameter whose place among the arguments is known."""

    __slots__ = ("_attributes", "_default", "_name", "_position")

    def __init__(self, name: str, attributes: tuple[str, ...], position: int, default: Any) -> None:
        self._name, self._attributes, self._position, self._default = name, attributes, position, default

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        found = keywords.get(self._name, _MISSING)
        if found is _MISSING:
            found = args[self._position] if self._position < len(args) else self._default
        for name in self._attributes:
            if found is None:
                return None
            found = found.get(name) if isinstance(found, Mapping) else getattr(found, name)
        return found


def argument(path: str) -> Any:
    """Names a parameter of the decorated function as the source of a value: `tenant_id=argument("tenant")`, `argument("user.org_id")`.

    After the first dot stand attributes, or keys of a mapping. A default of the parameter counts where a call leaves it out; None is no value.
    Raises `ValueError` for a text that is no name; the decorator raises `TypeError` for a function without that parameter.
    """
    if not isinstance(path, str) or not all(part.isidentifier() for part in path.split(".")):
        raise ValueError(f"argument is the name of a parameter, with attributes after dots, not {path!r}")
    return Argument(path)


class Values:
    """The values of `track_tokens(…)`, of a middleware, or of a task: literals are checked at once, callables are asked at each call."""

    __slots__ = ("_callables", "_fixed")

    def __init__(
        self, operation: object, tenant_id: object, operation_id: object, metadata: object, budget: object = None, over_budget: object = None
    ) -> None:
        self._fixed: dict[str, Any] = {}
        budgets = _budgets(budget, over_budget)
        if budgets:
            self._fixed["budgets"] = budgets
        self._callables: list[tuple[str, Ask, Callable[[Any], Any]]] = []
        arguments: tuple[tuple[str, Any, Callable[[Any], Any], Callable[[Any], Any]], ...] = (
            ("operation", operation, parse_operation, _operation_text),
            ("tenant_id", tenant_id, partial(_text, "tenant_id"), _any_text),
            ("operation_id", operation_id, partial(_text, "operation_id"), _any_text),
            ("metadata", _asked(metadata), metadata_text, metadata_text),
        )
        for name, given, literal, answer in arguments:
            if callable(given):
                refuse_coroutines(name, given)
                self._callables.append((name, given, answer))
            elif given is not None:
                _set(self._fixed, name, literal(given))

    def of(self, function: Any) -> Values:
        """Returns the values for a decorated function, whose parameters `argument` names. Raises `TypeError` for a parameter that is not there."""
        if not any(isinstance(ask, (Argument, _Members)) for _name, ask, _answer in self._callables):
            return self
        bound = Values(None, None, None, None)
        bound._fixed = self._fixed
        bound._callables = [(name, _of(ask, function), answer) for name, ask, answer in self._callables]
        return bound

    def block(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> Attribution:
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
            watch(values["budgets"])
        return Attribution(parent=attribution.get(), **values)


class _Members:
    """Metadata with sources among the values. A value whose source failed is left out."""

    __slots__ = ("_members",)

    def __init__(self, members: Mapping[Any, Any]) -> None:
        self._members = dict(members)

    def of(self, function: Any) -> _Members:
        return _Members({name: _of(value, function) for name, value in self._members.items()})

    def __call__(self, *args: Any, **keywords: Any) -> dict[Any, Any]:
        found = {}
        for name, value in self._members.items():
            try:
                found[name] = value(*args, **keywords) if isinstance(value, Source) else value
            except Exception as error:
                internal_error("track_tokens: a source of metadata", error)
        return found


def refuse_coroutines(name: str, given: Any) -> None:
    """Raises `TypeError` for a source that is a coroutine function: its coroutine would be the value."""
    if is_coroutine_function(given):
        raise TypeError(f"{name} is a coroutine function, which nobody could wait for here; write a plain function, or set the value inside")


def _asked(metadata: Any) -> Any:
    if isinstance(metadata, Mapping) and any(isinstance(value, Source) for value in metadata.values()):
        return _Members(metadata)
    return metadata


def _of(value: Any, function: Any) -> Any:
    return value.of(function) if isinstance(value, (Argument, _Members)) else value


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
    names: Sequence[str] = [budget] if isinstance(budget, str) else budget
    if not isinstance(names, (list, tuple)) or not names or not all(isinstance(name, str) and name for name in names):
        raise TypeError(f"budget is the name of a budget, or a list of names, not {budget!r}")
    return dict.fromkeys(names, over or "warn")


def watch(budgets: Mapping[str, str]) -> None:
    """Keeps the states of these budgets from now on; never raises."""
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


def instrument_once() -> None:
    """Patches the provider SDKs at the first use of a decorator or a middleware; never raises."""
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
