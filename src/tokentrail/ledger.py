"""This process's end of the ledger: the writer in force, its shipper and the estimator, and what former settings left; renewed after a fork."""

from __future__ import annotations

import atexit
import logging
import os
import socket
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace
from opentelemetry import trace

from tokentrail import semconv, settings, threads
from tokentrail.forks import no_fork
from tokentrail.journal.background import Background
from tokentrail.journal.ends import End, Former
from tokentrail.journal.flush import flush_all
from tokentrail.journal.folder import size_of
from tokentrail.journal.records import encode_usage
from tokentrail.journal.writer import Writer
from tokentrail.program import program_name, service_named
from tokentrail.usage import Usage

if TYPE_CHECKING:
    from tokentrail.counting.estimator import Estimator

__all__ = ["append", "append_and_estimate", "complain", "drain_estimates", "flush", "internal_error", "set_sink"]

logger = logging.getLogger("tokentrail")

LOG_SECONDS = 60.0

_lock = threads.RLock()
_end: End | None = None
_former = Former()
_estimator: Estimator | None = None
sink: Callable[[Usage], None] | None = None
"""What takes usages instead of the journal (tests). A call reads it when it begins, and both its record and its estimate go there: neither a late
stream nor a late estimate lands in another collection, or completes a record of the journal that is not its own."""
_said: dict[str, float] = {}
_atexit_armed = False
_before_close: list[Callable[[], object]] = []
internal_errors: dict[str, int] = {}


def complain(sentence: str, *, about: str = "") -> None:
    """Warn in the log, at most once a minute about the same thing."""
    now = time.monotonic()
    about = about or sentence[:40]
    if now - _said.get(about, -LOG_SECONDS) >= LOG_SECONDS:
        _said[about] = now
        logger.warning("tokentrail: %s", sentence)


def internal_error(where: str, error: BaseException) -> None:
    """Count what was swallowed, and log it at most once a minute. Its message stays out, for it may hold a prompt; at DEBUG the place is shown."""
    internal_errors[where] = internal_errors.get(where, 0) + 1
    complain(f"{type(error).__name__} in {where}; the application is not affected ({internal_errors[where]} so far)", about=where)
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("tokentrail: %s in %s at\n%s", type(error).__name__, where, "".join(traceback.format_tb(error.__traceback__)))


def resource_attributes() -> dict[str, str | int]:
    """What is the same for all events of this process: settings first, then the OpenTelemetry SDK's resource, then the program's name."""
    in_force = settings.current()
    sdk = getattr(getattr(trace.get_tracer_provider(), "resource", None), "attributes", {})
    found: dict[str, str | int] = {str(name): value for name, value in in_force.resource.items()}
    found[semconv.SERVICE_NAME] = in_force.service_name or service_named(sdk.get(semconv.SERVICE_NAME)) or program_name()
    environment = in_force.environment or str(sdk.get(semconv.ENVIRONMENT, ""))
    if environment:
        found[semconv.ENVIRONMENT] = environment
    for name in (semconv.SERVICE_VERSION, semconv.SERVICE_INSTANCE_ID):
        if name in sdk:
            found.setdefault(name, str(sdk[name]))
    found[semconv.HOST_NAME] = socket.gethostname()
    found[semconv.PROCESS_PID] = os.getpid()
    return found


def _resource() -> dict[str, str | int]:
    try:
        return resource_attributes()
    except Exception as error:  # an SDK's own resource may be anything; the usage counts without its service's name
        internal_error("ledger.resource_attributes", error)
        return {semconv.SERVICE_NAME: program_name(), semconv.PROCESS_PID: os.getpid()}


def _begin() -> End:
    """This process's writer and its shipper; begun if there is none, or the last one is closed.

    A finalizer may come here while its own thread does: so all that takes long, allocates or locks is done before or after the exchange.
    """
    global _end, _atexit_armed  # noqa: PLW0603 - one process has one writer
    while True:
        in_force = settings.current()
        writer = Writer(
            in_force.journal_dir,
            _resource(),
            segment_bytes=in_force.journal_segment_bytes,
            max_bytes=in_force.journal_max_bytes,
            fsync=in_force.journal_fsync,
            complain=complain,
        )
        fresh = End(writer, Background(writer, in_force, complain, former=_left, hand_over=_take_over))
        with _lock:
            if settings.current() is not in_force:
                continue  # `configure()` came in between: what it retired has been retired
            end = _end
            if end is None or end.writer.closed:
                if end is not None:
                    _former.add(end)
                _end = end = fresh
            arm, _atexit_armed = not _atexit_armed, True
        if arm:
            atexit.register(close_at_exit)
        if end is fresh:
            end.background.start()
        return end


def _left() -> list[Background]:
    """The shippers of former writers of which something still waits."""
    return [end.background for end in _former.waiting()]


def _take_over() -> None:
    """A former writer's shipper could not send all: see that there is one in force, which goes on with it."""
    try:
        if settings.current().ship and _end is None:
            _begin()
    except Exception as error:
        internal_error("ledger.take_over", error)


def _resume_former() -> None:
    """Begin a shipper where something of former settings waits and no thread is at it: shipping was off, or nobody answered."""
    if any(not background.running for background in _left()):
        _take_over()


