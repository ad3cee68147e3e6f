"""FOCUS exports of AWS, Azure and tokentrail itself, as CSV and as Parquet: what a meter counts, of which model, in which unit."""

from __future__ import annotations

import csv
import gzip
from datetime import datetime, timezone
from decimal import Decimal

import pyarrow as pa
import pytest
from pyarrow import parquet

from tokentrail import focus
from tokentrail.bills.errors import BillError
from tokentrail.bills.mapping import BillMapping, mapping_with
from tokentrail.bills.meters import meter_of, model_of, size_of
from tokentrail.bills.registry import read_file

DAY = {"ChargePeriodStart": "2025-11-27T00:00:00Z", "ChargePeriodEnd": "2025-11-28T00:00:00Z", "BillingCurrency": "USD", "ChargeCategory": "Usage"}
AWS = {
    **DAY,
    "ProviderName": "AWS",
    "SubAccountId": "111122223333",
    "RegionId": "us-east-1",
    "x_ServiceCode": "AmazonBedrock",
    "ServiceName": "Amazon Bedrock",
}
AZURE = {
    **DAY,
    "ProviderName": "Microsoft",
    "SubAccountId": "/subscriptions/1",
    "ServiceName": "Azure OpenAI",
    "x_SkuMeterCategory": "Foundry Models",
}
AZURE["x_SkuMeterSubcategory"] = "Azure OpenAI"


def aws(usage_type, quantity, unit="1K tokens", cost="0.1", **more):
    return {**AWS, "x_UsageType": usage_type, "ConsumedQuantity": quantity, "ConsumedUnit": unit, "BilledCost": cost, **more}


def azure(meter, quantity, unit="Units", cost="0.1", **more):
    return {**AZURE, "x_SkuMeterName": meter, "ConsumedQuantity": quantity, "ConsumedUnit": unit, "BilledCost": cost, **more}


def read(tmp_path, *rows, mapping=None, lower=False):
    path = tmp_path / "focus.csv"
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([name.lower() if lower else name for name in names])
        writer.writerows([row.get(name, "") for name in names] for row in rows)
    return read_file("focus", path, mapping=mapping)


@pytest.mark.parametrize(
    ("provider", "meter", "model", "counts"),
    [
        ("aws.bedrock", "USE1-Claude4.5Sonnet-input-tokens", "claude-sonnet-4-5", "input"),
        ("aws.bedrock", "USW2-Claude4.5Sonnet-cache-write-input-token-count", "claude-sonnet-4-5", "input cache_write"),
        ("aws.bedrock", "USE1-Claude4Sonnet-cache-read-input-token-count-cross-region-global", "claude-sonnet-4", "input cache_read"),
        ("aws.bedrock", "USE1-MP:USE1_CacheWrite1hInputTokenCount_Global-Units", "", "input cache_write cache_write_1h"),
        ("aws.bedrock", "USE1-MP:USE1_OutputTokenCount_Batch-Units", "", "output"),
        ("aws.bedrock", "USE1-MP:USE1_input_tokens_standard-Units", "", "input"),
        ("aws.bedrock", "USE1-Nova2.0Lite-output-tokens-flex", "nova-2-lite", "output"),
        ("aws.bedrock", "USE1-mistral-large-3-mantle-input-tokens-standard", "mistral-large-3", "input"),
        ("aws.bedrock", "EUC1-Llama3-1-70B-output-tokens", "llama3-1-70b", "output"),
        ("azure.ai.openai", "gpt-4o-0806-Inp-glbl Tokens", "gpt-4o-2024-08-06", "input"),
        ("azure.ai.openai", "gpt 4o mini0718 BatchOutp DataZone Tokens", "gpt-4o-mini-2024-07-18", "output"),
        ("azure.ai.openai", "gpt 4o 1120 cached Inp regnl Tokens", "gpt-4o-2024-11-20", "input cache_read"),
        ("azure.ai.openai", "5.4 mini cd Inp Gl 1M Tokens", "gpt-5.4-mini", "input cache_read"),
        ("azure.ai.openai", "5.4 mini Opt Gl 1M Tokens", "gpt-5.4-mini", "output"),
        ("azure.ai.openai", "5.6 sol ShortCo Cd Wr Std Gl 1M Tokens", "gpt-5.6-sol", "input cache_write"),
        ("azure.ai.openai", "text-embedding-3-large-glbl Tokens", "text-embedding-3-large", "input"),
        ("azure.ai.openai", "gpt-4o-transcribe-aud-inp-glbl Tokens", "gpt-4o-transcribe", "input audio_input"),
        ("azure.ai.openai", "GPT 5 Inpt Glbl 1M Tokens", "gpt-5", "input"),
        ("azure.ai.inference", "Grok 4.1 Outp Glbl Tokens", "grok-4.1", "output"),
    ],
)
def test_a_meters_name_says_what_it_counts(provider, meter, model, counts):
    assert model_of(lambda _: "", meter, provider) == model
    assert meter_of(meter).counts == tuple(f"{each}_tokens" for each in counts.split())


