"""The HTML of both pages, by jinja2 with autoescape; every name is text.

The content security policy of a page allows nothing but its own style and script, each by the hash of its text.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tokentrail.ledger.verify import Verification
from tokentrail.pages import figures, tables
from tokentrail.pages.facts import DIMENSIONS, Facts, Row
from tokentrail.pages.heat import heat_map
from tokentrail.pages.plots import bars, over_time
from tokentrail.pages.selection import FILTERS, Selection
from tokentrail.wording import counted

__all__ = ["Filters", "dashboard", "fragment", "policy", "report", "verification"]

LANGUAGE: Final = "en"


@dataclass(frozen=True, slots=True)
class Filters:
    """What the dashboard's form holds: the texts of the request, and the names to choose from."""

    query: Mapping[str, str]
    names: Mapping[str, Sequence[str]]
    sentence: str = ""
    """Why the request was not answered; empty where it was."""


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tokentrail.pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "grouped": figures.grouped,
        "share": figures.share,
        "money": figures.money,
        "name": figures.name,
        "change": figures.change,
        "counted": counted,
        "value": _value,
        "second": _second,
    }
    environment.globals |= {"style": Markup(_text("page.css")), "script": Markup(_text("dashboard.js"))}  # noqa: S704 - files of the package
    return environment


def _text(name: str) -> str:
    return (resources.files("tokentrail.pages") / "templates" / name).read_text(encoding="utf-8")


def _value(number: Any) -> str:
    """Returns a number for programs: all its digits."""
    return "" if number is None else f"{number:f}" if isinstance(number, Decimal) else str(number)


def _second(moment: str) -> str:
    """Returns a time of the ledger without the parts of a second."""
    return moment[:19]


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def policy(*, live: bool) -> str:
    """Returns the content security policy of the dashboard (`live`), or of the report, which has no script and connects to nothing."""
    rules = ["default-src 'none'", f"style-src {_hash(_text('page.css'))}", "base-uri 'none'"]
    if live:
        return "; ".join([*rules, f"script-src {_hash(_text('dashboard.js'))}", "connect-src 'self'", "form-action 'self'", "frame-ancestors 'none'"])
    return "; ".join([*rules, "form-action 'none'"])


def report(facts: Facts) -> str:
    """Returns the report as one document."""
    return _environment().get_template("report.html").render(policy=policy(live=False), **_common(facts, link=None))


def dashboard(facts: Facts | None, filters: Filters) -> str:
    """Returns the dashboard as a document; without facts, with the sentence why."""
    common = {} if facts is None else _common(facts, link=dict(filters.query))
    return _environment().get_template("dashboard.html").render(filters=filters, shown=facts is not None, **common)


def fragment(facts: Facts, filters: Filters) -> str:
    """Returns the part of the dashboard that is renewed."""
    return _environment().get_template("live.html").render(**_common(facts, link=dict(filters.query)))


def verification(proof: Verification, asked_at: datetime) -> str:
    """Returns the statement of conservation by itself."""
    return _environment().get_template("verification.html").render(conservation=proof, conserved=_conserved(proof), asked_at=asked_at)


def _common(facts: Facts, *, link: dict[str, str] | None) -> dict[str, Any]:
    tokens = over_time(facts.trend, facts.step, lambda row: {row["name"]: _tokens(row)})
    calls = over_time(facts.trend, facts.step, lambda row: {"answered": row["calls"] - row["error_calls"], "failed": row["error_calls"]})
    by = {"provider": "provider", "model": "model"}[facts.trend_by]
    return {
        "facts": facts,
        "totals": facts.totals,
        "before": facts.before,
        "tokens_plot": bars(tokens, title=f"Bars: tokens by {by}, one bar a {facts.step}", unit="tokens"),
        "tokens_series": tokens.series,
        "tokens_table": tables.timeline("tokens-over-time", f"Tokens by {by}, one row a {facts.step}", tokens),
        "calls_plot": bars(calls, title=f"Bars: calls answered and failed, one bar a {facts.step}", unit="calls", first_color=6),
        "calls_series": calls.series,
        "calls_table": tables.timeline("calls-over-time", f"Calls answered and failed, one row a {facts.step}", calls),
        "trend_by": by,
        "breakdowns": [tables.breakdown(facts, dimension) for dimension in DIMENSIONS],
        "heat": heat_map(facts.hours),
        "range_24": range(24),
        "certainty": tables.certainty(facts.certainty),
        "prompt_cache": tables.prompt_cache(facts.prompt_cache),
        "response_cache": None if facts.response_cache is None else tables.response_cache(facts.response_cache),
        "saved": _saved(facts.response_cache or []),
        "dearest": None if facts.dearest is None else tables.dearest(facts),
        "latest": None if facts.latest is None else tables.calls(facts.latest),
        "range": _range(facts.selection),
        "filtered": [(FILTERS[name].removesuffix("_id"), values) for name, values in facts.selection.filters.items()],
        "conservation": facts.verification,
        "conserved": None if facts.verification is None else _conserved(facts.verification),
        "asked_at": facts.asked_at,
        "link": None if link is None else lambda parameter, name: _link(link, parameter, name),
    }


def _tokens(row: Row) -> int:
    return int(row["input_tokens"] or 0) + int(row["output_tokens"] or 0)


def _saved(rows: Sequence[Row]) -> dict[str, int]:
    return {name: sum(row[name] for row in rows) for name in ("repeated_calls", "saved_input_tokens", "saved_output_tokens")}


def _range(selection: Selection) -> tuple[str, str]:
    """Returns the bounds of a range as seen, in UTC."""
    start, end = (None if each is None else each[:16] for each in (selection.start, selection.end))
    return start or "the first call", end or "now"


def _conserved(proof: Verification) -> dict[str, int]:
    """Returns how many writers and records a verification is about."""
    listed = [writer for writer in proof.writers if not writer.settled]
    return {
        "writers": len(listed) + sum(service.writers for service in proof.completed),
        "records": sum(writer.events for writer in listed) + sum(service.events for service in proof.completed),
        "open": sum(writer.state == "open" for writer in listed),
    }


def _link(query: dict[str, str], parameter: str, name: str) -> str:
    """Returns the address of the dashboard with one name chosen: a value begins with =, so that the empty name can be chosen too."""
    return "?" + urlencode({**query, parameter: f"={name}"}, errors="surrogatepass")
