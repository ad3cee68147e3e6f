"""A budget states what plain Python finds to be spent, in any period, zone and currency; each change is a version; what does not fit is one sentence."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.clickhouse.test_questions_are_answered import CALLS, MODELS, TENANTS, Call
from tests.support.ledger_rows import START_NS, Land, usage
from tokentrail.budgets import store
from tokentrail.budgets.budget import FILTERS, PERIODS, Budget
from tokentrail.budgets.files import parse, read
from tokentrail.clickhouse.client import ClickHouseError, Client
from tokentrail.ledger.query import answer
from tokentrail.ledger.rollup import refresh
from tokentrail.prices.files import parse as parse_prices
from tokentrail.prices.store import load as load_prices
from tokentrail.toml_files import FileError

UTC = timezone.utc
START = datetime.fromtimestamp(START_NS // 10**9, UTC)
RISE = START - timedelta(days=9)
"""When the euro rises."""
PRICES = f"""
[[price]]
provider = "openai"
model = "gpt-4o*"
input = 2
output = 8

[[price]]
provider = "anthropic"
model = "*"
currency = "EUR"
input = 3
output = 15

[[rate]]
currency = "EUR"
from = 2020-01-01
usd = "1.08"

[[rate]]
currency = "EUR"
from = {RISE:%Y-%m-%dT%H:%M:%SZ}
usd = "1.25"
"""
ZONES = ("UTC", "Europe/Madrid", "Asia/Kolkata", "America/St_Johns", "Pacific/Kiritimati")
ONE_BY: dict[str, Callable[[Call], str]] = {
    "tenants": lambda call: call.tenant,
    "operations": lambda call: call.operation,
    "providers": lambda call: call.provider,
    "models": lambda call: call.model,
    "services": lambda call: call.service,
    "environments": lambda _: "test",
}
VALUES = {
    "tenants": TENANTS,
    "operations": ("chat", "query", "astrology"),
    "providers": tuple(MODELS),
    "models": ("gpt-4o", "gpt-4o-mini", "claude-opus-4"),
    "services": ("shop", "search"),
    "environments": ("test",),
}


def begin_of(moment: datetime, period: str, zone: str) -> datetime:
    """The first moment of the period, as Python's zones have it."""
    here = moment.astimezone(ZoneInfo(zone))
    day = here.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    begins = {
        "day": day,
        "week": day - timedelta(days=day.weekday()),
        "month": day.replace(day=1),
        "quarter": day.replace(day=1, month=(day.month - 1) // 3 * 3 + 1),
        "year": day.replace(day=1, month=1),
    }
    return begins[period].astimezone(UTC)


def end_of(moment: datetime, period: str, zone: str) -> datetime:
    begin = begin_of(moment, period, zone)
    step = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}[period]
    return begin_of(begin + timedelta(days=step, hours=12), period, zone)


def money(call: Call, currency: str) -> Decimal | None:
    """What a call costs; None without a price."""
    rates = {"openai": (2, 8, "USD"), "anthropic": (3, 15, "EUR")}.get(call.provider)
    named = call.model if call.model.startswith("gpt-4o") else call.asked
    if rates is None or call.input is None or (call.provider == "openai" and not named.startswith("gpt-4o")):
        return None
    paid = [Decimal(call.input * rates[0]) / 1_000_000, Decimal((call.output or 0) * rates[1]) / 1_000_000]
    euro = Decimal("1.25") if call.moment >= RISE else Decimal("1.08")
    worth = {"USD": Decimal(1), "EUR": euro}
    if rates[2] == currency:
        return sum(paid, Decimal(0))
    return sum(((part * worth[rates[2]] / worth[currency]).quantize(Decimal("1e-18"), "ROUND_DOWN") for part in paid), Decimal(0))


