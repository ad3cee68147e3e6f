"""Costs in FOCUS, the FinOps Open Cost and Usage Specification (dataset Cost and Usage), from the answer of the question `charges`.

Version 1.4 is the newest; 1.2, which many tools still read, names providers by other columns. A column that the specification asks for under a
condition which the ledger does not meet (invoices, commitments, resources, regions) is left out, as the specification says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from typing import IO, Any, Final

from tokentrail.money import EXACT
from tokentrail.spreadsheets import no_formula, write_lines

__all__ = ["VERSIONS", "Column", "columns", "rows", "write_csv", "write_parquet"]

VERSIONS: Final = ("1.4", "1.2")
_METERS: Final = {
    "input": "Input Tokens",
    "output": "Output Tokens",
    "cache_read": "Cached Input Tokens",
    "cache_write": "Cache Write Tokens",
    "cache_write_1h": "Cache Write Tokens (1 Hour)",
    "reasoning": "Reasoning Tokens",
    "audio_input": "Audio Input Tokens",
    "audio_output": "Audio Output Tokens",
    "image_input": "Image Input Tokens",
    "image_output": "Image Output Tokens",
    "call": "Requests",
    "hour": "Hours",
}
_UNITS: Final = {"call": "Requests", "hour": "Hours"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the dataset. `kind`: text, number, time, or json; `only` names the one version that has it."""

    name: str
    kind: str = "text"
    only: str = ""


_COLUMNS: Final = (
    Column("BilledCost", "number"),
    Column("BillingAccountId"),
    Column("BillingAccountName"),
    Column("BillingCurrency"),
    Column("BillingPeriodEnd", "time"),
    Column("BillingPeriodStart", "time"),
    Column("ChargeCategory"),
    Column("ChargeClass"),
    Column("ChargeDescription"),
    Column("ChargeFrequency"),
    Column("ChargePeriodEnd", "time"),
    Column("ChargePeriodStart", "time"),
    Column("CommitmentDiscountStatus", only="1.2"),  # null: rules of other columns read it
    Column("ConsumedQuantity", "number"),
    Column("ConsumedUnit"),
    Column("ContractedCost", "number"),
    Column("ContractedUnitPrice", "number"),
    Column("EffectiveCost", "number"),
    Column("HostProviderName", only="1.4"),
    Column("InvoiceId", only="1.2"),
    Column("InvoiceIssuerName"),
    Column("ListCost", "number"),
    Column("ListUnitPrice", "number"),
    Column("PricingCategory"),
    Column("PricingCurrency"),
    Column("PricingCurrencyContractedUnitPrice", "number"),
    Column("PricingCurrencyEffectiveCost", "number"),
    Column("PricingCurrencyListUnitPrice", "number"),
    Column("PricingQuantity", "number"),
    Column("PricingUnit"),
    Column("ProviderName", only="1.2"),
    Column("PublisherName", only="1.2"),
    Column("ServiceCategory"),
    Column("ServiceName"),
    Column("ServiceProviderName", only="1.4"),
    Column("ServiceSubcategory"),
    Column("SkuId"),
    Column("SkuMeter"),
    Column("SkuPriceDetails", "json"),
    Column("SkuPriceId"),
    Column("SubAccountId"),
    Column("SubAccountName"),
    Column("Tags", "json"),
    Column("x_EstimatedCost", "number"),
    Column("x_Model"),
)


def columns(version: str) -> list[Column]:
    """Returns the columns of a version, in the order of the specification: by name, our own last."""
    return [each for each in _COLUMNS if each.only in ("", version)]


def rows(charges: Iterable[Mapping[str, Any]], *, account: str, version: str) -> Iterator[list[Any]]:
    """Yields a row for each charge. Texts are as they are stated; numbers are `Decimal`, times aware datetimes."""
    names = [each.name for each in columns(version)]
    for charge in charges:
        values = _row(charge, account)
        yield [values[name] for name in names]


