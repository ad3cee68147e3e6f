"""Exports in FOCUS, the FinOps Open Cost and Usage Specification: of AWS (Bedrock), Azure (OpenAI, Foundry), Google and of tokentrail itself.

Sources: the specification's dataset Cost and Usage, versions 1.0 to 1.4 (focus.finops.org); "FOCUS 1.0 / 1.2 with AWS columns"
(docs.aws.amazon.com/cur, table dictionary), whose amounts are doubles; Microsoft's FocusCost 1.0 and 1.2-preview
(learn.microsoft.com/cloud-computing/finops/focus/metadata); PricingUnits.csv of microsoft/finops-toolkit, by which a unit of Azure's "1K" or "1M" is
priced in blocks of 1,000 or 1,000,000 units. What meters are called is data: `meters.toml`.

Every row is a line: its cost is `BilledCost`, its tokens are `ConsumedQuantity`, times the size of a unit. A row of another service is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any, Final

from tokentrail.bills.errors import BillError
from tokentrail.bills.line import BillLine
from tokentrail.bills.mapping import BillMapping
from tokentrail.bills.meters import meter_of, model_of, service_of, size_of, words_of
from tokentrail.bills.reader import Reader
from tokentrail.bills.report import Notes
from tokentrail.bills.tables import csv_rows, different_files, is_parquet
from tokentrail.bills.values import Numbers, currency, moment, whole
from tokentrail.compat.own_names import provider_name
from tokentrail.money import EXACT

__all__ = ["READERS"]

_NEEDED: Final = ("ChargePeriodStart", "ChargePeriodEnd", "BilledCost", "BillingCurrency", "ChargeCategory")
_METERS: Final = ("x_UsageType", "x_SkuMeterName", "SkuMeter", "ChargeDescription")
"""Columns that may name the meter; the first one that is filled counts."""
_PROVIDERS: Final = ("ServiceProviderName", "ProviderName", "PublisherName")
_DETAILS: Final = ("ServiceName", "RegionId", "ResourceId", "ChargeCategory", "ChargeClass", "PricingCategory")
_WANTED: Final = (
    *(*_NEEDED, *_METERS, *_PROVIDERS, *_DETAILS),
    *("ConsumedQuantity", "ConsumedUnit", "PricingQuantity", "PricingUnit", "x_PricingBlockSize", "x_PricingUnitDescription"),
    *("SubAccountId", "SkuId", "x_Model", "x_ServiceCode", "x_SkuMeterCategory", "x_SkuMeterSubcategory", "x_SkuDescription"),
    *("ServiceCategory", "ServiceSubcategory"),
)
_BATCH: Final = 2_000
_NUMBERS: Final = Numbers()
_Row = Callable[[str], str]


def _from_files(paths: Sequence[Path], notes: Notes, mapping: BillMapping) -> Iterator[BillLine]:
    if said := [name for name in ("columns", "units", "constants", "meters") if getattr(mapping, name)]:
        raise BillError(f"a report in FOCUS has columns of its own: of a mapping, [values.model] is taken, and not [{said[0]}]")
    models = mapping.values.get("model", {})
    for path in different_files(paths, notes):
        for place, row in _parquet(path) if is_parquet(path) else _csv(path, mapping):
            try:
                line = _line(row, models, notes)
            except BillError as error:
                raise BillError(f"{path}, {place}: {error}") from None
            if line is not None:
                yield line


def _line(row: _Row, models: Mapping[str, str], notes: Notes) -> BillLine | None:
    provider = service_of(row)
    if provider is None:
        notes.say("a row of a service that is none of language models was left out")
        return None
    provider = provider or next((provider_name(value) for name in _PROVIDERS if (value := row(name))), "")
    meter = next((value for name in _METERS if (value := row(name))), "")
    starts, ends = moment(row("ChargePeriodStart"), "ChargePeriodStart"), moment(row("ChargePeriodEnd"), "ChargePeriodEnd")
    if ends <= starts:
        raise BillError("its charge period ends before it starts")
    said = meter_of(meter)
    quantity, unit = _number(row, "ConsumedQuantity"), row("ConsumedUnit")
    tokens = _tokens(row, meter, quantity, notes) if said.counts and row("ChargeCategory") == "Usage" else None
    model = model_of(row, meter, provider)
    is_calls = words_of(unit) in ("requests", "calls") and not said.counts
    return BillLine(
        source="focus",
        starts=starts,
        ends=ends,
        provider=provider,
        model=models.get(model, models.get(meter, model)),
        project=row("SubAccountId"),
        batch=said.batch or row("SkuId").endswith("/batch") if said.counts else None,
        service_tier=said.tier,
        counts={} if tokens is None else dict.fromkeys(said.counts, tokens),
        requests=whole(quantity, "ConsumedQuantity") if is_calls and quantity is not None else None,
        cost=_number(row, "BilledCost"),
        currency=currency(row("BillingCurrency")),
        item=meter,
        quantity=quantity,
        unit=unit,
        details={name: value for name in _DETAILS if (value := row(name))},
    )


def _tokens(row: _Row, meter: str, quantity: Decimal | None, notes: Notes) -> int | None:
    """Returns the number of tokens; None, with a note, where the row does not say how many a unit is."""
    priced, unit = _number(row, "PricingQuantity"), row("ConsumedUnit")
    block = size_of(row("PricingUnit"), row("x_PricingUnitDescription")) or _block(row)
    size = size_of(unit)
    if size is None and quantity is not None and quantity == priced:
        size = block  # the consumed quantity is stated in the priced unit
    if quantity is None:
        quantity, size = priced, block or size
    if quantity is None:
        return None
    if size is None:
        size = size_of(row("ChargeDescription")) if words_of(unit) in ("units", "unit", "") and row("x_UsageType") else 1
    if size is None or any(letter.isdigit() for letter in unit) > (size_of(unit) is not None):
        notes.say(f"tokens of the meter {meter[:80]!r} were not read: its unit, {unit[:40]!r}, does not say how many they are")
        return None
    exact = EXACT.multiply(quantity, Decimal(size))
    rounded = exact.quantize(Decimal(1), ROUND_HALF_EVEN, EXACT)
    if rounded != exact:
        notes.say("a quantity that is no whole number of tokens was rounded")
    return whole(rounded, "ConsumedQuantity")


def _block(row: _Row) -> int | None:
    block = _number(row, "x_PricingBlockSize")
    return int(block) if block is not None and block == block.to_integral_value() and block > 0 else None


def _number(row: _Row, name: str) -> Decimal | None:
    return _NUMBERS.read(row(name), name)


def _csv(path: Path, mapping: BillMapping) -> Iterator[tuple[str, _Row]]:
    rows = csv_rows(path, mapping.delimiter, mapping.encoding)
    _, header = next(rows)
    places = _places(path, header)
    for number, cells in rows:
        yield f"line {number}", lambda name, cells=cells: cells[places[name]].strip() if name in places else ""  # type: ignore[misc]


def _parquet(path: Path) -> Iterator[tuple[str, _Row]]:
    """Yields the rows of a Parquet file, some thousand in memory at a time; of its columns, those that are read."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415 - same
    except ImportError:
        raise BillError(f"{path} is a Parquet file, which needs the extra `parquet`: pip install 'tokentrail[parquet]'") from None
    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            written = {name: names[place] for name, place in _places(path, names).items()}
            number = 0
            for batch in file.iter_batches(_BATCH, columns=list(written.values())):
                found = batch.to_pydict()
                columns = {name: found[each] for name, each in written.items()}
                for place in range(batch.num_rows):
                    number += 1
                    yield f"row {number}", lambda name, place=place, columns=columns: _text(columns[name][place]) if name in columns else ""  # type: ignore[misc]
    except (pa.ArrowException, OSError) as error:
        raise BillError(f"{path} is no whole Parquet file: {type(error).__name__}") from None


def _places(path: Path, header: Sequence[str]) -> Mapping[str, int]:
    """Returns the places of the columns that are read; databases write their names in small letters."""
    lower = {name.strip().lower(): place for place, name in enumerate(header)}
    if missing := [name for name in _NEEDED if name.lower() not in lower]:
        raise BillError(f"{path} has no column {missing[0]}: it is no export of cost and usage in FOCUS")
    return {name: lower[name.lower()] for name in dict.fromkeys(_WANTED) if name.lower() in lower}


def _text(value: Any) -> str:
    """Returns a cell as a CSV would have it. A double becomes the shortest decimal that stands for it."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value).strip()


READERS: Final = (
    Reader(
        name="focus",
        title="FOCUS: exports of AWS (Bedrock), Azure (OpenAI, Foundry), Google",
        states=("tokens", "cost", "items"),
        by=("provider", "model", "project", "batch", "service_tier", "item"),
        files=("csv", "parquet"),
        where="AWS Data Exports, Azure Cost Management exports, or any other export of cost and usage in FOCUS 1.0 and later",
        from_files=_from_files,
        mapped=True,
    ),
)
