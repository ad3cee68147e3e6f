"""Google's interactions that are read again, with `get` or `cancel`: an interaction in the background is a job, and counts once, under its own id.

An interaction does not say that it runs in the background (`background` is "Input only" in Google's SDK), and one that does not was counted by the
call that created it. So an interaction is a job if this process has created it in the background, or has seen it unfinished. A process that sees
nothing but the end of another process's interaction records nothing: a row too few is rarer than a row twice for all who read old conversations.
"""

from __future__ import annotations

from typing import Any

from tokentrail.instrumentation.contract import Answer, Reading
from tokentrail.integrations.shapes.interactions import InteractionEvents, read_unfinished
from tokentrail.integrations.shapes.json_objects import fields_of, unix_seconds
from tokentrail.recording.runtime import current

__all__ = ["NewInteractionEvents", "PolledEvents", "read_new_interaction", "read_polled_interaction"]


def read_polled_interaction(body: Any) -> Reading | None:
    """Reads an interaction that was created before: its usage, if the interaction is a job that has ended; else None."""
    interaction = fields_of(body)
    name, unfinished = interaction.get("id"), current.runtime.jobs.unfinished
    if not isinstance(name, str) or not name:
        return None
    reading = read_unfinished(interaction)
    if reading is None:
        if isinstance(interaction.get("status"), str):
            unfinished.note(name, True)
        return None
    if name not in unfinished:
        return None
    reading[0].object_id, reading[0].object_created = name, unix_seconds(interaction.get("created"))
    return reading


def read_new_interaction(body: Any) -> Reading | None:
    """Reads the answer to the call that created an interaction in the background, which seldom has ended by then."""
    interaction = fields_of(body)
    name = interaction.get("id")
    if not isinstance(name, str) or not name:
        return None
    current.runtime.jobs.unfinished.note(name, True)
    created = Answer(object_id=name, object_created=unix_seconds(interaction.get("created")))
    return read_polled_interaction(interaction) or (created, "created")


class PolledEvents(InteractionEvents):
    """Collects the stream of an interaction that was created before."""

    __slots__ = ()

    def reading(self, *, exhausted: bool) -> Reading | None:  # noqa: ARG002 - a job goes on without its stream
        """Returns the job's answer; None before its end."""
        return read_polled_interaction(self.interaction)


class NewInteractionEvents(InteractionEvents):
    """Collects the stream of the call that created an interaction in the background, which goes on without its stream."""

    __slots__ = ()

    def reading(self, *, exhausted: bool) -> Reading | None:  # noqa: ARG002 - a job goes on without its stream
        """Returns the job's answer, or that the job was created."""
        return read_new_interaction(self.interaction)
