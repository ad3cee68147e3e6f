"""One provider call, from before it is made until its usage is recorded: what an instrumentation fills in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Answer", "Request"]


@dataclass(slots=True)
class Request:
    """What is known before the call. `texts` are the prompt's texts in order; they are hashed and measured, and leave the process nowhere."""

    provider: str  # who answers, not whose SDK is used
    endpoint: str  # chat, responses, completions, embeddings, generate, …
    gen_ai_operation: str  # the conventions' word: chat, text_completion, embeddings, generate_content
    token_type: str = "llm"  # noqa: S105 - a kind of token
    operation: str = "chat"  # the operation where no decorator names one
    model: str = ""
    stream: bool = False
    server_address: str = ""
    server_port: int = 0
    texts: Sequence[str] = ()
    sends: bool = False  # the SDK's function sends the request itself, and is not built upon another SDK


@dataclass(slots=True)
class Answer:
    """What the provider stated. `None` is "not stated", never 0. Totals hold their subsets (see `tokentrail.usage.Usage`)."""

    model: str = ""
    response_id: str = ""
    finish_reasons: Sequence[str] = ()
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    audio_input_tokens: int | None = None
    audio_output_tokens: int | None = None
    image_input_tokens: int | None = None
    image_output_tokens: int | None = None
    consumed_input_tokens: int | None = None
    consumed_output_tokens: int | None = None
    output_texts: Sequence[str] = ()  # measured, counted where none is stated, then let go; none: not known to be text, (""): known to be empty
    attempts: int = 1
    object_id: str = ""  # a provider's job (batch, background response): its id and …
    object_created: int = 0  # … its creation, unix seconds, make the key