def _row(charge: Mapping[str, Any], account: str) -> dict[str, Any]:
    meter, provider, model = charge["meter"], charge["provider"] or "unknown", charge["model"] or "unknown"
    begins, ends = _moment(charge["begins"]), _moment(charge["ends"])
    month = begins.replace(day=1, hour=0)
    after = month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)
    quantity, cost = Decimal(charge["quantity"]), Decimal(charge["cost"])
    unit = _UNITS.get(meter, "Tokens")
    is_negotiated = charge["price_source"] == "own"
    sku = f"{provider}/{model}/{meter}{'/batch' if charge['is_batch'] else ''}"
    tags = {name: charge[name] for name in ("tenant_id", "operation", "service_name", "environment") if charge[name]}
    return {
        "BilledCost": cost,
        "BillingAccountId": account,
        "BillingAccountName": account,
        "BillingCurrency": charge["currency"],
        "BillingPeriodStart": month,
        "BillingPeriodEnd": after,
        "ChargeCategory": "Usage",
        "ChargeClass": "Correction" if charge["is_correction"] else None,
        "ChargeDescription": f"{_METERS[meter]} of {model}{', batch' if charge['is_batch'] else ''}",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodStart": begins,
        "ChargePeriodEnd": ends,
        "CommitmentDiscountStatus": None,
        "ConsumedQuantity": quantity,
        "ConsumedUnit": unit,
        "ContractedCost": cost,
        "ContractedUnitPrice": Decimal(charge["unit_price"]),
        "EffectiveCost": cost,
        "HostProviderName": provider,
        "InvoiceId": None,
        "InvoiceIssuerName": provider,
        "ListCost": cost,
        "ListUnitPrice": Decimal(charge["unit_price"]),
        "PricingCategory": "Standard",
        "PricingCurrency": charge["price_currency"],
        "PricingCurrencyContractedUnitPrice": Decimal(charge["price_unit_price"]),
        "PricingCurrencyEffectiveCost": Decimal(charge["price_cost"]),
        "PricingCurrencyListUnitPrice": Decimal(charge["price_unit_price"]),
        "PricingQuantity": EXACT.divide(quantity, Decimal(1_000_000)) if unit == "Tokens" else quantity,
        "PricingUnit": "1000000 Tokens" if unit == "Tokens" else unit,
        "ProviderName": provider,
        "PublisherName": provider,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": provider,
        "ServiceProviderName": provider,
        "ServiceSubcategory": "Generative AI",
        "SkuId": sku,
        "SkuMeter": _METERS[meter],
        "SkuPriceDetails": {"x_PriceSource": charge["price_source"], "x_PriceModel": charge["price_model"], "x_IsNegotiated": is_negotiated},
        "SkuPriceId": f"{sku}/{charge['price_source']}/{charge['price_model']}/{charge['unit_price']}",
        "SubAccountId": charge["tenant_id"] or None,
        "SubAccountName": charge["tenant_id"] or None,
        "Tags": tags,
        "x_EstimatedCost": Decimal(charge["estimated_cost"]),
        "x_Model": model,
    }


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)


def write_csv(file: IO[str], version: str, found: Iterable[Sequence[Any]]) -> int:
    """Writes a head and a line for each row, and returns the number of rows. NULL is an empty cell; no text can be taken for a formula."""
    write_lines(file, [[each.name for each in columns(version)]])
    number = 0
    for row in found:
        number += 1
        write_lines(file, [[_cell(value) for value in row]])
    return number


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        written = format(value.normalize(EXACT) if value else Decimal(0), "f")
        return written if "." in written else f"{written}.0"  # readers take a column of whole numbers for integers
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, dict):
        return _json(value)
    return no_formula(value)


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def write_parquet(file: IO[bytes], version: str, found: Iterable[Sequence[Any]]) -> int:
    """Writes a Parquet file, and returns the number of rows. Raises `ImportError` without pyarrow."""
    import pyarrow as pa  # noqa: PLC0415 - an extra
    from pyarrow import parquet  # noqa: PLC0415 - same

    kinds = {"text": pa.string(), "json": pa.string(), "number": pa.decimal128(38, 18), "time": pa.timestamp("s", tz="UTC")}
    wanted = columns(version)
    several = list(found)
    arrays = [
        pa.array([_json(row[place]) if isinstance(row[place], dict) else row[place] for row in several], kinds[each.kind])
        for place, each in enumerate(wanted)
    ]
    parquet.write_table(pa.table(arrays, names=[each.name for each in wanted]), file)
    return len(several)
