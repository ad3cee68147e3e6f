"""Celery: `connect_signals()`, once beside the application, and each task runs under the attribution of who sent the task.

    app = Celery("service", broker=…)
    connect_signals()

The attribution is a header of the message, `tokentrail`, which Celery keeps in retries and redeliveries. Steps of a chain, members of a group, bodies
of chords and callbacks are sent by the process that runs the task before them, and have its attribution. A header of that name that the caller of
`apply_async` sets stays. A task that runs in the caller's process (`apply`, `task_always_eager`) has the caller's attribution.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

from tokentrail.propagation.carrier import KEY, inject
from tokentrail.propagation.tasks import begin, end
from tokentrail.recording.runtime import internal_error
from tokentrail.tracking.values import instrument_once
from tokentrail.tracking.wrapping import Entered

try:
    from celery import signals
except ImportError as error:
    raise ImportError("tokentrail.propagation.celery needs Celery: pip install celery") from error

__all__ = ["connect_signals", "disconnect_signals"]

_running: Final[WeakKeyDictionary[Any, Entered]] = WeakKeyDictionary()
"""By request: one task may run in several threads of a worker at once, and an eager task inside another one."""


def connect_signals() -> None:
    """Connects Celery's signals, in the processes that send tasks and in those that run them. Once is enough, and twice is as once."""
    instrument_once()  # before a pool forks its processes
    for signal, receiver in _RECEIVERS:
        signal.connect(receiver, weak=False, dispatch_uid=_uid(receiver))


def disconnect_signals() -> None:
    """Undoes `connect_signals`."""
    for signal, receiver in _RECEIVERS:
        signal.disconnect(receiver, dispatch_uid=_uid(receiver))


def _sent(headers: Any = None, **_: Any) -> None:
    """Writes the sender's attribution into a message. A message that is sent again keeps the first sender's."""
    try:
        if headers is not None and KEY not in headers:
            inject(headers)
    except Exception as error:
        internal_error("propagation.celery", error)


def _begun(task: Any = None, **_: Any) -> None:
    try:
        request = task.request
        carrier = _carrier(request)
        if not request.is_eager or KEY in carrier:
            _running[request] = begin(carrier)
    except Exception as error:
        internal_error("propagation.celery", error)


def _ended(task: Any = None, **_: Any) -> None:
    try:
        end(_running.pop(task.request, None))
    except Exception as error:
        internal_error("propagation.celery", error)


def _carrier(request: Any) -> Mapping[str, Any]:
    """Returns the headers of a task's message that are not Celery's own."""
    headers = request.headers
    return headers if isinstance(headers, Mapping) else {}


def _uid(receiver: Any) -> str:
    return f"{__name__}.{receiver.__name__}"


_RECEIVERS: Final = (
    (signals.before_task_publish, _sent),
    (signals.task_prerun, _begun),
    (signals.task_postrun, _ended),
)
