"""IBM's SDK sends many prompts, or many texts, at once in threads of its own: the attribution is that of the caller, whose context goes along.

_generate_with_url(generate_url=…)             hands the URL to each thread
Embeddings.generate(inputs)                    hands a part of the inputs to each thread
_send_inference_payload_raw, _generate_raw_response      run in the thread, and send
"""

from __future__ import annotations

from contextvars import Context, copy_context
from functools import partial
from typing import Any

from tokentrail.instrumentation.contract import Exchange, Hook, Request

__all__ = ["Carried", "hooks_of_threads"]


class Carried(Exchange):
    """What sends in a thread, with a copy of the caller's context; no call by itself."""

    context: Any = None


class _Url(str):
    """A URL with the context of the caller."""

    __slots__ = ("context",)
    context: Context


class _Inputs(list[Any]):
    """Inputs with the context of the caller, which each slice has too."""

    context: Context

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return _with_context(_Inputs(found), self.context) if isinstance(index, slice) else found


def hooks_of_threads(package: str) -> tuple[Hook, ...]:
    """Returns the hooks."""
    inference, embeddings = f"{package}.foundation_models.inference.base_model_inference", f"{package}.foundation_models.embeddings.embeddings"
    return (
        Hook(inference, "BaseModelInference._generate_with_url", opens=_carry_url, optional=True),
        Hook(inference, "BaseModelInference._generate_with_url_async", opens=_carry_url, optional=True),
        Hook(inference, "BaseModelInference._send_inference_payload_raw", opens=partial(_take, "generate_url"), optional=True),
        Hook(embeddings, "Embeddings.generate", opens=_carry_inputs, optional=True),
        Hook(embeddings, "Embeddings._generate_raw_response", opens=partial(_take, "inputs"), optional=True),
    )


def _with_context(value: Any, context: Context) -> Any:
    value.context = context
    return value


def _aside(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Carried:
    return Carried(request=Request("", "", ""), args=args, kwargs=kwargs, read=lambda _result: None, deferred=True)


def _carry_url(_model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange | None:
    url = kwargs.get("generate_url")
    if type(url) is not str:
        return None
    return _aside(args, {**kwargs, "generate_url": _with_context(_Url(url), copy_context())})


def _carry_inputs(_embeddings: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange | None:
    inputs = args[0] if args else kwargs.get("inputs")
    if type(inputs) is not list:
        return None
    carried = _with_context(_Inputs(inputs), copy_context())
    return _aside((carried, *args[1:]), kwargs) if args else _aside(args, {**kwargs, "inputs": carried})


def _take(name: str, _sender: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange | None:
    value = kwargs.get(name)
    if not isinstance(value, (_Url, _Inputs)):
        return None
    carried = _aside(args, kwargs)
    carried.context = value.context.copy()  # a context is entered once at a time
    return carried
