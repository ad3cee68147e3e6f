"""Sessions: calls of a model over one connection that stays open. A dialect says which of the session's events begin and end a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tokentrail.instrumentation.contract import Endpoint

__all__ = ["Dialect"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How the events of an API's sessions read. An event is a JSON object with a `type`.

    `marks`: bytes of which one stands in every message that is read; a session sends much audio, which is not parsed.
    `texts`: the field with a piece of text, by the type of the event: of most messages that are read nothing else is.
    `begins`, `ends`: the endpoint of a call by the type of the call's first and last event; a last event without a first one is a whole call.
    `identify`: the id of an event's call; "" where the event does not name its call, which then is the last that began.
    `settings`: the session's settings in an event, or None; the newest are passed to the endpoint's `chunks` as the request.
    `model_of`: the model of an endpoint that is not the session's own, from these settings; None for the session's own model.
    `asks`: the type of the events by which the application begins a call; its fields are the call's request.
    `wrapping`: the types of the events that have the event inside, in the field `event`.
    `claims`: several connections may see one call; so the call is recorded under the id of its answer, and counts once.
    """

    marks: tuple[bytes, ...]
    texts: Mapping[str, str]
    begins: Mapping[str, Endpoint]
    ends: Mapping[str, Endpoint]
    identify: Callable[[Mapping[str, Any]], Any]
    settings: Callable[[Mapping[str, Any]], Any] = lambda _event: None
    model_of: Callable[[Endpoint, Mapping[str, Any]], Any] = lambda _endpoint, _settings: None
    asks: str = ""
    wrapping: frozenset[str] = frozenset()
    claims: bool = False
