"""Provider calls without a provider: what an instrumentation does, by hand."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tokentrail
from tokentrail.instrumentation.contract import Answer, Request
from tokentrail.journal.folder import Cursor, writer_folders
from tokentrail.journal.reader import read
from tokentrail.recording import recorder
from tokentrail.usage import Usage

Identity = tuple[Any, ...]


def a_request(*texts: str, **fields: Any) -> Request:
    """A chat request to gpt-4o-mini, or with other fields."""
    given: dict[str, Any] = {"provider": "openai", "endpoint": "chat", "gen_ai_operation": "chat", "model": "gpt-4o-mini"}
    given |= {"server_address": "api.openai.com", "server_port": 443, "texts": texts or ("Good morning",)}
    return Request(**(given | fields))


def an_answer(**fields: Any) -> Answer:
    """An answer of 11 and 7 tokens, or with other fields."""
    given: dict[str, Any] = {"model": "gpt-4o-mini-2024-07-18", "response_id": "chatcmpl-1", "finish_reasons": ("stop",)}
    given |= {"input_tokens": 11, "output_tokens": 7, "cache_read_tokens": 4, "reasoning_tokens": 0}
    return Answer(**(given | fields))


def call(
    *texts: str, request: Request | None = None, answer: Answer | None = None, ended: str = "complete", error: BaseException | None = None
) -> None:
    """One whole call."""
    begun = recorder.start(request or a_request(*texts))
    if begun is None:
        return
    begun.enter()
    begun.leave()
    begun.finish(answer or an_answer(), ended, error)


def journal_of(root: Path | str) -> list[tuple[str, int, Usage]]:
    """Every usage in all journals below a folder: writer id, number, usage."""
    return [
        (folder.name, piece.number, piece.record)
        for folder in writer_folders(Path(root))
        for piece in read(folder, Cursor(), live=True)
        if isinstance(piece.record, Usage)
    ]


def identity(writer_id: str, number: int, usage: Usage) -> Identity:
    """What makes a usage one: an automatic key with its writer and call number, every other key alone."""
    if usage.key_kind == "automatic":
        return usage.key, writer_id, usage.call or number
    return (usage.key,)


class SilentCall:
    """A call that records nothing: what is counted beside it is the hooks' own."""

    enter = leave = first_chunk = finish = finish_later = staticmethod(lambda *_, **__: None)


def count_calls(action: Callable[[], Any]) -> int:
    """How many Python and C functions an action calls in this thread, once it is warm."""
    return _count(action, 5, "")


def count_own_calls(action: Callable[[], Any]) -> int:
    """How many Python functions of tokentrail run in an action, and C functions in these: how a server cuts its packets does not change the count."""
    return _count(action, 2, OWN)


def count_added_calls(action: Callable[[], Any]) -> int:
    """How many function calls the hooks add to an action."""
    from tokentrail.instrumentation.registry import instrument, uninstrument

    uninstrument()
    plain = count_calls(action)
    instrument()
    return count_calls(action) - plain


def _count(action: Callable[[], Any], warms: int, within: str) -> int:
    """The calls in files below a folder, after some runs that are not counted."""
    for _ in range(warms):
        action()
    calls = 0

    def count(frame: Any, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"} and (not within or within in frame.f_code.co_filename)

    gc.disable()
    try:
        sys.setprofile(count)
        action()
    finally:
        sys.setprofile(None)
        gc.enable()
    return calls


OWN = f"{Path(tokentrail.__file__).parent}/"
