"""Whatever bytes stand in a file, a report gives lines with exact numbers, or one sentence; never another exception."""

from __future__ import annotations

import gzip
import json
import os
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokentrail.bills.errors import BillError
from tokentrail.bills.mapping import BillMapping, mapping_with
from tokentrail.bills.registry import READERS, read_file
from tokentrail.counts import COUNTS

REPORTS = Path(__file__).parent / "reports"
FOCUS = (
    "ChargePeriodStart,ChargePeriodEnd,BilledCost,BillingCurrency,ChargeCategory,ConsumedQuantity,ConsumedUnit,PricingQuantity,PricingUnit,ServiceName,"
    "x_UsageType,SkuId,SubAccountId\n2025-11-27T00:00:00Z,2025-11-28T00:00:00Z,0.5,USD,Usage,29.481,1K tokens,29.481,1K tokens,Amazon Bedrock,"
    "USE1-Claude4.5Sonnet-input-tokens,sku,1\n"
)
TABLE = 'day,model,input_tokens,output_tokens,cost,currency,batch\n2025-11-27,"a ""b""",1,2,0.5,USD,true\n2025-11-28T01:02:03+01:00,c,3,,(1.5),EUR,\n'
ACTIVITY = "generation_id,created_at,cost_total,tokens_prompt,tokens_completion,model_permaslug\ng,2025-11-27 10:11:12.131,0.1,1,2,m\n"
CASES = {
    "openai-usage": (REPORTS / "openai-usage.json").read_bytes(),
    "openai-cost": (REPORTS / "openai-cost.json").read_bytes(),
    "anthropic-usage": (REPORTS / "anthropic-usage.json").read_bytes(),
    "anthropic-cost": (REPORTS / "anthropic-cost.json").read_bytes(),
    "anthropic-analytics-usage": (REPORTS / "anthropic-analytics-usage.json").read_bytes(),
    "openrouter": (REPORTS / "openrouter.json").read_bytes(),
    "focus": FOCUS.encode(),
    "csv": TABLE.encode(),
}
COUNT_NAMES = {count.name for count in COUNTS}
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.text(max_size=12)
    | st.sampled_from(["1e999", 10**30, -1, 1.5, "", "NaN"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


EXAMPLES = int(os.environ.get("TOKENTRAIL_TEST_BILLS", "25"))
"""More of them: TOKENTRAIL_TEST_BILLS=2000."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("changed")


def held(name: str, path: Path) -> None:
    mapping = mapping_with(["provider==x"]) if name == "csv" else BillMapping()
    try:
        lines = list(read_file(name, path, mapping=mapping))
    except BillError as error:
        said = str(error)
        lines = []
    else:
        said = ""
    assert not said or (str(path) in said and len(said) < 4_000)
    for line in lines:
        assert line.starts < line.ends
        assert line.starts.tzinfo is not None
        assert set(line.counts) <= COUNT_NAMES
        assert all(type(number) is int for number in line.counts.values())
        assert all(type(number) is Decimal and number.is_finite() for number in (line.cost, line.quantity) if number is not None)
        assert line.requests is None or type(line.requests) is int


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_bytes_that_were_changed(folder, name, data):
    written = bytearray(CASES[name] if name != "openrouter" or data.draw(st.booleans()) else ACTIVITY.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(written)))
        cut = data.draw(st.integers(0, 30))
        written[place : place + cut] = data.draw(st.binary(max_size=12) | st.sampled_from([b'"', b"{", b"[", b",", b"\n", b"-", b"9" * 40, b"e99"]))
    path = folder / "report"
    path.write_bytes(gzip.compress(bytes(written)) if data.draw(st.booleans()) else bytes(written))
    held(name, path)


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].lstrip().startswith(b"{")])
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_values_that_were_changed(folder, name, data):
    page = json.loads(CASES[name])
    for _ in range(data.draw(st.integers(1, 3))):
        place = page
        while True:
            several = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not several:
                break
            key = data.draw(st.sampled_from(several))
            if not isinstance(place[key], (dict, list)) or data.draw(st.integers(0, 3)) == 0:
                place[key] = data.draw(VALUES)
                break
            place = place[key]
    path = folder / "report.json"
    path.write_text(json.dumps(page))
    held(name, path)


@pytest.mark.parametrize("name", ["focus", "csv"])
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_cells_that_were_changed(folder, name, data):
    import csv
    import io

    rows = list(csv.reader(io.StringIO(CASES[name].decode())))
    for _ in range(data.draw(st.integers(1, 3))):
        row = data.draw(st.sampled_from(rows))
        cell = st.text(max_size=20) | st.sampled_from(
            ["1e400", "-0", "9" * 30, "(1)", "1,5", "nan", "2025-13-01", "1764201600", "1K", "10K tokens", "\x00"]
        )
        row[data.draw(st.integers(0, len(row) - 1))] = data.draw(cell)
    path = folder / "report.csv"
    with path.open("w", newline="", encoding="utf-8", errors="replace") as file:
        csv.writer(file).writerows(rows)
    held(name, path)


def test_every_report_is_tried():
    assert {reader.name for reader in READERS} - set(CASES) == {"anthropic-analytics-cost"}
