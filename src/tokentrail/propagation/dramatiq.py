"""Dramatiq: a middleware, and each message is processed under the attribution of who sent the message.

    broker = RedisBroker()
    broker.add_middleware(AttributionMiddleware())

The attribution is an option of the message, `tokentrail`, which retries, delays and redeliveries keep. It is in force until the message is
acknowledged, so that the next message of a pipeline, a group's callback and what Dramatiq sends after the last retry have it too, wherever the
middleware stands among others.
"""

from __future__ import annotations

import threading
from typing import Any

from tokentrail.propagation.carrier import inject
from tokentrail.propagation.tasks import begin, end
from tokentrail.recording.runtime import internal_error
from tokentrail.tracking.values import instrument_once
from tokentrail.tracking.wrapping import Entered

try:
    from dramatiq import Broker, Message
    from dramatiq.broker import MessageProxy
    from dramatiq.middleware import Middleware
except ImportError as error:
    raise ImportError('tokentrail.propagation.dramatiq needs Dramatiq: pip install "dramatiq[redis]"') from error

__all__ = ["AttributionMiddleware"]


class _OfThread(threading.local):
    """The message that a worker's thread processes."""

    message_id: str = ""
    entered: Entered | None = None


class AttributionMiddleware(Middleware):
    """A middleware of a Dramatiq broker, where messages are sent and where they are processed."""

    def __init__(self) -> None:
        self._processed = _OfThread()
        instrument_once()  # before Dramatiq starts its processes

    def before_enqueue(self, broker: Broker, message: Message[Any], delay: int) -> None:  # noqa: ARG002 - Dramatiq's hooks
        """Writes the attribution in force into the message. Without one, a message that is sent again keeps what it has."""
        inject(message.options)

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002 - same
        """Puts the message's attribution in force."""
        try:
            self._processed.entered, self._processed.message_id = begin(message.options), message.message_id
        except Exception as error:
            internal_error("propagation.dramatiq", error)

    def after_ack(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002 - same
        """Takes the message's attribution away."""
        if message.message_id == self._processed.message_id:
            entered, self._processed.entered, self._processed.message_id = self._processed.entered, None, ""
            end(entered)

    def after_nack(self, broker: Broker, message: MessageProxy) -> None:
        """Takes the attribution of a message that has failed away."""
        self.after_ack(broker, message)