@pytest.mark.parametrize(
    "meter", ["USE1-MP:USE1_Reserved_1Month_InputTPM_Geo-Units", "USE1-Claude-ProvisionedThroughput-Input", "gpt-4o ft training Inp Tokens"]
)
def test_meters_of_capacity_count_no_tokens(meter):
    assert meter_of(meter).counts == ()


def test_bedrocks_rows_add_up_to_the_ledgers_counts(tmp_path):
    lines = list(
        read(
            tmp_path,
            aws("USE1-Claude4.5Sonnet-input-tokens", "29.481"),
            aws("USE1-Claude4.5Sonnet-cache-read-input-token-count", "5372.659"),
            aws("USE1-Claude4.5Sonnet-cache-write-input-token-count", "433.893"),
            aws("USE1-Claude4.5Sonnet-output-tokens", "31.102", cost="0.513183"),
        )
    )
    assert sum(line.counts.get("input_tokens", 0) for line in lines) == 29_481 + 5_372_659 + 433_893
    assert sum(line.counts.get("cache_read_tokens", 0) for line in lines) == 5_372_659
    assert lines[3].counts == {"output_tokens": 31_102}
    assert {(line.provider, line.model, line.project) for line in lines} == {("aws.bedrock", "claude-sonnet-4-5", "111122223333")}
    assert (lines[3].cost, lines[3].currency, lines[3].batch) == (Decimal("0.513183"), "USD", False)


def test_a_marketplace_models_rows_are_its_services(tmp_path):
    edition = {"ServiceName": "Claude Sonnet 4.6 (Amazon Bedrock Edition)", "x_ServiceCode": "AmazonBedrockFoundationModels"}
    usage_type, described = "USE1-MP:USE1_OutputTokenCount_Batch-Units", "AWS Marketplace software usage|us-east-1|Million Response Tokens"
    report = read(
        tmp_path,
        aws(usage_type, "0.0015", "Units", **edition, ChargeDescription=described),
        aws(usage_type, "0.0025", "Units", **edition, PricingQuantity="0.0025", PricingUnit="1M tokens"),
        aws(usage_type, "0.0035", "Units", **edition),
    )
    lines = list(report)
    assert [line.counts for line in lines] == [{"output_tokens": 1500}, {"output_tokens": 2500}, {}]
    assert {(line.model, line.batch) for line in lines} == {("claude-sonnet-4-6", True)}
    assert list(report.notes) == [f"tokens of the meter {usage_type!r} were not read: its unit, 'Units', does not say how many they are"]


def test_azures_units_are_tokens_or_blocks_of_them(tmp_path):
    lines = list(
        read(
            tmp_path,
            azure("gpt-4o-0806-Inp-glbl Tokens", "2066667", PricingQuantity="2066.667", PricingUnit="1K", x_PricingBlockSize="1000"),
            azure("gpt-4o-0806-Inp-glbl Tokens", "2066.667", PricingQuantity="2066.667", PricingUnit="1K", x_PricingBlockSize="1000"),
            azure("gpt-4o-0806-Inp-glbl Tokens", "", PricingQuantity="2.5", PricingUnit="1M"),
            azure("gpt-4o-0806-Inp-glbl Tokens", "2.066667", "1M"),
        )
    )
    assert [line.counts["input_tokens"] for line in lines] == [2_066_667, 2_066_667, 2_500_000, 2_066_667]
    assert {(line.provider, line.model) for line in lines} == {("azure.ai.openai", "gpt-4o-2024-08-06")}


