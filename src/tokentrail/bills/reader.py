"""What there is to say of a report: where it comes from, what it states, and how a live read is authorised."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tokentrail.bills.access import Access
from tokentrail.bills.line import BillLine
from tokentrail.bills.mapping import BillMapping
from tokentrail.bills.report import Notes, Window

__all__ = ["FromFiles", "Live", "Reader"]

FromFiles = Callable[[Sequence[Path], Notes, BillMapping], Iterator[BillLine]]
"""Yields the lines of the files of one report; an empty mapping stands for none."""


@dataclass(frozen=True, slots=True)
class Live:
    """How a report is read from the provider's API."""

    url: str
    """The API's address, to which paths are added."""
    variables: tuple[str, ...]
    """Environment variables that may hold the key; the first one that is set counts."""
    key: str
    """Which key that is, and where it is made."""
    headers: Callable[[str], Mapping[str, str]]
    """Makes the headers of a request from a key."""
    read: Callable[[Access, Window, Notes], Iterator[BillLine]]
    buckets: tuple[str, ...] = ("1d", "1h")
    """The intervals that the API divides by, the default first."""
    settles: timedelta | None = None
    """How long after an interval its figures may still grow; None where the provider does not say."""
    whole_days: bool = False
    """Whether the API tells of days alone that are over."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A report that can be read."""

    name: str
    title: str
    states: tuple[str, ...]
    """Of tokens, requests, cost and items, those which the report states."""
    by: tuple[str, ...]
    """The fields of a line by which the report divides them, beside the interval."""
    files: tuple[str, ...]
    """The forms of a saved file: json, jsonl, csv, parquet; each may be packed by gzip, but Parquet."""
    where: str
    """Where a file comes from."""
    from_files: FromFiles
    live: Live | None = None
    provider: str = ""
    """The provider of all lines; empty where each line says of which."""
    mapped: bool = False
    """Whether a mapping of columns is taken."""
