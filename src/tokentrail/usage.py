"""What a usage is: one value per provider call, as it goes into the journal."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Closing", "Refused", "Usage", "rank_of", "source_of"]


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="usage", tag_field="event"):
    """One call's tokens, and all that is known about the call. `None` is "not stated", never 0.

    Totals hold their subsets: `input_tokens` includes cache reads and writes, `output_tokens` includes reasoning. Subsets are never added.
    Times are UTC nanoseconds. A struct and not a dataclass: building one with 20 fields is a single C call, and msgspec writes it as it is.
    """

    # identity
    key: str
    key_kind: str = "automatic"
    key_time: int = 0  # ns that the key itself states; 0 for an opaque key
    call: int = 0  # number of the writer's record that first told of this call; 0: this record itself
    ts: int  # the call's start
    # attribution
    tenant_id: str = ""
    operation: str = ""  # as given; ClickHouse maps it to the enum and keeps this text
    token_type: str = "llm"  # noqa: S105 - a kind of token
    operation_id: str = ""
    metadata: str = ""  # a JSON object
    metadata_cut: bool = False
    # the call
    endpoint: str = ""  # chat, responses, completions, embeddings, generate, …
    gen_ai_operation: str = ""
    provider: str = ""
    request_model: str = ""
    response_model: str = ""
    response_id: str = ""
    model_family: str = ""
    server_address: str = ""
    server_port: int = 0
    stream: bool = False
    ended: str = "complete"
    error_type: str = ""
    attempts: int = 1
    calls: int = 1  # signed: a correction may take calls back
    duration_ns: int | None = None
    time_to_first_chunk_ns: int | None = None
    trace_id: str = ""
    span_id: str = ""
    # every count (fields), written by `make docs`
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
    cache_write_1h_tokens: int | None = None
    # every count, end
    input_source: str = "unknown"
    output_source: str = "unknown"
    tokenizer: str = ""
    # text statistics
    input_chars: int | None = None
    output_chars: int | None = None
    texts: int | None = None
    corrects_key: str = ""

    @property
    def source(self) -> str:
        """The weaker of `input_source` and `output_source`."""
        return source_of(self.input_source, self.output_source)

    @property
    def rank(self) -> tuple[int, int]:
        """What decides which of two records of one key counts; see `rank_of`."""
        return rank_of(self.input_source, self.output_source)

    def as_dict(self) -> dict[str, Any]:
        """All fields, with `source`."""
        return msgspec.structs.asdict(self) | {"source": self.source}


class Refused(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="refused", tag_field="event"):
    """Numbers that were given to records which the journal could not take (disk full, bound reached): `[[first, last], …]`.

    `damaged`: the journal took these records, and they cannot be read any more; it is said on the way out, while their writer lives.
    """

    ranges: list[tuple[int, int]]
    ts: int
    damaged: bool = False


class Closing(msgspec.Struct, frozen=True, kw_only=True, tag="closing", tag_field="event"):
    """A writer's last word: its highest number. Written by itself, or by whoever adopts its journal."""

    last_seq: int
    ts: int
    closed_by: str = ""  # writer id of the adopter; empty: itself
    damaged: list[tuple[int, int]] = []  # numbers whose frames are torn


_RANK = {"unknown": 0, "estimated": 1, "reported": 2}


def source_of(input_source: str, output_source: str) -> str:
    """The weaker of two sources: a usage is only as good as its worse half."""
    return min(input_source, output_source, key=lambda source: _RANK.get(source, 0))


def rank_of(input_source: str, output_source: str) -> tuple[int, int]:
    """The rank of a record among those of its key: its worse half, then its better one. The higher one counts.

    So a record with one half estimated replaces the one with none, and is replaced by one with both. ClickHouse computes the same (`version`).
    """
    halves = _RANK.get(input_source, 0), _RANK.get(output_source, 0)
    return min(halves), max(halves)
