"""Anthropic's agent SDK (claude-agent-sdk): the SDK calls no provider, a process of the command line does, and states what was used.

receive_messages()      an async generator of the process's messages as JSON, below `query()` and `ClaudeSDKClient`; one `Query` is one process

A row is a result's sum for one model, not one provider call, and is counted when the program reads the result.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Any, Final
from weakref import WeakKeyDictionary

from tokentrail.instrumentation.around import sanitized
from tokentrail.instrumentation.contract import Exchange, Hook, Request
from tokentrail.integrations.shapes.claude_agent import Totals
from tokentrail.recording import recorder
from tokentrail.recording.runtime import internal_error

__all__ = ["hooks_of"]

_totals: Final[WeakKeyDictionary[Any, Totals]] = WeakKeyDictionary()


def hooks_of(package: str) -> tuple[Hook, ...]:
    """Returns the hooks."""
    return (Hook(f"{package}._internal.query", "Query.receive_messages", opens=_open),)


def _open(query: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange:
    totals = _totals.setdefault(query, Totals())
    return Exchange(request=Request("", "", ""), args=args, kwargs=kwargs, read=_read_nothing, deliver=partial(_deliver, totals), deferred=True)


def _read_nothing(_result: Any) -> None:
    return None


def _deliver(totals: Totals, _exchange: Exchange, messages: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
    """Returns a generator that replaces the SDK's, with the same names."""
    followed = _follow(totals, messages)
    for name in ("__name__", "__qualname__"):
        setattr(followed, name, getattr(messages, name))
    return followed


async def _follow(totals: Totals, messages: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
    async with aclosing(messages):
        async for message in messages:
            try:
                _record(totals, message)
            except Exception as error:
                internal_error("message", error)
            yield message


def _record(totals: Totals, message: Any) -> None:
    """Records a message's usages, each as a call."""
    for provider, (answer, ended) in totals.readings(message) if type(message) is dict else ():
        request = Request(provider, "agent", "invoke_agent", model=answer.model, sends=True)
        call = recorder.start(request)
        if call is not None:
            call.finish(sanitized(answer, 1), ended)
