"""What the queues share: a worker's task has the attribution of who sent the task, and nothing of the task before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tokentrail.attribution import attribution
from tokentrail.propagation.carrier import carried_in
from tokentrail.recording.runtime import internal_error
from tokentrail.tracking.values import instrument_once
from tokentrail.tracking.wrapping import Entered, leave

__all__ = ["begin", "end"]


def begin(carrier: Mapping[str, Any] | None) -> Entered:
    """Puts the attribution of a task's carrier in force, none where the carrier has none; never raises.

    What is in force before is no matter: a task that was cut off (a time limit) may have left its attribution in the worker's thread.
    """
    instrument_once()
    token = attribution.set(None)
    block = carried_in(carrier)
    if block is not None:
        attribution.set(block)
    return token, None


def end(entered: Entered | None) -> None:
    """Takes a task's attribution away; never raises, also where the task has ended elsewhere."""
    if entered is not None:
        try:
            leave(entered)
        except Exception as error:
            internal_error("propagation.tasks", error)
