"""What makes a report unusable."""

from __future__ import annotations

__all__ = ["BillError", "EndsEarlyError"]


class BillError(ValueError):
    """A report that cannot be read. One sentence, with the file and line or the page where one is to blame; never a key, never an answer's text."""


class EndsEarlyError(BillError):
    """An answer or a file that ends in the middle."""