def some_budgets(number: int, currencies: Sequence[str] = ("", "USD", "EUR"), *, of: str = "") -> list[Budget]:
    """Budgets of every kind, the same ones every time; `of` one provider alone."""
    chance = random.Random(20261127)
    return [
        Budget(
            name=f"budget {place} = 'quoted' \\ {place:c}",
            amount=Decimal(chance.randrange(1, 1_000_000)) / (1 if currency == "" else 1000),
            period=chance.choice(PERIODS),
            currency=currency,
            timezone=chance.choice(ZONES),
            only={name: tuple(chance.sample(VALUES[name], chance.randrange(1, len(VALUES[name]) + 1))) for name in FILTERS if chance.random() < 0.25}
            | ({"providers": (of,)} if of else {}),
        )
        for place in range(40, 40 + number)
        for currency in [chance.choice(currencies)]
    ]


@pytest.fixture
def priced(database: Client, land: Land) -> Client:
    land(*(call.row() | {"arrived_at": f"{START + timedelta(days=1):%Y-%m-%d %H:%M:%S}"} for call in CALLS))
    load_prices(database, parse_prices(PRICES))
    return database


SEVERAL = some_budgets(60)
IN_TOKENS = some_budgets(20, [""])
IN_DOLLARS = some_budgets(20, ["", "USD"], of="openai")


@pytest.mark.parametrize("back", [timedelta(0), timedelta(days=11, hours=7, minutes=13)])
@pytest.mark.parametrize(
    ("budgets", "summed"),
    [(SEVERAL, False), (SEVERAL, True), (IN_TOKENS, True), (IN_DOLLARS, True), *(([each], True) for each in IN_DOLLARS[:5])],
    ids=["by call", "by day, converted", "by day, tokens", "by day, dollars", *(f"by day, budget {number}" for number in range(5))],
)
def test_every_number_is_that_of_plain_python(priced: Client, budgets: list[Budget], summed: bool, back: timedelta) -> None:
    if summed:
        assert len(refresh(priced).built) > 20
    store.put(priced, budgets)
    at = START - back
    found = {row["name"]: row for row in answer(priced, "budgets", {"at": at.strftime("%Y-%m-%d %H:%M:%S")}).dicts()}
    assert found.keys() == {each.name for each in budgets}
    for each in budgets:
        row = found[each.name]
        begin, end = (of(at, each.period, each.timezone) for of in (begin_of, end_of))
        assert (row["begins"], row["ends"]) == (begin.strftime("%Y-%m-%d %H:%M:%S"), end.strftime("%Y-%m-%d %H:%M:%S")), each
        fits = [call for call in CALLS if call.moment < at and all(ONE_BY[name](call) in values for name, values in each.only.items())]

        def spent(calls: list[Call], currency: str = each.currency) -> Decimal:
            return sum(((money(call, currency) or Decimal(0)) if currency else Decimal(call.tokens) for call in calls), Decimal(0))

        def since(moment: datetime, calls: list[Call] = fits) -> list[Call]:
            return [call for call in calls if call.moment >= moment]

        within = since(begin)
        assert row["spent"] == spent(within), each
        assert (row["amount"], row["remaining"]) == (each.amount, each.amount - row["spent"])
        assert row["share"] == pytest.approx(float(row["spent"] / each.amount), abs=1e-4)
        length = (end - begin).total_seconds()
        for hours in (1, 6, 24):
            pace = float(spent(since(at - timedelta(hours=hours)))) / (hours * 3600)
            assert row[f"burn_{hours}h"] == pytest.approx(pace * length / float(each.amount), abs=1e-4), each
        before = since(at - (end - begin))
        first = min((call.moment for call in before), default=at)
        pace = float(spent(before)) / min(max((at - first).total_seconds(), 3600), length)
        forecast = float(row["spent"]) + pace * (end - at).total_seconds()
        assert float(row["forecast"]) == pytest.approx(forecast, rel=1e-3, abs=1), each
        estimated = spent([call for call in within if call.source == "estimated"])
        assert row["estimated_share"] == (pytest.approx(float(estimated / row["spent"]), abs=1e-4) if row["spent"] else None)
        assert row["calls"] == len(within)
        known = [call for call in within if call.input is not None]
        unpriced = [call for call in known if money(call, "USD") is None]
        if each.currency:
            assert row["unpriced_calls"] == len(unpriced)
            tokens = sum(call.tokens for call in within)
            assert row["unpriced_share"] == (pytest.approx(sum(call.tokens for call in unpriced) / tokens, abs=1e-4) if tokens else None)
            assert bool(row["is_lower_bound"]) >= bool(unpriced)
        else:
            assert row["unpriced_share"] is None
            assert bool(row["is_lower_bound"]) == any(call.source == "unknown" and call.ended != "error" for call in within)


