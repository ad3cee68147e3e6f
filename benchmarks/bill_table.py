"""What reading a large table of a bill costs: CPU and memory, of a table without mapping and of an export in FOCUS.

python benchmarks/bill_table.py [--rows 1000000]
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tokentrail.bills.mapping import mapping_with
from tokentrail.bills.registry import read_file

FOCUS = (
    "ChargePeriodStart,ChargePeriodEnd,BilledCost,BillingCurrency,ChargeCategory,ConsumedQuantity,ConsumedUnit,ServiceName,SubAccountId,x_UsageType"
)
METERS = ("USE1-Claude4.5Sonnet-input-tokens", "USE1-NovaPro-output-tokens", "USE1-Claude4Sonnet-cache-read-input-token-count")


def plain(rows: int) -> Iterator[str]:
    """Yields the lines of a table with columns of usual names."""
    yield "day,model,input_tokens,output_tokens,cost\n"
    for number in range(rows):
        yield f"2025-{1 + number % 12:02}-{1 + number % 28:02},model-{number % 50},{number},7,0.0{number}\n"


def focus(rows: int) -> Iterator[str]:
    """Yields the lines of an export in FOCUS, of which every second row is of another service."""
    yield f"{FOCUS}\n"
    for number in range(rows):
        day = f"2025-11-{1 + number % 28:02}"
        service = "Amazon Bedrock" if number % 2 else "Amazon Elastic Compute Cloud"
        yield f"{day}T00:00:00Z,{day}T23:00:00Z,0.{number},USD,Usage,{number}.5,1K tokens,{service},1111,{METERS[number % 3]}\n"


def main() -> None:
    """Writes both tables, reads them, and prints what that cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    print(f"{'table':8} {'rows':>10} {'lines':>10} {'CPU, s':>8} {'most memory, MiB':>18}")
    for name, reader, written in (("csv", "csv", plain(rows)), ("FOCUS", "focus", focus(rows))):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "bill.csv")
            with path.open("w") as file:
                file.writelines(written)
            begun = time.process_time()
            mapping = mapping_with(["provider==x"]) if reader == "csv" else None
            lines = sum(1 for _ in read_file(reader, path, mapping=mapping))
            spent = time.process_time() - begun
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
        print(f"{name:8} {rows:>10,} {lines:>10,} {spent:>8.1f} {most:>18.0f}")


if __name__ == "__main__":
    main()