def test_other_services_and_charges_are_no_tokens(tmp_path):
    vm = {**DAY, "ServiceName": "Virtual Machines", "ServiceCategory": "Compute", "BilledCost": "5", "x_SkuMeterName": "D2 v3 input tokens"}
    credit = azure("gpt-4o-0806-Inp-glbl Tokens", "1000", cost="-3.5", ChargeCategory="Credit")
    image = azure("dall-e-3 HD Images", "3", unit="Images")
    report = read(tmp_path, vm, credit, image)
    refund, pictures = report
    assert (refund.cost, refund.counts, refund.details["ChargeCategory"]) == (Decimal("-3.5"), {}, "Credit")
    assert (pictures.counts, pictures.quantity, pictures.unit, pictures.item) == ({}, 3, "Images", "dall-e-3 HD Images")
    assert report.notes == {"a row of a service that is none of language models was left out": 1}


def test_a_correction_may_be_negative_and_a_fraction_is_told(tmp_path):
    report = read(tmp_path, aws("USE1-NovaPro-input-tokens", "-2.5", ChargeClass="Correction"), aws("USE1-NovaPro-input-tokens", "0.00055"))
    assert [line.counts["input_tokens"] for line in report] == [-2500, 1]
    assert report.notes == {"a quantity that is no whole number of tokens was rounded": 1}


def test_a_model_may_be_named_by_a_mapping(tmp_path):
    mapping = BillMapping(values={"model": {"v4-pro": "deepseek-v4-pro", "USE1-X9-input-tokens": "x-nine"}})
    lines = read(tmp_path, azure("V4 Pro Inp glbl Tokens", "5"), aws("USE1-X9-input-tokens", "1"), mapping=mapping)
    assert [line.model for line in lines] == ["deepseek-v4-pro", "x-nine"]
    with pytest.raises(BillError, match=r"not \[columns\]"):
        list(read(tmp_path, azure("V4 Pro Inp glbl Tokens", "5"), mapping=mapping_with(["model=a"])))


def test_names_of_columns_may_be_small(tmp_path):
    (line,) = read(tmp_path, aws("USE1-NovaPro-input-tokens", "1"), lower=True)
    assert (line.model, line.counts) == ("nova-pro", {"input_tokens": 1000})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ConsumedQuantity": "many"}, "line 2: ConsumedQuantity is no number"),
        ({"ConsumedQuantity": "1e300"}, "line 2: ConsumedQuantity is a number beyond"),
        ({"BilledCost": "free"}, "line 2: BilledCost is no number"),
        ({"BillingCurrency": "Dollar"}, "line 2: its currency"),
        ({"ChargePeriodStart": ""}, "line 2: ChargePeriodStart is not stated"),
        ({"ChargePeriodEnd": "2025-11-26T00:00:00Z"}, "line 2: its charge period ends before"),
    ],
)
def test_a_row_that_is_none_is_one_sentence(tmp_path, change, reason):
    with pytest.raises(BillError, match=reason):
        list(read(tmp_path, aws("USE1-NovaPro-input-tokens", "1") | change))


