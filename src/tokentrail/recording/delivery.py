"""Where usages go: a protocol, with the journal (`tokentrail.journal.process`) and memory behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from tokentrail.usage import Usage

__all__ = ["Delivery", "Estimate", "Memory", "Texts"]


class Texts(NamedTuple):
    """The texts of a call whose provider stated no counts. They are counted in the background, and then let go."""

    input: Sequence[str]
    output: Sequence[str]


class Estimate(Protocol):
    """The estimator's entrance: counts in the background, gives the completed usage to `append`, and calls `settle` when nothing more comes."""

    def __call__(self, usage: Usage, texts: Texts, append: Callable[[Usage], None], settle: Callable[[], None]) -> None:
        """Count later; `usage.call` names the record that is completed."""


class Delivery(Protocol):
    """What takes usages. A call keeps the delivery that it began with: neither a late stream nor a late estimate goes to another one."""

    def append(self, usage: Usage, texts: Texts | None = None) -> int:
        """Take a usage before returning: its number, or minus its number if the usage was refused. Never blocks on the network.

        With `texts`, the usage is completed in the background and appended once more, as a higher rank of the same key.
        """

    def flush(self, timeout: float) -> bool:
        """Wait until all that was appended is acknowledged, or the time (seconds) is up. True if it is."""

    def close(self, deadline: float) -> None:
        """Deliver what can be delivered until `deadline` (`time.monotonic`). A later append is taken all the same."""


class Memory:
    """Usages handed to a function of this process, for tests."""

    __slots__ = ("_estimate", "_take")

    def __init__(self, take: Callable[[Usage], None], estimate: Estimate) -> None:
        self._take = take
        self._estimate = estimate

    def append(self, usage: Usage, texts: Texts | None = None) -> int:
        """Hand the usage over."""
        self._take(usage)
        if texts is not None:
            self._estimate(replace(usage, call=1), texts, self._take, _nothing)
        return 1

    def flush(self, timeout: float) -> bool:  # noqa: ARG002 - the protocol's
        """Answer at once: nothing waits."""
        return True

    def close(self, deadline: float) -> None:
        """Do nothing: nothing waits."""


def _nothing() -> None:
    pass
