"""OpenAI's audio: transcriptions, translations and speech, and their streams; also of compatible APIs (Groq).

A usage of the type `tokens` has token counts. A usage of the type `duration` has seconds, which are no tokens: the counts stay unstated, and no text
is estimated, because no text was spent. Speech states its usage in a stream alone (`stream_format="sse"`); any other body is audio.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from tokentrail.instrumentation.contract import Answer, Endpoint, Reading
from tokentrail.integrations.shapes.json_objects import fields_of
from tokentrail.integrations.shapes.openai_completions import texts_of_embeddings

__all__ = ["AUDIO_PATHS", "TRANSCRIPTION", "AudioEvents", "add_audio_counts", "read_audio", "texts_of_audio"]


def texts_of_audio(_body: Mapping[str, Any]) -> Sequence[str]:
    """Returns nothing: audio is no text, and a prompt beside audio is not all of the input."""
    return ()


def add_audio_counts(answer: Answer, usage: Any) -> None:
    """Adds the counts of a usage object of audio or of Realtime, whose details are named in the singular."""
    fields = fields_of(usage)
    answer.input_tokens = fields.get("input_tokens")
    answer.output_tokens = fields.get("output_tokens")
    given = fields_of(fields.get("input_token_details") or fields.get("input_tokens_details"))
    answer.cache_read_tokens = given.get("cached_tokens")
    answer.cache_write_tokens = given.get("cache_write_tokens")
    answer.audio_input_tokens = given.get("audio_tokens")
    answer.image_input_tokens = given.get("image_tokens")
    made = fields_of(fields.get("output_token_details") or fields.get("output_tokens_details"))
    answer.reasoning_tokens = made.get("reasoning_tokens")
    answer.audio_output_tokens = made.get("audio_tokens")
    answer.image_output_tokens = made.get("image_tokens")


def read_audio(response: Any) -> Reading:
    """Reads a transcription, a translation, or the last event of a stream. Groq's id, and a usage if there is one, stand in `x_groq`."""
    fields = fields_of(response)
    groq = fields_of(fields.get("x_groq"))
    answer = Answer(model=fields.get("model") or "", response_id=groq.get("id") or "")
    usage = fields.get("usage") or groq.get("usage")
    if usage:
        add_audio_counts(answer, usage)
    text = fields.get("text") or fields.get("transcript")
    if answer.output_tokens is not None and isinstance(text, str):
        answer.output_texts = (text,)
    return answer, "complete"


class AudioEvents:
    """Collects a stream of a transcription or of speech, of which the last event states the usage.

    A body that is no stream and no JSON (plain text, subtitles) states nothing.
    """

    __slots__ = ("failed", "last", "streams", "texts")

    def __init__(self, body: Mapping[str, Any], _asked: bool) -> None:
        self.failed = False
        self.last: Any = None
        self.streams = body.get("stream") is True or body.get("stream_format") == "sse"
        self.texts: list[str] = []

    def absorb(self, event: Any) -> bool:
        """Takes an event's text or usage. The usual event, an SDK's model of a piece of text, costs no further call."""
        try:
            text = event.delta
            if event.type == "transcript.text.delta" and type(text) is str:
                self.texts += (text,)
                return False
        except AttributeError:
            pass
        fields = fields_of(event)
        kind = fields.get("type")
        if kind == "transcript.text.delta":
            if isinstance(text := fields.get("delta"), str):
                self.texts.append(text)
        elif kind in _DONE:
            self.last = fields
        elif kind == "error" or fields.get("error"):
            self.failed = True
        return False

    def reading(self, *, exhausted: bool) -> Reading:
        """Returns the answer so far."""
        if self.last is not None:
            return read_audio(self.last)
        if exhausted and not (self.streams or self.failed):
            return Answer(), "complete"
        return Answer(output_texts=self.texts), "error" if self.failed else "partial"


_DONE: Final = ("transcript.text.done", "speech.audio.done")

TRANSCRIPTION: Final = Endpoint(
    name="transcriptions", gen_ai_operation="generate_content", operation="generation", texts=texts_of_audio, read=read_audio, chunks=AudioEvents
)
AUDIO_PATHS: Final = {
    "audio/transcriptions": TRANSCRIPTION,
    "audio/translations": replace(TRANSCRIPTION, name="translations"),
    "audio/speech": replace(TRANSCRIPTION, name="speech", texts=texts_of_embeddings),
}