@pytest.mark.parametrize("zone", ["America/Sao_Paulo", "Asia/Beirut", "Australia/Lord_Howe"])
def test_periods_begin_as_python_has_them_where_clocks_change(database: Client, zone: str) -> None:
    store.put(database, [Budget(period, Decimal(1), period, timezone=zone) for period in PERIODS])
    for moment in (datetime(2017, 10, 15, 2, 30, tzinfo=UTC), datetime(2017, 10, 15, 3, 30, tzinfo=UTC), datetime(2018, 11, 4, 4, tzinfo=UTC)):
        for row in answer(database, "budgets", {"at": moment.strftime("%Y-%m-%d %H:%M:%S")}).dicts():
            expected = begin_of(moment, row["period"], zone), end_of(moment, row["period"], zone)
            assert (row["begins"], row["ends"]) == tuple(each.strftime("%Y-%m-%d %H:%M:%S") for each in expected), (moment, row["period"])


def test_a_currency_without_a_rate_is_refused_and_not_left_out(priced: Client) -> None:
    store.put(priced, [Budget("yen", Decimal(5), "year", "JPY"), Budget("tokens", Decimal(5), "year")])
    with pytest.raises(ClickHouseError, match="no rate of exchange at the time of a call: tokentrail query currencies names it") as raised:
        answer(priced, "budgets")
    assert "\n" not in str(raised.value)
    assert len(answer(priced, "budgets", {"names": ["tokens"]}).rows) == 1
    store.put(priced, [Budget("yen", Decimal(5), "year", "JPY", only={"tenants": ("nobody",)})])
    assert len(answer(priced, "budgets").rows) == 2


def test_what_is_priced_in_part_makes_a_lower_bound(database: Client, land: Land) -> None:
    load_prices(database, parse_prices('[[price]]\nprovider = "openai"\nmodel = "gpt-4o-mini*"\ninput = 1\n'))
    store.put(database, [Budget("money", Decimal(5), "month", "USD"), Budget("tokens", Decimal(5), "month")])
    at = {"at": f"{START + timedelta(hours=2):%Y-%m-%d %H:%M:%S}"}

    def bounds() -> dict[str, tuple[Any, ...]]:
        rows = answer(database, "budgets", at).dicts()
        return {row["name"]: (row["is_lower_bound"], row["partly_calls"], row["unpriced_calls"]) for row in rows}

    land(usage(seq=1, input_tokens=1_000_000, output_tokens=0))
    assert bounds() == {"money": (False, 0, 0), "tokens": (False, 0, 0)}
    land(usage(seq=2, ts=START_NS + 1, input_tokens=1_000_000, output_tokens=5))  # no rate of the output
    assert bounds() == {"money": (True, 1, 0), "tokens": (False, 1, 0)}


def test_each_filter_leaves_out_what_it_does_not_name(database: Client, land: Land) -> None:
    land(usage(tenant="acme"))
    ((operation, provider, model, service, environment),) = database.query(
        "SELECT operation_name, provider, model, service_name, environment FROM usage"
    ).rows
    named = dict(zip(FILTERS, ("acme", operation, provider, model, service, environment), strict=True))
    store.put(database, [Budget(f"of {name}", Decimal(5), "month", only={name: (value,)}) for name, value in named.items()])
    store.put(database, [Budget(f"of other {name}", Decimal(5), "month", only={name: ("nobody",)}) for name in named])
    rows = answer(database, "budgets", {"at": f"{START + timedelta(hours=2):%Y-%m-%d %H:%M:%S}"}).dicts()
    assert {row["name"]: row["calls"] for row in rows} == {f"of {name}": 1 for name in named} | {f"of other {name}": 0 for name in named}


