"""OpenAI's sessions: Realtime, Responses over a websocket, and Live, whose model delegates to Responses and Decisions.

Realtime states the usage of each response in `response.done`; a transcription of the user's audio is a call of another model, with its own usage.
Live states its own audio in seconds, which are no tokens; the responses and decisions that Live delegates are stated in tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from tokentrail.instrumentation.contract import Endpoint, Reading
from tokentrail.integrations.shapes.json_objects import fields_of
from tokentrail.integrations.shapes.openai_audio import TRANSCRIPTION, add_audio_counts, read_audio, texts_of_audio
from tokentrail.integrations.shapes.openai_responses import DELTAS, read_response, texts_of_response_request
from tokentrail.integrations.shapes.sessions import Dialect

__all__ = ["DECISION", "REALTIME", "RealtimeEvents", "TranscribedEvents", "live", "read_realtime", "responses_over_websocket"]


def read_realtime(response: Any) -> Reading:
    """Reads a response of a session: a response of the Responses API, with the usage's details in the singular."""
    answer, ended = read_response(response)
    usage = fields_of(response).get("usage")
    if usage is not None:
        add_audio_counts(answer, usage)
    return answer, ended


class RealtimeEvents:
    """Collects the events of one response of a session. The response does not name its model: the model is that of the session."""

    __slots__ = ("model", "response", "texts")

    def __init__(self, settings: Mapping[str, Any], _asked: bool) -> None:
        self.model = settings.get("model")
        self.response: Any = None
        self.texts: list[str] = []

    def absorb(self, event: Any) -> bool:
        """Takes an event's text or response."""
        fields = fields_of(event)
        if "response" in fields:
            self.response = fields["response"]
        elif isinstance(text := fields.get("delta"), str):
            self.texts.append(text)
        return False

    def reading(self, *, exhausted: bool) -> Reading:  # noqa: ARG002 - a response without its last event was interrupted
        """Returns the answer so far."""
        answer, ended = read_realtime(self.response)
        answer.model = answer.model or self.model or ""
        answer.output_texts = answer.output_texts or self.texts
        return answer, ended


class TranscribedEvents:
    """Collects a transcription of the user's audio: one event. The model is that of the session's settings."""

    __slots__ = ("event", "model")

    def __init__(self, settings: Mapping[str, Any], _asked: bool) -> None:
        self.event: Any = None
        self.model = _model_of_transcription(settings)

    def absorb(self, event: Any) -> bool:
        """Takes the event."""
        self.event = event
        return False

    def reading(self, *, exhausted: bool) -> Reading:  # noqa: ARG002 - one event is whole
        """Returns the answer."""
        answer, ended = read_audio(self.event)
        answer.model = answer.model or self.model or ""
        return answer, "error" if fields_of(self.event).get("error") else ended


class DecidedEvents:
    """Collects a decision that Live's model delegated: one event."""

    __slots__ = ("decision",)

    def __init__(self, _settings: Mapping[str, Any], _asked: bool) -> None:
        self.decision: Any = None

    def absorb(self, event: Any) -> bool:
        """Takes the event."""
        self.decision = fields_of(event).get("decision")
        return False

    def reading(self, *, exhausted: bool) -> Reading:  # noqa: ARG002 - one event is whole
        """Returns the answer."""
        return read_response(self.decision)


def _settings_in(event: Mapping[str, Any]) -> Any:
    """Returns the session's settings of the events `session.created` and `session.updated`."""
    return event.get("session") if str(event.get("type")).endswith(("session.created", "session.updated")) else None


def _model_of_transcription(settings: Mapping[str, Any]) -> Any:
    """Returns the model that transcribes the user's audio; the place has changed since the API's beta."""
    heard = fields_of(fields_of(settings.get("audio")).get("input"))
    for place in (heard.get("transcription"), settings.get("input_audio_transcription")):
        if model := fields_of(place).get("model"):
            return model
    return ""


def _model_of(endpoint: Endpoint, settings: Mapping[str, Any]) -> Any:
    return _model_of_transcription(settings) if endpoint is HEARD else None


def _id_of_response(event: Mapping[str, Any]) -> Any:
    """Returns the id of an event's response; of a transcription, that of its item."""
    return fields_of(event.get("response")).get("id") or event.get("response_id") or event.get("item_id") or ""


def _id_in_snapshot(event: Mapping[str, Any]) -> Any:
    """Returns the id of the response in an event; the events between the first and the last one name no response."""
    return fields_of(event.get("response")).get("id") or ""


DECISION: Final = Endpoint(
    name="decisions", gen_ai_operation="chat", operation="classification", texts=texts_of_response_request, read=read_response, chunks=DecidedEvents
)
SPOKEN: Final = Endpoint(name="realtime", gen_ai_operation="chat", operation="chat", texts=texts_of_audio, read=read_realtime, chunks=RealtimeEvents)
HEARD: Final = replace(TRANSCRIPTION, chunks=TranscribedEvents)
_HEARD: Final = "conversation.item.input_audio_transcription."
REALTIME: Final = Dialect(
    marks=(
        b'"response.output_text.delta"',
        b'"response.text.delta"',  # of the beta
        b'"response.created"',
        b'"response.done"',
        b'input_audio_transcription.completed"',
        b'input_audio_transcription.failed"',
        b'session.created"',
        b'session.updated"',
    ),
    texts=dict.fromkeys(("response.output_text.delta", "response.text.delta"), "delta"),
    begins={"response.created": SPOKEN},
    ends={"response.done": SPOKEN, f"{_HEARD}completed": HEARD, f"{_HEARD}failed": HEARD},
    identify=_id_of_response,
    settings=_settings_in,
    model_of=_model_of,
)
_LAST_OF_RESPONSE: Final = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")


def responses_over_websocket(endpoint: Endpoint) -> Dialect:
    """Returns the dialect of Responses over a websocket: the events of a stream, one response after the other."""
    return Dialect(
        marks=(b'"response.', b'"error"'),
        texts=dict.fromkeys(DELTAS, "delta"),
        begins={"response.created": endpoint},
        ends=dict.fromkeys((*_LAST_OF_RESPONSE, "error"), endpoint),
        identify=_id_in_snapshot,
        asks="response.create",
    )


def live(endpoint: Endpoint) -> Dialect:
    """Returns the dialect of Live: the events of the responses and decisions that Live's model delegates."""
    return Dialect(
        marks=(b'"response.event"', b'"decision.event"'),
        texts=dict.fromkeys(DELTAS, "delta"),
        begins={"response.created": endpoint},
        ends={**dict.fromkeys(_LAST_OF_RESPONSE, endpoint), "decision.completed": DECISION},
        identify=_id_in_snapshot,
        wrapping=frozenset({"response.event", "decision.event"}),
        claims=True,
    )
