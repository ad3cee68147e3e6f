"""The records of the journal: usages, refused numbers, closing records."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

__all__ = ["Closing", "Refused", "Usage", "rank_of", "source_of"]


Number = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""An integer of 64 bits. The bounds are checked when a record is read from the journal, not on the call."""


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="usage", tag_field="event"):
    """The tokens of one call, with all facts of the call. `None` is "not stated", never 0.

    Totals include their subsets: `input_tokens` includes cache reads and writes, `output_tokens` includes reasoning. Subsets are never added.
    Times are UTC nanoseconds. A struct and no dataclass: building a struct with 20 fields is a single C call, and msgspec encodes structs directly.
    """

    # identity
    key: str
    key_kind: str = "automatic"
    key_time: Number = 0  # time in ns that the key states; 0 for an opaque key
    call: Number = 0  # number of the writer's first record of this call; 0: this record is the first
    ts: Number  # the call's start
    # attribution
    tenant_id: str = ""
    operation: str = ""  # unchanged; ClickHouse maps the text to the enum and keeps the text
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
    server_port: Number = 0
    stream: bool = False
    ended: str = "complete"
    error_type: str = ""
    attempts: Number = 1
    calls: Number = 1  # signed: a correction may subtract calls
    duration_ns: Number | None = None
    time_to_first_chunk_ns: Number | None = None
    trace_id: str = ""
    span_id: str = ""
    # every count (numbers), written by `make docs`
    input_tokens: Number | None = None
    output_tokens: Number | None = None
    cache_read_tokens: Number | None = None
    cache_write_tokens: Number | None = None
    reasoning_tokens: Number | None = None
    audio_input_tokens: Number | None = None
    audio_output_tokens: Number | None = None
    image_input_tokens: Number | None = None
    image_output_tokens: Number | None = None
    consumed_input_tokens: Number | None = None
    consumed_output_tokens: Number | None = None
    cache_write_1h_tokens: Number | None = None
    # every count, end
    input_source: str = "unknown"
    output_source: str = "unknown"
    tokenizer: str = ""
    # text statistics
    input_chars: Number | None = None
    output_chars: Number | None = None
    texts: Number | None = None
    corrects_key: str = ""
    origin: str = "recorded"
    instrumentation: str = ""  # the scope whose span or event states a bridged usage

    @property
    def source(self) -> str:
        """The weaker of `input_source` and `output_source`."""
        return source_of(self.input_source, self.output_source)

    @property
    def rank(self) -> tuple[int, int]:
        """The rank, which decides which of two records of one key counts; see `rank_of`."""
        return rank_of(self.input_source, self.output_source)

    def as_dict(self) -> dict[str, Any]:
        """Returns all fields, and `source`."""
        return msgspec.structs.asdict(self) | {"source": self.source}


class Refused(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="refused", tag_field="event"):
    """The numbers of refused records, which the journal could not take (disk full, bound reached): `[[first, last], …]`.

    `damaged`: the journal took the records, and cannot read them any more; the shipper reports these numbers while the writer lives.
    """

    ranges: list[tuple[int, int]]
    ts: int
    damaged: bool = False


class Closing(msgspec.Struct, frozen=True, kw_only=True, tag="closing", tag_field="event"):
    """The closing record of a writer: the highest number that the writer gave. Written by the writer, or by the adopter of its journal."""

    last_seq: int
    ts: int
    closed_by: str = ""  # writer id of the adopter; empty: the writer itself
    damaged: list[tuple[int, int]] = []  # numbers whose frames are torn


_RANK = {"unknown": 0, "estimated": 1, "reported": 2}


def source_of(input_source: str, output_source: str) -> str:
    """Returns the weaker of two sources, which is the source of the usage."""
    return min(input_source, output_source, key=lambda source: _RANK.get(source, 0))


def rank_of(input_source: str, output_source: str) -> tuple[int, int]:
    """Returns the rank of a record among the records of its key: the weaker source, then the stronger source. The highest rank counts.

    So a record with one estimated half replaces a record with none, and is replaced by a record with two. ClickHouse computes the same (`version`).
    """
    halves = _RANK.get(input_source, 0), _RANK.get(output_source, 0)
    return min(halves), max(halves)
