"""This process's end of the ledger: the one writer, its shipper and its estimator; renewed after a fork."""

from __future__ import annotations

import atexit
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec

from tokentrail import semconv, settings
from tokentrail.counting.estimator import Estimator
from tokentrail.journal.background import Background
from tokentrail.journal.records import encode
from tokentrail.journal.writer import Writer
from tokentrail.usage import Usage

__all__ = ["append", "complain", "estimate_later", "flush", "internal_error", "set_sink"]

logger = logging.getLogger("tokentrail")

LONG_PAYLOAD = 4 * 1024
MAX_FIELD_CHARS = 1024
MAX_METADATA_CHARS = 16 * 1024
LOG_SECONDS = 60.0

_lock = threading.Lock()
_writer: Writer | None = None
_background: Background | None = None
_estimator: Estimator | None = None
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
    """Count what was swallowed, and log it at most once a minute. Its message stays out: it may hold a prompt."""
    internal_errors[where] = internal_errors.get(where, 0) + 1
    complain(f"{type(error).__name__} in {where}; the application is not affected ({internal_errors[where]} so far)", about=where)
    logger.debug("tokentrail: %s", where, exc_info=error)


def resource_attributes() -> dict[str, str | int]:
    """What is the same for all events of this process: settings first, then the OpenTelemetry SDK's resource."""
    from opentelemetry import trace  # noqa: PLC0415

    in_force = settings.current()
    sdk = getattr(getattr(trace.get_tracer_provider(), "resource", None), "attributes", {})
    found: dict[str, str | int] = {str(name): value for name, value in in_force.resource.items()}
    found[semconv.SERVICE_NAME] = in_force.service_name or str(sdk.get(semconv.SERVICE_NAME, "unknown_service"))
    environment = in_force.environment or str(sdk.get(semconv.ENVIRONMENT, ""))
    if environment:
        found[semconv.ENVIRONMENT] = environment
    for name in (semconv.SERVICE_VERSION, semconv.SERVICE_INSTANCE_ID):
        if name in sdk:
            found.setdefault(name, str(sdk[name]))
    found[semconv.HOST_NAME] = socket.gethostname()
    found[semconv.PROCESS_PID] = os.getpid()
    return found


def _open() -> Writer:
    global _writer, _background, _atexit_armed  # noqa: PLW0603 - one process has one writer
    with _lock:
        if _writer is None or _writer.closed:
            in_force = settings.current()
            _writer = Writer(
                in_force.journal_dir,
                resource_attributes(),
                segment_bytes=in_force.journal_segment_bytes,
                max_bytes=in_force.journal_max_bytes,
                fsync=in_force.journal_fsync,
                complain=complain,
            )
            _background = Background(_writer, in_force, complain) if in_force.ship else None
            if _background is not None:
                _background.start()
            if not _atexit_armed:
                _atexit_armed = True
                atexit.register(close)
        return _writer


def append(usage: Usage) -> int:
    """Put one usage into the journal before returning. Its number; minus its number if refused; 0 if it must be tried again from another thread."""
    if _sink is not None:
        _sink(usage)
        return 1
    writer = _writer
    if writer is None or writer.closed:
        writer = _open()
    payload = encode(usage)
    if len(payload) > LONG_PAYLOAD:
        payload = encode(shortened(usage))
    return writer.append(payload)


def shortened(usage: Usage) -> Usage:
    """The usage with every text within bounds, so that a record never exceeds 64 KiB; metadata that is cut is flagged."""
    changes: dict[str, Any] = {}
    for name in usage.__struct_fields__:
        value = getattr(usage, name)
        if name == "metadata":
            if len(value) > MAX_METADATA_CHARS // 4 and len(value.encode("utf-8", "replace")) > MAX_METADATA_CHARS:
                changes |= {"metadata": "{}", "metadata_cut": True}
        elif isinstance(value, str) and len(value) > MAX_FIELD_CHARS and name != "key":
            changes[name] = value[:MAX_FIELD_CHARS]
    return msgspec.structs.replace(usage, **changes)


def estimate_later(usage: Usage, input_texts: tuple[str, ...], output_texts: tuple[str, ...]) -> None:
    """Count the texts in the background and append the result as a higher rank of the same key; never blocks."""
    global _estimator  # noqa: PLW0603
    if _estimator is None:
        with _lock:
            if _estimator is None:
                _estimator = Estimator(_append_estimate)
    _estimator.submit(usage, input_texts, output_texts)


def _append_estimate(usage: Usage) -> None:
    append(usage)


def set_sink(sink: Callable[[Usage], None] | None) -> Callable[[Usage], None] | None:
    """Give usages to `sink` instead of the journal (tests); `None` gives them to the journal again. Returns the sink before."""
    global _sink
    before, _sink = _sink, sink
    return before


def writer_id() -> str:
    """The id of this process's writer; made if there is none yet."""
    return (_writer or _open()).writer_id


def refused() -> int:
    """How many records this process's writer refused."""
    return 0 if _writer is None else _writer.refused


def flush(timeout: float) -> bool:
    """Wait until estimates are counted and all that is in the journal is acknowledged, or the time (seconds) is up."""
    deadline = time.monotonic() + timeout
    if _estimator is not None:
        _estimator.drain(max(0.0, deadline - time.monotonic()))
    if _writer is None or not _writer.opened:
        return True
    return _background is not None and _background.flush(max(0.0, deadline - time.monotonic()))


def before_close(action: Callable[[], object]) -> None:
    """Call `action` before the closing record is written."""
    _before_close.append(action)


def close() -> None:
    """Write the closing record and try once more to ship; a later append begins a new writer."""
    timeout = settings.current().exit_timeout
    for action in _before_close:
        action()
    if _estimator is not None:
        _estimator.drain(timeout)
    if _writer is not None:
        _writer.close()
    if _background is not None:
        _background.stop(timeout)


def _after_fork_in_child() -> None:
    """The child is a writer of its own: new identity, numbers and locks; the parent's files are closed, never unlocked."""
    global _lock, _writer, _background  # noqa: PLW0603
    _lock = threading.Lock()
    writer, _writer = _writer, None
    background, _background = _background, None
    if background is not None:
        background.let_go()
    if writer is not None:
        writer.let_go()
    if _estimator is not None:
        _estimator.reset_after_fork()


def _renew(_settings: settings.Settings) -> None:
    """After `configure()`: the next record begins a new writer under the new settings."""
    global _writer, _background
    with _lock:
        writer, _writer = _writer, None
        background, _background = _background, None
    if writer is not None:
        writer.close()
    if background is not None:
        threading.Thread(target=background.stop, args=(30.0,), name="tokentrail-closing", daemon=True).start()


os.register_at_fork(after_in_child=_after_fork_in_child)
settings.on_change(_renew)
