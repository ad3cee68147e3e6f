"""Estimates counts in the background where a provider stated none: the call is already in the journal, and the estimate follows as a higher rank."""

from __future__ import annotations

import _thread
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from tokentrail.counting.tokens import TokenCount, count_tokens, is_ready
from tokentrail.models import model_family
from tokentrail.process import threads
from tokentrail.process.diagnostics import log
from tokentrail.usage import Usage
from tokentrail.vocabulary import Ended, Source, TokenType

__all__ = ["Estimator", "complete"]


_CHAT: Final = "chat"  # the conventions' operation for all calls with messages, OpenAI's responses included
_WARNING_SECONDS: Final = 60.0  # seconds
WHERE: Final = "counting"
"""The place of errors, as in the metric of internal errors."""


def _model(usage: Usage) -> str:
    """Returns the model of the response, or the requested model if the response's name is unknown (`/opt/ml/model`)."""
    return usage.response_model if model_family(usage.response_model) else usage.request_model or usage.response_model


def _count_input(usage: Usage, texts: Sequence[str]) -> TokenCount | None:
    if not any(texts):
        return None
    # each text of a chat counts as one message, so that a plain conversation is counted as the provider counts
    content = [{"role": "user", "content": text} for text in texts] if usage.gen_ai_operation == _CHAT else texts
    return count_tokens(content, model=_model(usage), provider=usage.provider)


def _count_output(usage: Usage, texts: Sequence[str]) -> TokenCount | None:
    # a stream that the caller left before the first word has 0 tokens if the stream is text: then `output_chars` is 0. `output_chars` of NULL proves
    # nothing, and a whole answer without text has other content (a call, a picture)
    if not any(texts) and not (usage.ended == Ended.PARTIAL and usage.output_chars == 0):
        return None
    return count_tokens(texts, model=_model(usage), provider=usage.provider)


def complete(usage: Usage, input_texts: Sequence[str], output_texts: Sequence[str]) -> Usage | None:
    """Returns the usage with estimates for input or output where the provider stated none, or None if neither can be counted. Always raises the rank.

    Stated counts stay, and a half that cannot be counted (an image alone, an answer without text) stays unknown. Embeddings have no output: an
    embedding's output is never counted, and the output's source is that of the input.
    """
    counts = {}
    changes: dict[str, object] = {}
    embedding = usage.token_type == TokenType.EMBEDDING
    if usage.input_tokens is None and usage.input_source == Source.UNKNOWN:
        counts["input"] = _count_input(usage, input_texts)
    if usage.output_tokens is None and usage.output_source == Source.UNKNOWN and not embedding:
        counts["output"] = _count_output(usage, output_texts)
    found = {half: tokens for half, tokens in counts.items() if tokens is not None}
    for half, tokens in found.items():
        changes |= {f"{half}_tokens": int(tokens), f"{half}_source": str(tokens.source)}
    if not found:
        return None
    changes["tokenizer"] = min(found.values(), key=lambda tokens: tokens.exact).tokenizer  # the less exact of two tokenizers, like the source
    if embedding and usage.output_source == Source.UNKNOWN:
        changes["output_source"] = changes["input_source"]
    return msgspec.structs.replace(usage, **changes)


def _nowhere(_usage: Usage) -> None:
    pass


def _nothing() -> None:
    pass


def _log(_where: str, error: BaseException) -> None:
    """Logs the type alone: an error's message may quote the text."""
    log(logging.WARNING, "tokentrail: a usage could not be estimated: %s", type(error).__name__)


