"""Each column of FOCUS that is made of a charge, with values that all differ: no column is taken for another."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from tokentrail.focus import columns, rows

CHARGE: dict[str, Any] = {
    "meter": "input",
    "provider": "a-provider",
    "model": "a-model",
    "begins": "2026-12-31 22:00:00",
    "ends": "2026-12-31 23:00:00",
    "quantity": "3000000",
    "cost": "6",
    "unit_price": "0.000002",
    "currency": "EUR",
    "price_currency": "USD",
    "price_cost": "7",
    "price_unit_price": "0.000003",
    "estimated_cost": "1",
    "price_source": "a-list",
    "price_model": "a-pattern",
    "is_batch": False,
    "is_correction": False,
    "tenant_id": "a-tenant",
    "operation": "chat",
    "service_name": "a-service",
    "environment": "prod",
}


def row(**other: Any) -> dict[str, Any]:
    (found,) = rows([CHARGE | other], account="an-account", version="1.4")
    return dict(zip((each.name for each in columns("1.4")), found, strict=True))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("BilledCost", Decimal(6)),
        ("ContractedCost", Decimal(6)),
        ("ListCost", Decimal(6)),
        ("EffectiveCost", Decimal(6)),
        ("x_EstimatedCost", Decimal(1)),
        ("BillingCurrency", "EUR"),
        ("PricingCurrency", "USD"),
        ("PricingCurrencyEffectiveCost", Decimal(7)),
        ("PricingCurrencyListUnitPrice", Decimal("0.000003")),
        ("PricingCurrencyContractedUnitPrice", Decimal("0.000003")),
        ("ListUnitPrice", Decimal("0.000002")),
        ("ContractedUnitPrice", Decimal("0.000002")),
        ("ConsumedQuantity", Decimal(3_000_000)),
        ("ConsumedUnit", "Tokens"),
        ("PricingQuantity", Decimal(3)),
        ("PricingUnit", "1000000 Tokens"),
        ("BillingPeriodStart", datetime(2026, 12, 1, tzinfo=timezone.utc)),
        ("BillingPeriodEnd", datetime(2027, 1, 1, tzinfo=timezone.utc)),
        ("ChargePeriodStart", datetime(2026, 12, 31, 22, tzinfo=timezone.utc)),
        ("ChargePeriodEnd", datetime(2026, 12, 31, 23, tzinfo=timezone.utc)),
        ("ChargeClass", None),
        ("SkuMeter", "Input Tokens"),
        ("SkuId", "a-provider/a-model/input"),
        ("SkuPriceId", "a-provider/a-model/input/a-list/a-pattern/0.000002"),
        ("SkuPriceDetails", {"x_PriceSource": "a-list", "x_PriceModel": "a-pattern", "x_IsNegotiated": False}),
        ("SubAccountId", "a-tenant"),
        ("SubAccountName", "a-tenant"),
        ("BillingAccountId", "an-account"),
        ("Tags", {"tenant_id": "a-tenant", "operation": "chat", "service_name": "a-service", "environment": "prod"}),
        ("x_Model", "a-model"),
        ("ServiceName", "a-provider"),
    ],
)
def test_a_column_has_its_value(column: str, value: Any) -> None:
    assert row()[column] == value


def test_what_differs_is_said() -> None:
    assert row(is_correction=True)["ChargeClass"] == "Correction"
    assert row(is_batch=True)["SkuId"] == "a-provider/a-model/input/batch"
    assert row(price_source="own")["SkuPriceDetails"]["x_IsNegotiated"] is True
    hours = row(meter="hour", quantity="2")
    assert (hours["PricingQuantity"], hours["PricingUnit"], hours["ConsumedUnit"]) == (Decimal(2), "Hours", "Hours")
    assert (row(tenant_id="")["SubAccountId"], row(environment="")["Tags"].get("environment")) == (None, None)
    assert row(begins="2026-11-30 23:00:00")["BillingPeriodEnd"] == datetime(2026, 12, 1, tzinfo=timezone.utc)
