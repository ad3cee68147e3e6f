"""This process's end of the ledger: the one writer, its shipper and its estimator; renewed after a fork."""

from __future__ import annotations

import atexit
import logging
import os
import socket
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from opentelemetry import trace

from tokentrail import semconv, settings
from tokentrail.journal.background import Background
from tokentrail.journal.folder import no_fork, size_of
from tokentrail.journal.records import encode_usage
from tokentrail.journal.writer import Writer
from tokentrail.program import program_name
from tokentrail.usage import Usage

if TYPE_CHECKING:
    from tokentrail.counting.estimator import Estimator

__all__ = ["append", "complain", "estimate_later", "flush", "internal_error", "set_sink"]

logger = logging.getLogger("tokentrail")

LOG_SECONDS = 60.0

_lock = threading.RLock()
_end: _End | None = None
_estimator: Estimator | None = None
_estimated: _End | None = None  # whose records it completes
_sink: Callable[[Usage], None] | None = None
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
    found[semconv.SERVICE_NAME] = in_force.service_name or _named(sdk.get(semconv.SERVICE_NAME)) or program_name()
    environment = in_force.environment or str(sdk.get(semconv.ENVIRONMENT, ""))
    if environment:
        found[semconv.ENVIRONMENT] = environment
    for name in (semconv.SERVICE_VERSION, semconv.SERVICE_INSTANCE_ID):
        if name in sdk:
            found.setdefault(name, str(sdk[name]))
    found[semconv.HOST_NAME] = socket.gethostname()
    found[semconv.PROCESS_PID] = os.getpid()
    return found


def _named(service: object) -> str:
    """The SDK's name of the service; the SDK says `unknown_service:python` where nobody has named it."""
    return "" if service is None or str(service).partition(":")[0] == "unknown_service" else str(service)


def _resource() -> dict[str, str | int]:
    try:
        return resource_attributes()
    except Exception as error:  # an SDK's own resource may be anything; the usage counts without its service's name
        internal_error("ledger.resource_attributes", error)
        return {semconv.SERVICE_NAME: program_name(), semconv.PROCESS_PID: os.getpid()}


@dataclass(frozen=True, slots=True)
class _End:
    """A writer, and the thread that ships what it writes."""

    writer: Writer
    background: Background


def _begin() -> Writer:
    """This process's writer; begun if there is none, or the last one is closed.

    A finalizer may come here while its own thread does: so all that takes long, allocates or locks is done before or after the exchange.
    """
    global _end, _atexit_armed  # noqa: PLW0603 - one process has one writer
    in_force = settings.current()
    writer = Writer(
        in_force.journal_dir,
        _resource(),
        segment_bytes=in_force.journal_segment_bytes,
        max_bytes=in_force.journal_max_bytes,
        fsync=in_force.journal_fsync,
        complain=complain,
    )
    fresh = _End(writer, Background(writer, in_force, complain))
    with _lock:
        if _end is None or _end.writer.closed:
            _end = fresh
        end = _end
        arm, _atexit_armed = not _atexit_armed, True
    if arm:
        atexit.register(close)
    if end is fresh:
        end.background.start()
    return end.writer


def append(usage: Usage) -> int:
    """Put one usage into the journal before returning. Its number, or minus its number if the journal refused it."""
    if _sink is not None:
        _sink(usage)
        return 1
    payload = encode_usage(usage)
    end = _end
    number = end.writer.append(payload) if end is not None else 0
    while number == 0:  # closed, by another thread perhaps: the next writer takes it
        number = _begin().append(payload)
    return number


def estimate_later(usage: Usage, input_texts: tuple[str, ...], output_texts: tuple[str, ...]) -> None:
    """Count the texts in the background and append the result as a higher rank of the same key; never blocks."""
    global _estimator, _estimated
    if _estimator is None or _estimated is not _end:
        # not needed where providers state their counts; a child that is forked in the middle would wait for ever for the half loaded module
        with no_fork():
            from tokentrail.counting.estimator import Estimator  # noqa: PLC0415
        with _lock:
            if _estimator is None or _estimated is not _end:
                _estimator, _estimated = Estimator(partial(_append_estimate, _end)), _end
    _estimator.submit(usage, input_texts, output_texts)


def _append_estimate(end: _End | None, usage: Usage) -> None:
    """Complete a record of that writer. A call is known by its writer and number, so a later writer must not: the record stays with its sizes."""
    if _sink is not None:
        _sink(usage)
    elif end is not None:
        end.writer.append(encode_usage(usage))


def set_sink(sink: Callable[[Usage], None] | None) -> Callable[[Usage], None] | None:
    """Give usages to `sink` instead of the journal (tests); `None` gives them to the journal again. Returns the sink before."""
    global _sink
    before, _sink = _sink, sink
    return before


def writer_id() -> str:
    """The id of this process's writer; made if there is none yet."""
    end = _end
    return (end.writer if end is not None else _begin()).writer_id


def refused() -> int:
    """How many records this process's writer refused."""
    return 0 if _end is None else _end.writer.refused


def progress() -> tuple[str, int, int] | None:
    """This process's writer: its id, its highest number, how many of its records it refused. `None` before the first record."""
    end = _end
    return None if end is None else (end.writer.writer_id, end.writer.last_seq, end.writer.refused)


def journal_size() -> int:
    """Bytes of all records in the journal's folder, those of other processes included."""
    return size_of(Path(settings.current().journal_dir))


def flush(timeout: float) -> bool:
    """Wait until estimates are counted and all that is in the journal is acknowledged, or the time (seconds) is up."""
    deadline = time.monotonic() + timeout
    if _estimator is not None:
        _estimator.drain(max(0.0, deadline - time.monotonic()))
    end = _end
    return end is None or end.background.flush(max(0.0, deadline - time.monotonic()))


def before_close(action: Callable[[], object]) -> None:
    """Call `action` before the closing record is written."""
    _before_close.append(action)


def close() -> None:
    """Write the closing record and try once more to ship, within `exit_timeout`; a later append begins a new writer."""
    deadline = time.monotonic() + settings.current().exit_timeout
    for action in _before_close:
        try:
            action()
        except Exception as error:
            internal_error("ledger.close", error)
    if _estimator is not None:
        _estimator.drain(max(0.0, deadline - time.monotonic()))
    end = _end
    if end is not None:
        end.writer.close()
        end.background.stop(max(0.0, deadline - time.monotonic()))


def _after_fork_in_child() -> None:
    """The child is a writer of its own: new identity, numbers and locks; the parent's files are closed, never unlocked."""
    global _lock, _end  # noqa: PLW0603
    _lock = threading.RLock()
    end, _end = _end, None
    if end is not None:
        end.background.let_go()
        end.writer.let_go()
    if _estimator is not None:
        _estimator.reset_after_fork()


def _renew(_settings: settings.Settings) -> None:
    """After `configure()`: the next record begins a new writer under the new settings."""
    global _end
    with _lock:
        end, _end = _end, None
    if end is not None:
        end.writer.close()
        end.background.stop(0.0)  # it ships what waits and ends; nobody waits for it


os.register_at_fork(after_in_child=_after_fork_in_child)
settings.on_change(_renew)
