"""One usage as a real service writes it, for the benchmarks."""

from __future__ import annotations

from tokentrail.usage import Usage

USAGE = Usage(
    key=f"chat:acme:{'a' * 32}:1790000000000000001",
    key_time=1_790_000_000_000_000_001,
    ts=1_790_000_000_000_000_001,
    tenant_id="acme",
    operation="chat",
    operation_id="7f0c1d52a8e94b6f",
    endpoint="chat",
    gen_ai_operation="chat",
    provider="openai",
    request_model="gpt-4o-mini",
    response_model="gpt-4o-mini-2024-07-18",
    response_id=f"chatcmpl-{'x' * 29}",
    model_family="gpt",
    server_address="api.openai.com",
    server_port=443,
    duration_ns=812_345_678,
    trace_id="a" * 32,
    span_id="b" * 16,
    input_tokens=1234,
    output_tokens=567,
    cache_read_tokens=128,
    reasoning_tokens=64,
    input_source="reported",
    output_source="reported",
    input_chars=5432,
    output_chars=2100,
    texts=3,
)
