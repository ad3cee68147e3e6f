"""The ways to call an SDK of Stainless's: as usual, for the raw response that is then parsed, and for the lines that nothing parses."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from tokentrail.testing import Recording
from tokentrail.testing.conformance import Case


def styles_of_stainless(recording: Recording) -> Sequence[str]:
    """Of the lines of a failing stream nobody raises what they say."""
    return ("raw",) if recording.stream and recording.flags["error"] else ("raw", "lines")


def ask_in_style(method_of: Callable[..., Any], client: Any, case: Case) -> Any:
    """Call the SDK in the case's style; what it gives: its answer or stream, the items of a raw response, or lines."""
    if not case.style:
        method, arguments = method_of(client, case.recording)
        return method(**arguments)
    if case.asynchronous:
        return _items_async(method_of, client, case) if case.style == "raw" else _lines_async(method_of, client, case)
    if case.style == "raw":
        method, arguments = method_of(client.with_raw_response, case.recording)
        answer = method(**arguments).parse()
        return list(answer) if case.stream else [answer]
    method, arguments = method_of(client.with_streaming_response, case.recording)
    with method(**arguments) as response:
        return list(response.iter_lines())


async def _items_async(method_of: Callable[..., Any], client: Any, case: Case) -> list[Any]:
    method, arguments = method_of(client.with_raw_response, case.recording)
    parsed = (await method(**arguments)).parse()
    answer = await parsed if inspect.isawaitable(parsed) else parsed
    return [item async for item in answer] if case.stream else [answer]


async def _lines_async(method_of: Callable[..., Any], client: Any, case: Case) -> list[str]:
    method, arguments = method_of(client.with_streaming_response, case.recording)
    async with method(**arguments) as response:
        return [line async for line in response.iter_lines()]
