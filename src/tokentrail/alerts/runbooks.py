"""The page of each condition: what it means, what to look at, what to do, and when to silence it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["address", "page"]


def page(name: str) -> str:
    """Returns the page of a condition, as Markdown: from the installed wheel, or from a checkout's docs."""
    here = Path(__file__).resolve().parent
    for folder in (here / "runbooks", here.parents[2] / "docs" / "runbooks"):
        if (folder / f"{name}.md").is_file():
            return (folder / f"{name}.md").read_text("utf-8")
    raise FileNotFoundError("the runbooks are neither in the installed package nor in a checkout: tokentrail is not installed completely")


def address(name: str, base: str) -> str:
    """Returns where people find the page: below `base`, or the command that prints the page."""
    return f"{base}/{name}.md" if base else f"tokentrail check --runbook {name}"
