"""Counting in the background where a provider stated no counts: the call is already in the journal, its estimate follows as the higher rank."""

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
from tokentrail.usage import Usage
from tokentrail.vocabulary import Ended, Source, TokenType

__all__ = ["Estimator", "completed"]

logger = logging.getLogger("tokentrail")

_CHAT: Final = "chat"  # the conventions' word for whatever is made of messages, OpenAI's responses included
_BETWEEN_WARNINGS: Final = 60.0  # seconds


def _model(usage: Usage) -> str:
    """The answered model, unless its name tells nothing (`/opt/ml/model`) and the requested one may."""
    return usage.response_model if model_family(usage.response_model) else usage.request_model or usage.response_model


def _count_input(usage: Usage, texts: Sequence[str]) -> TokenCount | None:
    if not any(texts):
        return None
    # a chat's texts are taken as one message each, so that a plain conversation is counted as the provider counts it
    content = [{"role": "user", "content": text} for text in texts] if usage.gen_ai_operation == _CHAT else texts
    return count_tokens(content, model=_model(usage), provider=usage.provider)


def _count_output(usage: Usage, texts: Sequence[str]) -> TokenCount | None:
    # a stream that was left before its first word has 0, if it is known to be text: then it has characters, 0 of them. NULL characters prove nothing,
    # and a whole answer without text has something else (a call, a picture)
    if not any(texts) and not (usage.ended == Ended.PARTIAL and usage.output_chars == 0):
        return None
    return count_tokens(texts, model=_model(usage), provider=usage.provider)


def completed(usage: Usage, input_texts: Sequence[str], output_texts: Sequence[str]) -> Usage | None:
    """Answer the usage with the halves counted that were not stated and can be, or None if none can. That always raises its rank.

    What was stated stays, and a half that cannot be counted (an image alone, an answer that is no text) stays unknown. Embeddings have no output:
    theirs is never counted, and its source follows the input's.
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
    changes["tokenizer"] = min(found.values(), key=lambda tokens: tokens.exact).tokenizer  # the weaker, like the source
    if embedding and usage.output_source == Source.UNKNOWN:
        changes["output_source"] = changes["input_source"]
    return msgspec.structs.replace(usage, **changes)


def _nowhere(_usage: Usage) -> None:
    pass


def _nothing() -> None:
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
    """A place in the queue: it is passed when all that was submitted before is done."""

    __slots__ = ("passed",)

    def __init__(self) -> None:
        self.passed = False


class Estimator:
    """Counts what is submitted on a thread of its own and gives each completed usage to the `append` that came with it, else to its own.

    `submit` may be called from a finalizer, which runs between any two steps of a thread, also of one that holds a lock: so nothing here takes
    one. The bounds are looked at and not reserved: threads that submit in the same instant may exceed them by one text each.

    `max_pending_chars` bounds the characters that wait (4 bytes each at most), `max_pending` the calls; what does not fit is dropped and counted
    in `dropped`: its row keeps its text sizes, without tokens. `failed` counts those whose counting or `append` raised.
    """

    def __init__(self, append: Callable[[Usage], None] = _nowhere, max_pending_chars: int = 16 * 1024 * 1024, max_pending: int = 256) -> None:
        self._append = append
        self._max_pending_chars = max_pending_chars
        self._max_pending = max_pending
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """Begin anew in a forked child: no thread came along, and what waits is the parent's to count."""
        self._may_load = True
        self._pending: deque[_Entry | _Mark] = deque()  # the first is the one being counted
        self._wake: threads.SimpleQueue[bool] = threads.SimpleQueue()  # one item for each pending one
        self._unstarted: deque[None] = deque([None])  # whoever takes the item starts the thread
        self._thread = 0  # its identity: it must not wait for itself
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
        """Count later; `usage.call` must already name the record that is to be completed. `settle` is called once there is nothing more to come.

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
            self.failed += 1  # not logged: a logging handler takes locks, and this may be a finalizer
        finally:
            if not submitted:
                settle()

    def stop_loading(self) -> None:
        """Load no vocabulary from now on, at the process's end: a usage that needs another one keeps its text sizes."""
        self._may_load = False

    def drain(self, timeout: float) -> bool:
        """Wait until all that was submitted before is counted and appended; False if `timeout` seconds were not enough. Not for finalizers.

        The counting thread itself (in `append`) does not wait: what it is counting cannot be done before it goes on.
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
        # a native thread: counting a long text would keep a hub of greenlets
        started = 0
        try:
            started = threads.start_native(self._run, self._pending, self._wake)
        finally:
            if not started:  # an interrupt too: the next submit tries again
                self._unstarted.append(None)

    def _run(self, pending: deque[_Entry | _Mark], wake: threads.SimpleQueue[bool]) -> None:
        if pending is self._pending:
            self._thread = _thread.get_ident()
        while threads.get(wake):
            item = pending[0]
            if isinstance(item, _Entry):
                self._complete(item)
                self._warn()
            pending.popleft()  # only now: it counts as waiting while it is counted
            if isinstance(item, _Mark):
                item.passed = True
            del item  # no text is kept while the thread waits for the next

    def _complete(self, entry: _Entry) -> None:
        try:
            usage = entry.usage
            if not self._may_load and not is_ready(_model(usage), usage.provider):
                return
            better = completed(usage, entry.input_texts, entry.output_texts)
            if better is not None:
                entry.append(better)
        except BaseException as error:
            self.failed += 1
            # the type alone: an error's message may quote the text
            logger.warning("tokentrail: a usage could not be estimated: %s", type(error).__name__)
        finally:
            entry.settle()

    def _warn(self) -> None:
        dropped = self.dropped
        if dropped > self._warned_of and time.monotonic() >= self._next_warning:
            self._next_warning = time.monotonic() + _BETWEEN_WARNINGS
            logger.warning("tokentrail: %d usages stay without an estimate: more text waited than may", dropped - self._warned_of)
            self._warned_of = dropped


def _characters(waiting: Sequence[_Entry | _Mark]) -> int:
    return sum([item.characters for item in waiting if isinstance(item, _Entry)])
