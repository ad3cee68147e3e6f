"""Deliveries, which take usages: the protocol, implemented by the journal (`tokentrail.journal.process`), by `log_delivery` and `Memory`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from msgspec.structs import replace

from tokentrail.usage import Usage

__all__ = ["Delivery", "Estimate", "Memory", "Texts", "Witness"]


class Texts(NamedTuple):
    """The texts of a call whose provider stated no counts: tokenized in the background, then released."""

    input: Sequence[str]
    output: Sequence[str]


class Estimate(Protocol):
    """The estimator's function: counts in the background, passes the completed usage to `append`, and calls `settle` at the end in any case."""

    def __call__(self, usage: Usage, texts: Texts, append: Callable[[Usage], None], settle: Callable[[], None]) -> None:
        """Counts later; `usage.call` is the number of the record that is completed."""


class Delivery(Protocol):
    """Takes usages. A call keeps its delivery from start to end, so a late stream or estimate goes to no other delivery."""

    def append(self, usage: Usage, texts: Texts | None = None) -> int:
        """Takes a usage before returning. Returns the usage's number, negative if the usage was refused. Never blocks on the network.

        With `texts`, the usage is completed in the background and appended once more, as a higher rank of the same key.
        """

    def flush(self, timeout: float) -> bool:
        """Waits until all appended usages are acknowledged, at most `timeout` seconds. True if all are."""

    def close(self, deadline: float) -> None:
        """Delivers as many usages as possible until `deadline` (`time.monotonic`). A later append still works."""


class Witness(Protocol):
    """The bridge (`tokentrail.bridge.calls`): hears of each recorded usage, so that a span or an event of the same call is not counted again."""

    def begin(self, model: str) -> Any:
        """Notes that a call begins, with the request's model; returns what `note` and `finish` are given."""

    def note(self, usage: Usage, own: Any = None) -> None:
        """Notes a recorded usage, of the call that has begun."""

    def finish(self, own: Any) -> None:
        """Notes that a call has ended, recorded or not."""

    def drain(self) -> None:
        """Records the calls that wait for a decision."""

    def forget_parent(self) -> None:
        """Forgets the parent's calls in a forked child."""


class Memory:
    """Passes usages to a function of this process, for tests."""

    __slots__ = ("_estimate", "_take")

    def __init__(self, take: Callable[[Usage], None], estimate: Estimate) -> None:
        self._take = take
        self._estimate = estimate

    def append(self, usage: Usage, texts: Texts | None = None) -> int:
        """Passes the usage to the function."""
        self._take(usage)
        if texts is not None:
            self._estimate(replace(usage, call=1), texts, self._take, _nothing)
        return 1

    def flush(self, timeout: float) -> bool:  # noqa: ARG002 - the protocol's
        """Returns at once, since no usage waits."""
        return True

    def close(self, deadline: float) -> None:
        """Does nothing, since no usage waits."""


def _nothing() -> None:
    pass