def append(usage: Usage, to: Callable[[Usage], None] | None = None) -> int:
    """Put one usage into the journal (or give it to the sink `to`) before returning. Its number, or minus its number if the journal refused it."""
    if to is not None:
        to(usage)
        return 1
    payload = encode_usage(usage)
    end = _end
    number = end.writer.append(payload) if end is not None else 0
    while number == 0:  # closed, by another thread perhaps: the next writer takes it
        number = _begin().writer.append(payload)
    return number


def append_and_estimate(usage: Usage, input_texts: tuple[str, ...], output_texts: tuple[str, ...], to: Callable[[Usage], None] | None = None) -> int:
    """Append likewise; then count the texts in the background and append the result, where the record went, as a higher rank of the same key."""
    if to is not None:
        to(usage)
        _estimate(replace(usage, call=1), input_texts, output_texts, to, _nothing)
        return 1
    payload = encode_usage(usage)
    while True:
        end = _end or _begin()
        if end.writer.closed:
            end = _begin()
        end.expect()
        submitted = False
        try:
            number = end.writer.append(payload)
            if number > 0:
                _estimate(replace(usage, call=number), input_texts, output_texts, partial(_complete, end), end.settle)
                submitted = True
        finally:
            if not submitted:
                end.settle()
        if number:
            return number


def _nothing() -> None:
    pass


def _complete(end: End, usage: Usage) -> None:
    """Complete a record of that writer: a call is known by its writer and number, so a later writer must not."""
    end.writer.append(encode_usage(usage))


def _estimate(
    usage: Usage, input_texts: tuple[str, ...], output_texts: tuple[str, ...], complete: Callable[[Usage], None], settle: Callable[[], None]
) -> None:
    global _estimator  # noqa: PLW0603 - one process has one estimator
    if _estimator is None:
        # not needed where providers state their counts; a child that is forked in the middle would wait for ever for the half loaded module
        with no_fork():
            from tokentrail.counting.estimator import Estimator  # noqa: PLC0415
        with _lock:
            _estimator = _estimator or Estimator()
    _estimator.submit(usage, input_texts, output_texts, complete, settle)


def drain_estimates(timeout: float) -> bool:
    """Wait until the estimates that were asked for are counted and appended, or the time (seconds) is up. True if they are."""
    return _estimator is None or _estimator.drain(timeout)


def set_sink(to: Callable[[Usage], None] | None) -> None:
    """Give the usages of calls that begin from now on to `to` instead of the journal (tests); `None` gives them to the journal again."""
    global sink  # noqa: PLW0603
    sink = to


def writer_id() -> str:
    """The id of this process's writer; made if there is none yet."""
    return (_end or _begin()).writer.writer_id


def counts() -> tuple[int, int]:
    """How many numbers all writers of this process gave so far, and how many of these records their journals refused."""
    with _lock:
        numbers, refused = _former.counts()
        if _end is not None:
            numbers, refused = numbers + _end.writer.last_seq, refused + _end.writer.refused
        return numbers, refused


def journal_size() -> int:
    """Bytes of all records in the journal's folder, those of other processes included."""
    return size_of(Path(settings.current().journal_dir))


def flush(timeout: float) -> bool:
    """Wait until estimates are counted and all that this process wrote, also under former settings, is acknowledged, or the time (seconds) is up."""
    deadline = time.monotonic() + timeout
    _resume_former()
    counted = drain_estimates(max(0.0, deadline - time.monotonic()))
    acknowledged = flush_all([end.background for end in _ends()], max(0.0, deadline - time.monotonic()))
    return counted and acknowledged and not _former.put_aside and not _former.damaged


def _ends() -> list[End]:
    """All of which something may wait, the one in force last."""
    end = _end  # looked at first: one that is retired now is among the former ones then
    former = _former.waiting()
    return former if end is None or end in former else [*former, end]


def before_close(action: Callable[[], object]) -> None:
    """Call `action` before the closing record is written."""
    _before_close.append(action)


def close() -> None:
    """Write the closing records and try once more to ship, within `exit_timeout`; a later append begins a new writer."""
    deadline = time.monotonic() + settings.current().exit_timeout
    for action in _before_close:
        try:
            action()
        except Exception as error:
            internal_error("ledger.close", error)
    drain_estimates(max(0.0, deadline - time.monotonic()))
    for end in _ends():
        end.writer.close()
    if _left():
        _take_over()
    ends = _ends()
    for end in ends:
        end.background.ask_to_stop()
    for end in reversed(ends):
        end.background.stop(max(0.0, deadline - time.monotonic()))


def close_at_exit() -> None:
    """Close at the process's end: no vocabulary is loaded from now on, because loading outlives the interpreter."""
    if _estimator is not None:
        _estimator.stop_loading()
    close()


def _after_fork_in_child() -> None:
    """The child is a writer of its own: new identity, numbers and locks; the parent's files are closed, never unlocked."""
    global _lock, _end  # noqa: PLW0603
    _lock = threads.RLock()
    end, _end = _end, None
    if end is not None:
        end.let_go()
    _former.forget()
    if _estimator is not None:
        _estimator.reset_after_fork()


def _renew(_settings: settings.Settings) -> None:
    """After `configure()`: the next record begins a new writer under the new settings. The former one is kept until all of it is acknowledged."""
    global _end  # noqa: PLW0603
    with _lock:
        end = _end
        if end is not None:
            _former.add(end)
        _end = None
    if end is not None:
        end.retire()
    _resume_former()


os.register_at_fork(after_in_child=_after_fork_in_child)
settings.on_change(_renew)
threads.at_end(close_at_exit)
