"""What tokentrail adds to a call of the openai SDK, beside three OpenTelemetry signals written by hand (span, two histograms, log record).

    python benchmarks/chat_call.py [--blocks 40] [--calls 50] [--json]

The HTTP transport is a stand-in that answers with fixed bytes, so that only the client's work is timed; what is added to it is real, but for SDK
exporters that drop everything. CPU is the calling thread's, in blocks that alternate (bare, by hand, tokentrail) within one process; figures are
medians over the rounds. Function calls are counted with sys.setprofile and are the same in every run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import openai._base_client as base
from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind

import tokentrail
from tokentrail.process.current import current

httpx = getattr(base, "httpx2", None) or base.httpx  # openai 3 speaks httpx2
MODEL = "gpt-4o-mini"
MESSAGES = [{"role": "system", "content": "You answer briefly. " * 20}, {"role": "user", "content": "Summarise the quarterly report. " * 20}]
USAGE = {
    "prompt_tokens": 1200,
    "completion_tokens": 300,
    "total_tokens": 1500,
    "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 128, "audio_tokens": 0},
}
HEAD = {"id": "chatcmpl-1", "created": 1790000000, "model": f"{MODEL}-2024-07-18"}
MESSAGE = {"role": "assistant", "content": "Revenue grew and costs stayed flat. " * 24}
CHAT = json.dumps(
    HEAD | {"object": "chat.completion", "choices": [{"index": 0, "finish_reason": "stop", "message": MESSAGE}], "usage": USAGE}
).encode()


def sse(chunks: int) -> list[bytes]:
    """A stream of so many chunks, and one with the usage."""

    def event(**fields: Any) -> bytes:
        return b"data: " + json.dumps(HEAD | {"object": "chat.completion.chunk"} | fields).encode() + b"\n\n"

    words = [event(choices=[{"index": 0, "delta": {"content": "Revenue grew in every region "}}], usage=None) for _ in range(chunks)]
    return [*words, event(choices=[], usage=USAGE), b"data: [DONE]\n\n"]


class Body(httpx.SyncByteStream):
    """A stream's bytes."""

    def __init__(self, parts: list[bytes]) -> None:
        self.parts = parts

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.parts)


class Canned(httpx.BaseTransport):
    """Answers every request at once."""

    def __init__(self) -> None:
        self.stream = sse(50)

    def handle_request(self, request: Any) -> Any:
        """Chat, or a stream if that was asked for."""
        if b'"stream":true' in request.read():
            return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Body(self.stream))
        return httpx.Response(200, headers={"content-type": "application/json"}, content=CHAT)


class NoSpans(SpanExporter):
    """Drops spans."""

    def export(self, spans: Any) -> SpanExportResult:  # noqa: ARG002
        """Take them."""
        return SpanExportResult.SUCCESS


class NoMetrics(MetricExporter):
    """Drops metrics."""

    def export(self, *_: Any, **__: Any) -> MetricExportResult:
        """Take them."""
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 0) -> bool:  # noqa: ARG002
        """Nothing waits."""
        return True

    def shutdown(self, timeout_millis: float = 0, **_: Any) -> None:
        """Nothing to close."""


class NoLogs(LogRecordExporter):
    """Drops log records."""

    def export(self, batch: Any) -> LogRecordExportResult:  # noqa: ARG002
        """Take them."""
        return LogRecordExportResult.SUCCESS

    def shutdown(self) -> None:
        """Nothing to close."""

    def force_flush(self, timeout_millis: int = 0) -> bool:  # noqa: ARG002
        """Nothing waits."""
        return True


def by_hand() -> Callable[[int, Any], None]:
    """The three signals as somebody would write them: called when the call is over."""
    tracer, meter, logger = trace.get_tracer("hand"), metrics.get_meter("hand"), _logs.get_logger("hand")
    tokens = meter.create_histogram("gen_ai.client.token.usage", "{token}")
    duration = meter.create_histogram("gen_ai.client.operation.duration", "s")

    def after(began: int, usage: Any) -> None:
        common = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": MODEL}
        counted = {
            "gen_ai.usage.input_tokens": usage.prompt_tokens,
            "gen_ai.usage.output_tokens": usage.completion_tokens,
            "gen_ai.usage.cache_read.input_tokens": usage.prompt_tokens_details.cached_tokens,
        }
        more = {"gen_ai.response.model": HEAD["model"], "gen_ai.response.id": HEAD["id"], "tenant.id": "t1", "server.address": "api.openai.com"}
        span = tracer.start_span(f"chat {MODEL}", kind=SpanKind.CLIENT, start_time=began, attributes=common | counted | more)
        span.end()
        tokens.record(usage.prompt_tokens + usage.completion_tokens, common)
        duration.record((time.time_ns() - began) / 1e9, common)
        key = {"idempotency.key": "chat:t1:abc:1"}
        logger.emit(_logs.LogRecord(timestamp=began, body=None, event_name="token_usage", attributes=common | counted | key))

    return after


