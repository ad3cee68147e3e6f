"""The public list of the package genai-prices (Pydantic, MIT), converted: its rules which model a price is for, and its prices at every time.

The list is that of the installed version: a newer one comes with a newer package, by a command, and never while a service runs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from importlib.metadata import version
from itertools import pairwise
from typing import Any, Final

from tokentrail.prices.price import ALWAYS, DAY_S, LOWEST, NEVER, Price, PriceList, Step, lowered
from tokentrail.rates import PER_CALL

__all__ = ["PACKAGE", "public_list"]

PACKAGE: Final = "genai-prices"
_RATES: Final = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_reasoning_mtok": "reasoning",
    "input_audio_mtok": "audio_input",
    "output_audio_mtok": "audio_output",
    "input_image_mtok": "image_input",
    "output_image_mtok": "image_output",
    "requests_kcount": PER_CALL,
}
"""Rates by the list's names; what else the list has a price for (searches, pages, seconds) is in no count of the ledger."""
_SCALE: Final = {"requests_kcount": Decimal("0.001")}
_PROVIDERS: Final = {
    "aws": ("aws.bedrock",),
    "azure": ("azure.ai.openai", "azure.ai.inference"),
    "google": ("gcp.gemini", "gcp.vertex_ai"),
    "mistral": ("mistral_ai",),
    "moonshotai": ("moonshot_ai",),
    "voyageai": ("voyage",),
    "x-ai": ("x_ai",),
    "zhipuai": ("zai",),
}
"""The ledger's providers by the list's, where they differ."""
_BATCH: Final = {"processing": "batch"}


class _NotConvertedError(Exception):
    """A rule that ClickHouse's regular expressions cannot state."""


def public_list() -> PriceList:
    """Returns the list of the installed package. Raises `ImportError` without the package."""
    from genai_prices.data import providers  # noqa: PLC0415 - 2,300 models, for the command that loads them

    prices: list[Price] = []
    left_out: dict[str, None] = {}
    entries: Counter[str] = Counter()
    by_id = {provider.id: provider for provider in providers}
    for provider in providers:
        followed = [(model, True) for model in provider.models]
        for other in provider.fallback_model_providers or ():
            followed += [(model, False) for model in by_id[other].models] if other in by_id else []
        for name in _PROVIDERS.get(provider.id, (provider.id.replace("-", "_"),)):
            for model, is_own in followed:
                entries[name] += 1
                try:
                    prices += _prices(name, entries[name], model, has_batch=is_own)
                except _NotConvertedError as error:
                    left_out[f"{provider.id} {model.id}: {error}"] = None
    return PriceList(f"{PACKAGE} {version(PACKAGE)}", prices, left_out=tuple(left_out))


def _prices(provider: str, entry: int, model: Any, *, has_batch: bool) -> Iterator[Price]:
    """Yields the prices of one model: for each time in which they differ, those of a batch before those of any call."""
    spans = list(_spans(model))
    for patterns, excluded in _ways(model.match):
        for valid_from, valid_to, daily in spans:
            moment = valid_from + timedelta(seconds=daily[0])
            usual = _rates(model.get_prices(moment))
            in_batch = _rates(model.get_prices(moment, _BATCH)) if has_batch else usual
            for batch, (rates, left_out) in ((True, in_batch), (False, usual)):
                if rates and (not batch or in_batch != usual):
                    note = f"without {', '.join(left_out)}" if left_out else ""
                    yield Price(provider, model.id, patterns, rates, valid_from, valid_to, daily, batch, entry=entry, excluded=excluded, note=note)


def _rates(price: Any) -> tuple[Mapping[str, Sequence[Step]], tuple[str, ...]]:
    """Returns the rates of a price, and the names of those that the ledger has no count for."""
    rates: dict[str, Sequence[Step]] = {}
    left_out = []
    for key, value in vars(price).items():
        if value is None:
            continue
        if key in _RATES:
            scale = _SCALE.get(key, Decimal(1))
            steps = [(LOWEST, value)] if isinstance(value, Decimal) else [(LOWEST, value.base), *((tier.start, tier.price) for tier in value.tiers)]
            rates[_RATES[key]] = [(above, amount * scale) for above, amount in steps]
        else:
            left_out.append(key)
    return rates, tuple(sorted(left_out))


def _spans(model: Any) -> Iterator[tuple[datetime, datetime, tuple[int, int]]]:
    """Yields the times between which no price changes: days from and to, and seconds of the day."""
    conditional = [*(model.prices if isinstance(model.prices, list) else ()), *(model.price_variants or ())]
    constraints = [each.constraint for each in conditional if each.constraint is not None]
    days = sorted({ALWAYS, *(_midnight(each.start_date) for each in constraints if hasattr(each, "start_date")), NEVER})
    windows = [each for each in constraints if hasattr(each, "start_time")]
    seconds = sorted({0, DAY_S, *(_second(moment) for each in windows for moment in (each.start_time, each.end_time))})
    for valid_from, valid_to in pairwise(days):
        for daily in pairwise(seconds):
            yield valid_from, valid_to, daily


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=timezone.utc)


def _second(moment: time) -> int:
    """Returns a time of day in seconds, UTC."""
    whole = datetime.combine(date(1970, 1, 1), moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    return whole.hour * 3600 + whole.minute * 60 + whole.second


_Way = tuple[tuple[str, ...], tuple[str, ...]]


def _ways(match: Any) -> list[_Way]:
    """Returns the ways in which a model may fit: in each, the lower-case name fits all of some regular expressions, and none of others."""
    if hasattr(match, "or_"):
        return [way for each in match.or_ for way in _ways(each)]
    if hasattr(match, "and_"):
        ways: list[_Way] = [((), ())]
        for each in match.and_:
            ways = [((*before[0], *after[0]), (*before[1], *after[1])) for before in ways for after in _ways(each)]
        return ways
    if hasattr(match, "regex"):
        return [_of_regex(match.regex)]
    for name, form in (("equals", "^{}$"), ("starts_with", "^{}"), ("ends_with", "{}$"), ("contains", "{}")):
        if hasattr(match, name):
            return [((form.format(re.escape(lowered(getattr(match, name)))),), ())]
    raise _NotConvertedError(f"a rule {type(match).__name__}")


def _of_regex(regex: str) -> _Way:
    """Returns a regular expression without the one thing that Python's have and RE2's do not: what must not follow the beginning."""
    excluded = []
    rest = regex
    while rest.startswith(_NOT):
        end = _end_of_group(rest, 1)
        excluded.append("^" + rest[len(_NOT) : end])
        rest = "^" + rest[end + 1 :]
    if re.search(r"\(\?(?!:)|\\[1-9]", rest):
        raise _NotConvertedError(f"the expression {regex}")
    return (rest,), tuple(excluded)


_NOT: Final = "^(?!"


def _end_of_group(regex: str, begin: int) -> int:
    """Returns the place of the parenthesis that closes the one at `begin`."""
    depth = 0
    place = begin
    while place < len(regex):
        if regex[place] == "\\":
            place += 1
        elif regex[place] == "[":
            place = regex.index("]", place + 2)
        else:
            depth += {"(": 1, ")": -1}.get(regex[place], 0)
            if not depth:
                return place
        place += 1
    raise _NotConvertedError(f"the expression {regex}")