def _count_nowhere(_where: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class _Entry:
    usage: Usage
    input_texts: Sequence[str]
    output_texts: Sequence[str]
    characters: int
    append: Callable[[Usage], None]
    settle: Callable[[], None]


class _Mark:
    """A mark in the queue: passed when all earlier entries are done."""

    __slots__ = ("passed",)

    def __init__(self) -> None:
        self.passed = False


class Estimator:
    """Counts submitted texts in its own thread and passes each completed usage to the `append` of `submit`, else to that of the estimator.

    `submit` may be called from a finalizer, which runs between any two steps of a thread, also while the thread holds a lock: so no method acquires a
    lock. The bounds are checked and not reserved: threads that submit in the same instant may exceed the bounds by one text each.

    `max_pending_chars` bounds the waiting characters (4 bytes each at most), `max_pending` the waiting calls. Usages beyond the bounds are dropped
    and counted in `dropped`: their rows keep the text sizes, without tokens. `failed` counts usages whose counting or `append` raised.
    `on_error` gets the error, in the estimator's thread. `count` gets the place of an error in `submit`, where nothing may be logged: logging
    handlers acquire locks.
    """

    def __init__(
        self,
        append: Callable[[Usage], None] = _nowhere,
        max_pending_chars: int = 16 * 1024 * 1024,
        max_pending: int = 256,
        *,
        on_error: Callable[[str, BaseException], object] = _log,
        count: Callable[[str], object] = _count_nowhere,
    ) -> None:
        self._append = append
        self._max_pending_chars = max_pending_chars
        self._max_pending = max_pending
        self._on_error = on_error
        self._count = count
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """Resets the estimator in a forked child: the child has no thread, and waiting usages are counted by the parent."""
        self._may_load = True
        self._pending: deque[_Entry | _Mark] = deque()  # the first entry is being counted
        self._wake: threads.SimpleQueue[bool] = threads.SimpleQueue()  # one item for each pending entry
        self._unstarted: deque[None] = deque([None])  # the caller that takes the item starts the thread
        self._thread = 0  # the thread's identity: the thread must not wait for itself
        self.dropped = 0  # counted without a lock: without the GIL two drops in one instant may count as one
        self.failed = 0
        self._warned_of = 0
        self._next_warning = 0.0

    def submit(
        self,
        usage: Usage,
        input_texts: Sequence[str],
        output_texts: Sequence[str],
        append: Callable[[Usage], None] | None = None,
        settle: Callable[[], None] = _nothing,
    ) -> None:
        """Adds a usage to the queue; `usage.call` is the number of the record to complete. `settle` is called once, at the end in any case.

        Never blocks, never raises.
        """
        submitted = False
        try:
            characters = sum(map(len, input_texts)) + sum(map(len, output_texts))
            waiting = tuple(self._pending)
            if len(waiting) >= self._max_pending or characters + _characters(waiting) > self._max_pending_chars:
                self.dropped += 1
                return
            self._put(_Entry(usage, tuple(input_texts), tuple(output_texts), characters, append or self._append, settle))
            submitted = True
        except Exception:
            self.failed += 1
            self._count(WHERE)
        finally:
            if not submitted:
                settle()

    def stop_loading(self) -> None:
        """Stops loading vocabularies, at the process's end: a usage that needs another vocabulary keeps its text sizes."""
        self._may_load = False

    def drain(self, timeout: float) -> bool:
        """Waits until all usages submitted before are counted and appended; False after `timeout` seconds. Not for finalizers.

        In the counting thread (in `append`) `drain` returns False at once, because that thread cannot wait for its own work.
        """
        if not self._pending:
            return True
        if _thread.get_ident() == self._thread:
            return False
        mark = _Mark()
        self._put(mark)
        return threads.wait_until(lambda: mark.passed, timeout)

    def _put(self, item: _Entry | _Mark) -> None:
        self._pending.append(item)
        self._wake.put(True)
        try:
            self._unstarted.pop()
        except IndexError:
            return
        # a native thread: counting a long text would block a hub of greenlets
        started = 0
        try:
            started = threads.start_native(self._run, self._pending, self._wake)
        finally:
            if not started:  # also after an interrupt: the next `submit` tries again
                self._unstarted.append(None)

    def _run(self, pending: deque[_Entry | _Mark], wake: threads.SimpleQueue[bool]) -> None:
        if pending is self._pending:
            self._thread = _thread.get_ident()
        while threads.get(wake):
            item = pending[0]
            if isinstance(item, _Entry):
                self._complete(item)
                self._warn()
            pending.popleft()  # only now: an entry waits until it is counted
            if isinstance(item, _Mark):
                item.passed = True
            del item  # no text is kept while the thread waits for the next entry

    def _complete(self, entry: _Entry) -> None:
        try:
            try:
                usage = entry.usage
                if not self._may_load and not is_ready(_model(usage), usage.provider):
                    return
                better = complete(usage, entry.input_texts, entry.output_texts)
                if better is not None:
                    entry.append(better)
            finally:
                entry.settle()
        except BaseException as error:
            self.failed += 1
            self._on_error(WHERE, error)

    def _warn(self) -> None:
        dropped = self.dropped
        if dropped > self._warned_of and time.monotonic() >= self._next_warning:
            self._next_warning = time.monotonic() + _WARNING_SECONDS
            log(logging.WARNING, "tokentrail: %d usages stay without an estimate: too much text was waiting", dropped - self._warned_of)
            self._warned_of = dropped


def _characters(waiting: Sequence[_Entry | _Mark]) -> int:
    return sum([item.characters for item in waiting if isinstance(item, _Entry)])