def set_up_opentelemetry() -> None:
    """An SDK whose exporters drop everything."""
    tracing = TracerProvider()
    tracing.add_span_processor(BatchSpanProcessor(NoSpans()))
    trace.set_tracer_provider(tracing)
    metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(NoMetrics())]))
    logging = LoggerProvider()
    logging.add_log_record_processor(BatchLogRecordProcessor(NoLogs()))
    _logs.set_logger_provider(logging)


class Bench:
    """The three variants on one client."""

    def __init__(self, client: openai.OpenAI) -> None:
        self.client = client
        self.after: Callable[[int, Any], None] | None = None
        self.hand = by_hand()

    def use(self, variant: str) -> None:
        """Switch to `bare`, `hand` or `tokentrail`."""
        tokentrail.uninstrument()
        self.after = None
        if variant == "hand":
            self.after = self.hand
        elif variant == "tokentrail":
            tokentrail.instrument(["openai"])

    def chat(self) -> None:
        """One chat call."""
        began = time.time_ns()
        answer = self.client.chat.completions.create(model=MODEL, messages=MESSAGES, temperature=0.2)
        if self.after:
            self.after(began, answer.usage)

    def stream(self) -> None:
        """One stream of 50 chunks and the usage."""
        began = time.time_ns()
        usage = None
        options = {"include_usage": True}
        for chunk in self.client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True, stream_options=options):
            usage = chunk.usage or usage
        if self.after:
            self.after(began, usage)


def calls_of(action: Callable[[], None]) -> int:
    """How many Python and C functions one action calls in this thread; the fewest of several, since caches fill and garbage is collected."""
    counts = []
    for _ in range(7):
        seen = 0

        def count(_frame: Any, event: str, _argument: Any) -> None:
            nonlocal seen
            if event in ("call", "c_call"):
                seen += 1

        sys.setprofile(count)
        action()
        sys.setprofile(None)
        counts.append(seen)
    return min(counts)


def cpu_us(action: Callable[[], None], calls: int) -> float:
    """Thread CPU of one action in microseconds, over so many."""
    began = time.thread_time_ns()
    for _ in range(calls):
        action()
    return (time.thread_time_ns() - began) / calls / 1000


def measure(blocks: int, calls: int) -> dict[str, Any]:
    """All figures of one run."""
    set_up_opentelemetry()
    client = openai.OpenAI(api_key="none", base_url="https://api.openai.com/v1", http_client=httpx.Client(transport=Canned()))
    bench = Bench(client)
    variants = ("bare", "hand", "tokentrail")
    found: dict[str, Any] = {"calls": {}, "cpu_us": {}}
    for name, action in (("chat", bench.chat), ("stream", bench.stream)):
        counted = {}
        for variant in variants:
            bench.use(variant)
            for _ in range(20):
                action()
            counted[variant] = calls_of(action)
        found["calls"][name] = {variant: counted[variant] - counted["bare"] for variant in ("hand", "tokentrail")}
        rounds: dict[str, list[float]] = {variant: [] for variant in variants}
        for number in range(blocks):
            for variant in variants[number % 3 :] + variants[: number % 3]:
                bench.use(variant)
                rounds[variant].append(cpu_us(action, calls))
        added = {
            variant: [with_it - without for with_it, without in zip(rounds[variant], rounds["bare"], strict=True)]
            for variant in ("hand", "tokentrail")
        }
        found["cpu_us"][name] = {
            "bare": statistics.median(rounds["bare"]),
            "hand": statistics.median(added["hand"]),
            "tokentrail": statistics.median(added["tokentrail"]),
            "ratio": statistics.median(added["tokentrail"]) / statistics.median(added["hand"]),
        }
    return found


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=40)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tokentrail.configure(journal_dir=str(Path(folder) / "journal"), ship=False, tenant_id="t1")
        found = measure(options.blocks, options.calls)
        tokentrail.uninstrument()
        current.runtime.close()
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for name in ("chat", "stream"):
        calls, cpu = found["calls"][name], found["cpu_us"][name]
        print(f"{name}: function calls added: tokentrail {calls['tokentrail']}, by hand {calls['hand']}")
        print(
            f"{name}: CPU added: tokentrail {cpu['tokentrail']:.0f} us, by hand {cpu['hand']:.0f} us, ratio {cpu['ratio']:.2f}"
            f" (the bare call {cpu['bare']:.0f} us)"
        )


if __name__ == "__main__":
    main()
