"""The result of shipping."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Progress"]


@dataclass(slots=True)
class Progress:
    """The result of one pass."""

    shipped: int = 0
    aside: int = 0
    adopted: int = 0
    damaged: bool = False  # the closing record reports damaged numbers
    done: bool = True  # no record waits any more in the folders of this pass
    reason: str = ""

    def add(self, other: Progress) -> None:
        """Adds the result of another pass."""
        self.shipped += other.shipped
        self.aside += other.aside
        self.adopted += other.adopted
        self.damaged |= other.damaged
        if not other.done:
            self.done, self.reason = False, other.reason