def test_the_latest_version_of_each_budget_counts(database: Client, land: Land) -> None:
    land(usage(tenant="acme"))
    store.put(database, [Budget("one", Decimal(5), "day"), Budget("two", Decimal(6), "week")])
    store.put(database, [Budget("one", Decimal(7), "month", only={"tenants": ("acme", "")})])
    assert [(row["name"], row["amount"], row["tenants"]) for row in store.stored(database)] == [("one", 7, ["acme", ""]), ("two", 6, [])]
    assert store.load(database, [Budget("three", Decimal(1), "day"), Budget("two", Decimal(9), "day")]) == ["one"]
    assert [(row["name"], row["amount"]) for row in store.stored(database)] == [("three", 1), ("two", 9)]
    with pytest.raises(FileError, match=r"there is no budget 'tow'\. Did you mean two\?"):
        store.remove(database, ["three", "tow"])
    assert len(store.stored(database)) == 2
    store.remove(database, ["three", "two"])
    assert store.stored(database) == answer(database, "budgets").dicts() == []
    assert database.query("SELECT count() FROM budgets").rows == [(8,)]


def test_a_version_counts_although_this_machines_clock_is_behind(database: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for amount in (5, 6, 7):
        store.put(database, [Budget("one", Decimal(amount), "day")])
        assert [row["amount"] for row in store.stored(database)] == [amount]
        monkeypatch.setattr("tokentrail.budgets.store.time.time_ns", lambda: START_NS)
    store.remove(database, ["one"])
    assert store.stored(database) == []


GOOD = '[[budget]]\nname = "a"\nper = "month"\ntokens = 5\n'


def test_a_file_states_budgets() -> None:
    first, second = parse(f'timezone = "Europe/Madrid"\n{GOOD}\n[[budget]]\nname="b"\nper="day"\nmoney="2.50"\ntenant=["x", ""]\ntimezone = "UTC"\n')
    assert first == Budget("a", Decimal(5), "month", timezone="Europe/Madrid")
    assert second == Budget("b", Decimal("2.50"), "day", "USD", only={"tenants": ("x", "")})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = ", "this is no TOML"),
        ("", r"there is no \[\[budget\]\]"),
        ("budget = 5", r"budget is a table: write \[\[budget\]\]"),
        (GOOD.replace("per", "period"), "budget 1 has 'period', which is not known"),
        (GOOD.replace('name = "a"', ""), "budget 1 has no name"),
        (GOOD.replace('name = "a"', 'name = " "'), "name is ' ': write a text"),
        (GOOD.replace("month", "mont"), "budget 1 .a.: per is 'mont'. Did you mean month?"),
        (GOOD.replace("tokens = 5", ""), "budget 1 .a. has no amount: write tokens"),
        (GOOD + "money = 5", "has tokens and money"),
        (GOOD.replace("5", "0"), "tokens is 0: write what may be spent"),
        (GOOD.replace("5", "5.5"), "tokens are a whole number"),
        (GOOD + 'currency = "EUR"', "tokens are a whole number, without a currency"),
        (GOOD.replace("tokens", "money").replace("5", "-5"), "money is -5: an amount from 0"),
        (GOOD.replace("tokens", "money") + 'currency = "Euro"', "currency is 'Euro': write three letters"),
        (GOOD + 'timezone = "Madrid"', "'Madrid' is no time zone"),
        (GOOD + "tenant = 5", "tenant is a text or a list of texts"),
        (GOOD + "tenant = []", "tenant is a text or a list of texts"),
        (GOOD * 2, "budgets 1 and 2 are both named a"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(FileError, match=sentence) as raised:
        parse(text)
    assert "\n" not in str(raised.value)


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name in ("binary", "absent", "."):
        with pytest.raises(FileError, match="cannot be read"):
            read(tmp_path / name)


def test_a_zone_that_clickhouse_does_not_know_is_refused(database: Client) -> None:
    wrong: Any = [Budget("one", Decimal(1), "day"), Budget("two", Decimal(1), "day", timezone="Mars/Base")]
    with pytest.raises(FileError, match="two: ClickHouse does not know the time zone Mars/Base"):
        store.put(database, wrong)
    assert store.stored(database) == []
