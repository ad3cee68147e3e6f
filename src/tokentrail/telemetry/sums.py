"""Token sums by attribute set, which the SDK reads at each export.

Token counters are *observable*: the call path adds to a small table. The table is cumulative by nature, costs a dictionary look-up instead of 82
function calls per counter (opentelemetry-sdk 1.45.2), and is emptied after a fork, where sums of the parent would otherwise be exported twice.
"""

from __future__ import annotations

from typing import Any, Final

from tokentrail import semconv
from tokentrail.process.mutexes import Mutex
from tokentrail.usage import Usage

__all__ = ["COUNTERS", "MOST_TOKENS", "USUAL_PORT", "Key", "Sums", "attributes_of"]

COUNTERS: Final = (
    (semconv.METRIC_INPUT_TOKENS, "Input tokens, cached ones included"),
    (semconv.METRIC_OUTPUT_TOKENS, "Output tokens, reasoning included"),
    (semconv.METRIC_CACHE_READ_TOKENS, "Input tokens read from the provider's cache"),
    (semconv.METRIC_CACHE_WRITE_TOKENS, "Input tokens written to the provider's cache"),
    (semconv.METRIC_REASONING_TOKENS, "Output tokens spent on reasoning"),
)
"""Name and description of each counter, in the order of a row."""
USUAL_PORT: Final = 443
"""The port that is left out, as in the official instrumentations: the conventions require a port only if the port is another one."""
MOST_SERIES: Final = 2000
"""The number of attribute sets that the SDK keeps for an instrument; all further sets share one series marked as overflow."""

MOST_TOKENS: Final = 10**12
"""Of one call; more is no count, as in the ledger: sums beyond 64 bits would end the export of all metrics of the process, the application's too."""

Key = tuple[Any, ...]
"""An attribute set: the arguments of `attributes_of`."""
_OVERFLOW: Final[Key] = ("", "", "", "", "", 0)


class Sums:
    """A row of sums for each attribute set."""

    __slots__ = ("_rows", "mutex")

    def __init__(self) -> None:
        self._rows: dict[Key, list[int]] = {}
        self.mutex = Mutex()

    def add(self, usage: Usage, key: Key) -> None:
        """Adds a usage to the sums of its attribute set; a call without counts adds 0, as the conventions require."""
        into, out = usage.input_tokens or 0, usage.output_tokens or 0
        read, written, reasoning = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0, usage.reasoning_tokens or 0
        if not 0 <= into | out | read | written | reasoning <= MOST_TOKENS:
            into, out, read, written, reasoning = (count if 0 <= count <= MOST_TOKENS else 0 for count in (into, out, read, written, reasoning))
        with self.mutex.lock:
            row = self._rows.get(key)
            if row is None:
                row = self._rows.setdefault(key if len(self._rows) < MOST_SERIES else _OVERFLOW, [0, 0, 0, 0, 0])
            row[0] += into
            row[1] += out
            row[2] += read
            row[3] += written
            row[4] += reasoning

    def series(self, place: int, *, embeddings: bool) -> list[tuple[int, dict[str, Any]]]:
        """Returns the sums and attributes of one counter (`place` in `COUNTERS`), of all embeddings or of all other calls."""
        with self.mutex.lock:
            rows = [(key, row[place]) for key, row in self._rows.items() if (key[0] == "embeddings") is embeddings]
        return [(value, _series_attributes(key)) for key, value in rows]

    def forget(self) -> None:
        """Removes all sums in a forked child: the parent reports its own sums."""
        self._rows.clear()


def _series_attributes(key: Key) -> dict[str, Any]:
    operation, provider, request_model, response_model, address, port = key
    if not operation:
        return {semconv.METRIC_OVERFLOW: True}
    attributes = attributes_of(operation, provider, request_model, response_model, address, port)
    attributes[semconv.TOKEN_MODALITY] = "unknown"  # the providers' totals are not split by modality; guessing text is not allowed
    return attributes


def attributes_of(operation: str, provider: str, request_model: str, response_model: str, address: str, port: int) -> dict[str, Any]:
    """Returns the attributes by which all metrics are split; unknown values are absent, not empty."""
    attributes: dict[str, Any] = {semconv.GEN_AI_OPERATION: operation, semconv.PROVIDER: provider}
    if request_model:
        attributes[semconv.REQUEST_MODEL] = request_model
    if response_model:
        attributes[semconv.RESPONSE_MODEL] = response_model
    if address:
        attributes[semconv.SERVER_ADDRESS] = address
    if port not in (0, USUAL_PORT):
        attributes[semconv.SERVER_PORT] = port
    return attributes
