"""`opentelemetry-instrument python app.py`, an application that knows nothing of tokentrail: ledger, spans and metrics arrive and belong together."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.collector import World
from tests.support.services import environment_for
from tests.support.waiting import wait_until
from tokentrail.testing import ReplayServer

APP = """
import openai
client = openai.OpenAI(max_retries=0)
answer = client.chat.completions.create(model="gpt-4", messages=[{"role": "user", "content": "hello"}])
assert type(answer).__name__ == "ChatCompletion"
for chunk in client.chat.completions.create(model="gpt-5-mini", messages=[{"role": "user", "content": "hello"}], stream=True):
    assert chunk.usage is None
"""


def test_a_ledger_row_leads_to_its_trace(world: World, tmp_path: Path) -> None:
    store = world.store()
    gateway = world.gateway(store)
    app = tmp_path / "app.py"
    app.write_text(APP)
    with ReplayServer(providers=["openai"]) as replay:
        settings = environment_for(replay_url=replay.url("openai"), replay_port=replay.port, otlp=gateway.otlp_http_url, journal=tmp_path / "journal")
        settings |= {"OTEL_METRIC_EXPORT_INTERVAL": "500", "TOKENTRAIL_EXIT_TIMEOUT": "10"}
        instrument = Path(sys.executable).with_name("opentelemetry-instrument")
        command = [str(instrument), sys.executable, str(app)]
        ran = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    wait_until(lambda: store.number("SELECT count() FROM usage") == 2, "both calls in the ledger")
    wait_until(lambda: store.number("SELECT count() FROM otel_traces WHERE SpanKind = 'Client' AND ScopeName = 'tokentrail'") == 2, "both spans")
    joined = store.query(
        "SELECT u.operation, t.SpanName, t.SpanAttributes['gen_ai.usage.input_tokens'], toString(u.input_tokens), u.service_name"
        " FROM usage AS u INNER JOIN otel_traces AS t ON u.trace_id = t.TraceId AND u.span_id = t.SpanId ORDER BY u.ts"
    )
    assert [row[:2] for row in joined] == [["chat", "chat gpt-4"], ["chat", "chat gpt-5-mini"]]
    assert all(row[2] == row[3] and row[4] == "service-under-test" for row in joined)
    summed = "SELECT max(Value) FROM otel_metrics_sum WHERE MetricName = 'gen_ai.client.inference.usage.input_tokens' AND Attributes['gen_ai.request.model'] = 'gpt-4'"
    wait_until(lambda: store.query(summed)[0][0] == joined[0][3], "the metric's sum")
