"""A served ledger with some usage, for commands that only read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.ledger_rows import closing, usage
from tokentrail.clickhouse.client import connect

MODELS = [("openai", "gpt-4o-mini-2024-07-18"), ("groq", "meta-llama/llama-4-scout-17b-16e-instruct"), ("ollama", "qwen3:0.6b")]
TENANTS = ["acme", "Umbrella Corporation (EMEA)", "日本語テナント"]
CALLS = 60


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The DSN of a ledger of 60 calls by three models and three tenants."""
    pytest.importorskip("chdb", reason="the embedded ClickHouse (tokentrail[embedded]) is not installed")
    from tokentrail.embedded.process import ServerProcess

    with ServerProcess.started(tmp_path_factory.mktemp("served")) as server:
        client = connect(server.addresses.dsn)
        rows = [
            usage(
                seq=number + 1,
                tenant=TENANTS[number // 3 % 3],
                input_tokens=12_345 * number,
                output_tokens=777_777 * number,
                source="reported" if number % 3 else "estimated",
                more={"provider": MODELS[number % 3][0], "response_model": MODELS[number % 3][1], "cache_read_tokens": number},
            )
            for number in range(CALLS)
        ]
        client.insert_json("usage_landing", [*rows, closing(CALLS)])
        client.close()
        yield server.addresses.dsn