def test_a_table_that_is_no_focus_is_told(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("lineItem/UsageType,lineItem/UsageAmount\nx,1\n")
    with pytest.raises(BillError, match="has no column ChargePeriodStart"):
        list(read_file("focus", path))
    parquet.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(BillError, match="has no column ChargePeriodStart"):
        list(read_file("focus", path))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(BillError, match="no whole Parquet file"):
        list(read_file("focus", path))


def test_parquet_is_read_like_csv(tmp_path):
    rows = [aws("USE1-Claude4.5Sonnet-input-tokens", "29.481", cost="0.0972873"), azure("gpt-4o-0806-Outp-glbl Tokens", "7", x_SkuDescription=None)]
    names = list(dict.fromkeys(name for row in rows for name in row))

    def typed(name, value):
        if value is not None and name.startswith("ChargePeriod"):
            return datetime.fromisoformat(value.replace("Z", "+00:00"))
        return float(value) if value and name in ("ConsumedQuantity", "BilledCost") else value

    table = pa.table({name: [typed(name, row.get(name)) for row in rows] for name in reversed(names)})
    parquet.write_table(table, tmp_path / "focus.parquet")
    from_parquet = list(read_file("focus", tmp_path / "focus.parquet"))
    assert from_parquet == list(read(tmp_path, *rows))
    assert from_parquet[0].counts == {"input_tokens": 29_481}
    assert from_parquet[0].cost == Decimal("0.0972873")
    packed = tmp_path / "focus.csv.gz"
    packed.write_bytes(gzip.compress((tmp_path / "focus.csv").read_bytes()))
    assert list(read_file("focus", packed)) == from_parquet


def test_parts_of_an_export_are_one_report(tmp_path):
    read(tmp_path, aws("USE1-NovaPro-input-tokens", "1"))
    part = (tmp_path / "focus.csv").rename(tmp_path / "part-1.csv")
    read(tmp_path, aws("USE1-NovaPro-output-tokens", "2"))
    report = read_file("focus", part, tmp_path / "focus.csv")
    assert [line.counts for line in report] == [{"input_tokens": 1000}, {"output_tokens": 2000}]


CHARGE = {
    "provider": "groq",
    "model": "llama-3.3-70b",
    "begins": "2025-11-27 00:00:00",
    "ends": "2025-11-28 00:00:00",
    "currency": "USD",
    "is_batch": False,
    "is_correction": False,
    "tenant_id": "acme",
    "operation": "chat",
    "service_name": "s",
    "environment": "prod",
    "price_source": "own",
    "price_model": "*",
    "price_currency": "USD",
    "unit_price": "1",
    "price_unit_price": "1",
    "price_cost": "1",
    "cost": "0.5",
    "estimated_cost": "0",
    "quantity": "10",
    "meter": "input",
}
METERS = {
    "input": 100,
    "cache_read": 20,
    "cache_write": 3,
    "cache_write_1h": 4,
    "audio_input": 5,
    "image_input": 6,
    "output": 50,
    "reasoning": 7,
    "audio_output": 8,
    "image_output": 9,
    "call": 2,
}


@pytest.mark.parametrize("version", focus.VERSIONS)
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_what_tokentrail_exports_it_reads(tmp_path, version, form):
    charges = [{**CHARGE, "meter": meter, "quantity": str(quantity), "is_batch": meter == "output"} for meter, quantity in METERS.items()]
    found = focus.rows(charges, account="acme", version=version)
    path = tmp_path / f"costs.{form}"
    with path.open("w", newline="") if form == "csv" else path.open("wb") as file:
        (focus.write_csv if form == "csv" else focus.write_parquet)(file, version, found)
    lines = list(read_file("focus", path))
    sums = {}
    for line in lines:
        for name, number in line.counts.items():
            sums[name] = sums.get(name, 0) + number
    assert sums == {
        "input_tokens": 138,
        "output_tokens": 74,
        "cache_read_tokens": 20,
        "cache_write_tokens": 7,
        "cache_write_1h_tokens": 4,
        "audio_input_tokens": 5,
        "image_input_tokens": 6,
        "reasoning_tokens": 7,
        "audio_output_tokens": 8,
        "image_output_tokens": 9,
    }
    assert [line.requests for line in lines if line.requests is not None] == [2]
    assert {(line.provider, line.model, line.project, line.cost) for line in lines} == {("groq", "llama-3.3-70b", "acme", Decimal("0.5"))}
    assert [line.item for line in lines if line.batch] == ["Output Tokens"]
    assert lines[0].starts == datetime(2025, 11, 27, tzinfo=timezone.utc)


def test_sizes_of_units_are_words():
    assert [size_of(each) for each in ("1K tokens", "1M", "Million Input Tokens", "1000 Tokens", "1000000 Tokens")] == [
        1000,
        10**6,
        10**6,
        1000,
        10**6,
    ]
    assert [size_of(each) for each in ("Tokens", "Units", "", "Hours")] == [None] * 4
