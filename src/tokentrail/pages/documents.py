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
from tokentrail.pages.facts import DIMENSIONS, Facts, Now, Parts, Row
from tokentrail.pages.heat import heat_map
from tokentrail.pages.plots import bars, over_time
from tokentrail.pages.selection import Selection
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


def report(facts: Facts, proof: Verification) -> str:
    """Returns the report as one document."""
    stated = {**_common(facts, None), "conservation": proof, "conserved": _conserved(proof)}
    return _environment().get_template("report.html").render(policy=policy(live=False), **stated)


def dashboard(facts: Facts | None, filters: Filters) -> str:
    """Returns the dashboard as a document; without facts, with the sentence why."""
    common = {} if facts is None else _common(facts, filters)
    return _environment().get_template("dashboard.html").render(filters=filters, shown=facts is not None, **common)


def fragment(facts: Facts, filters: Filters) -> str:
    """Returns the part of the dashboard that is renewed: what changes with every call, or how the totals come about."""
    return _environment().get_template("parts.html" if facts.now is None else "now.html").render(**_common(facts, filters))


def verification(proof: Verification, asked_at: datetime) -> str:
    """Returns the statement of conservation by itself."""
    return _environment().get_template("verification.html").render(conservation=proof, conserved=_conserved(proof), asked_at=asked_at)


def _common(facts: Facts, filters: Filters | None) -> dict[str, Any]:
    stated: dict[str, Any] = {
        "facts": facts,
        "totals": facts.totals,
        "asked_at": facts.asked_at,
        "range": _range(facts.selection),
        "filtered": [("" if name == "where" else name[:-1], values) for name, values in facts.selection.filters.items()],
        "live": filters is not None,
        "link": None if filters is None else lambda parameter, name: _link(filters.query, parameter, name),
    }
    return stated | ({} if facts.now is None else _now(facts.now)) | ({} if facts.parts is None else _parts(facts, facts.parts))


def _now(now: Now) -> dict[str, Any]:
    tokens = over_time(now.trend, now.step, lambda row: {row["name"]: _tokens(row)})
    calls = over_time(now.trend, now.step, lambda row: {"answered": row["calls"] - row["error_calls"], "failed": row["error_calls"]})
    return {
        "before": now.before,
        "step": now.step,
        "trend_by": now.trend_by,
        "tokens_plot": bars(tokens, title=f"Bars: tokens by {now.trend_by}, one bar a {now.step}", unit="tokens"),
        "tokens_series": tokens.series,
        "tokens_table": tables.timeline("tokens-over-time", f"Tokens by {now.trend_by}, one row a {now.step}", tokens),
        "calls_plot": bars(calls, title=f"Bars: calls answered and failed, one bar a {now.step}", unit="calls", first_color=6),
        "calls_series": calls.series,
        "calls_table": tables.timeline("calls-over-time", f"Calls answered and failed, one row a {now.step}", calls),
        "latest": None if now.latest is None else tables.calls(now.latest),
    }


def _parts(facts: Facts, parts: Parts) -> dict[str, Any]:
    return {
        "cost_plots": [_cost_plot(parts, currency) for currency in sorted(facts.totals.costs)],
        "breakdowns": [tables.breakdown(facts, parts, dimension) for dimension in DIMENSIONS],
        "heat": heat_map(parts.hours),
        "range_24": range(24),
        "certainty": tables.certainty(parts.certainty),
        "prompt_cache": tables.prompt_cache(parts.prompt_cache),
        "response_cache": None if parts.response_cache is None else tables.response_cache(parts.response_cache),
        "saved": _saved(parts.response_cache or []),
        "dearest": None if parts.dearest is None else tables.dearest(parts.dearest),
    }


def _cost_plot(parts: Parts, currency: str) -> dict[str, Any]:
    step = parts.cost_step
    rows = [row for row in parts.cost_trend if row["currency"] == currency and row["cost"] is not None]
    shown = over_time(rows, step, lambda row: {row["name"]: row["cost"]}, order=list(parts.by["provider"]), empty=None)
    caption = f"Cost a {step}, {currency}, by provider"
    return {
        "caption": caption,
        "series": shown.series,
        "plot": bars(shown, title=f"Bars: {caption[:1].lower()}{caption[1:]}", unit=currency, written=figures.money),
        "table": tables.timeline(f"cost-over-time-{currency.lower()}", f"{caption}, one row a {step}", shown, "money"),
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


def _link(query: Mapping[str, str], parameter: str, name: str) -> str:
    """Returns the address of the dashboard with one name chosen: a value begins with =, so that the empty name can be chosen too."""
    return "?" + urlencode({**query, parameter: f"={name}"}, errors="surrogatepass")
