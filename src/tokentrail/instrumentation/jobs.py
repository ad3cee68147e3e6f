"""Reads what answers tell of jobs, while the caller reads the answer: one JSON object, or lines of JSON, one a result.

A result is recorded as soon as its line was read, so results that are read only in part count in part; a line that is torn is none.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any, Final

import msgspec

from tokentrail.attribution import Attribution, attribution
from tokentrail.instrumentation.around import sanitized
from tokentrail.instrumentation.contract import Endpoint, Exchange, Request
from tokentrail.recording import nesting
from tokentrail.recording.jobs import record_finding
from tokentrail.recording.runtime import current, internal_error

__all__ = ["JobReader", "job_exchange"]

MAX_BYTES: Final = 16 * 1024 * 1024
"""Bytes of one line that are kept until its end; a longer one is not read."""
MANY_BYTES: Final = 512 * 1024
"""A whole body of more bytes is read in another thread: the lines of ten thousand results take some tenths of a second."""

_BLANKS: Final = b"\xef\xbb\xbf \t\r\n"
_begins_object = re.compile(rb"\s*\{\s*\n").match
_line_ends = re.compile(rb"\r\n|\n|\r").split


def job_exchange(endpoint: Endpoint, server: Any, args: tuple[Any, ...], kwargs: dict[str, Any], model: str = "") -> Exchange:
    """Returns the exchange of a call that may tell of a job; the transport gives it `deliver`. Nothing is recorded if the call fails."""
    request = endpoint.request(server, {}, model, False)
    return Exchange(request=request, args=args, kwargs=kwargs, read=_read_nothing, deferred=True)


def _read_nothing(_result: Any) -> None:
    return None


class JobReader:
    """Collects the findings of an answer. `name`: the id in the request's path."""

    __slots__ = ("_block", "_find", "_name", "_parts", "_request", "_size", "reads")

    def __init__(self, endpoint: Endpoint, name: str, request: Request) -> None:
        self._find = endpoint.findings
        self._name = name
        self._request = request
        self._block: Attribution | None = attribution.get()  # that of the call, not of the reader
        self._parts: list[bytes] = []
        self._size = 0
        self.reads = True
        """False as soon as the bytes are known to be no JSON objects: a picture, a video."""

    def absorb_guarded(self, part: Any) -> None:
        """Takes the next bytes; an exception is counted, and not raised."""
        try:
            self.absorb(part)
        except Exception as failure:
            internal_error("jobs", failure)

    def absorb(self, part: Any) -> bool:
        """Takes the next bytes, decoded, or an SDK's object of one line."""
        if not isinstance(part, (bytes, bytearray)):
            self._take(part)
            return False
        part = bytes(part)
        if not self._parts and not self._size and part.strip():
            self.reads = self.reads and part.lstrip(_BLANKS)[:1] == b"{"
        if not self.reads:
            return False
        self._size += len(part)
        if self._size <= MAX_BYTES:
            self._parts.append(part)
        else:
            self._parts.clear()
        if b"\n" in part and not self._is_object():
            lines, _, rest = (b"".join(self._parts) or part).rpartition(b"\n")
            if self._size <= MAX_BYTES:
                self._take_lines(lines)
            self._parts, self._size = [rest], len(rest)
        return False

    def _is_object(self) -> bool:
        """Whether the bytes so far are the beginning of one JSON object over many lines."""
        if len(self._parts) > 1:
            self._parts = [b"".join(self._parts)]
        return bool(self._parts) and _begins_object(self._parts[0]) is not None

    def reading(self, *, exhausted: bool) -> None:
        """Reads a last line without an end. All is recorded already: a job's answer is no call of its own."""
        parts, self._parts = self._parts, []
        if exhausted and parts and self._size <= MAX_BYTES:
            self._take_lines(b"".join(parts))

    def read_whole(self, value: Any) -> None:
        """Reads a whole body: its bytes, or the SDK's result."""
        if isinstance(value, str):
            value = value.encode("utf-8", "surrogatepass")
        if not isinstance(value, (bytes, bytearray)):
            self._take(value)
            return
        value = bytes(value)
        if value.lstrip(_BLANKS)[:1] != b"{":
            return
        if len(value) <= MANY_BYTES:
            self._take_lines(value)
        else:
            deferred = current.runtime.deferred
            deferred.do_later(partial(self._take_lines, value))
            if not deferred.running:
                deferred.start()

    def _take_lines(self, text: bytes) -> None:
        whole = _parsed(text) if _begins_object(text) or b"\n" not in text.rstrip() else None
        if whole is not None:
            self._take(whole)
            return
        for line in _line_ends(text):
            if line and (value := _parsed(line)) is not None:
                self._take(value)

    def _take(self, value: Any) -> None:
        if self._find is None or isinstance(nesting.inside.get(), nesting.Probe):
            return
        try:
            for finding in self._find(self._name, value):
                if finding.reading is not None:
                    finding.reading = sanitized(finding.reading[0], 1), finding.reading[1]
                record_finding(current.runtime, self._request, finding, self._block)
        except Exception as failure:  # the next line may be a good one
            internal_error("jobs", failure)


def _parsed(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return None
