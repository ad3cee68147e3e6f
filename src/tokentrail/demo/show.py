"""`tokentrail demo`: everything on this machine, real in every part, and at the end a proof that the counts are right."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from tokentrail.clickhouse.client import connect
from tokentrail.clickhouse.verify import Verification, verify
from tokentrail.demo import collector, local_model
from tokentrail.demo.cache import Progress, Unavailable
from tokentrail.demo.child import StartFailed
from tokentrail.embedded.process import ServerProcess
from tokentrail.testing.replay import ReplayServer

__all__ = ["LIVE_PROVIDERS", "Demo", "ExampleFailed", "Outcome", "start_and_run"]

LIVE_PROVIDERS = {"openai": "OPENAI_API_KEY", "groq": "GROQ_API_KEY", "ollama": ""}
"""Providers of the example, and the variable with the key that the real one needs."""
LOCAL_PROVIDER = "llama_cpp"
_VARIABLES = {"openai": ("OPENAI_BASE_URL", "OPENAI_API_KEY"), "groq": ("GROQ_BASE_URL", "GROQ_API_KEY"), "ollama": ("OLLAMA_HOST", "")}
ARRIVAL_SECONDS = 60.0
CHUNK_DELAY = 0.005


class ExampleFailed(RuntimeError):  # noqa: N818 - reads as the sentence that it is
    """The example did not come to its end."""


@dataclass(slots=True)
class Demo:
    """What the demo has started, and where it lies."""

    folder: Path
    dsn: str = ""
    clickhouse_url: str = ""
    otlp_url: str = ""
    collector: str = ""  # why there is none, or its program
    model: str = ""
    pids: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was seen: by operation id what the SDKs answered and what ClickHouse holds."""

    demo: Demo
    answered: Mapping[str, tuple[int, int] | None]
    stored: Mapping[str, Mapping[str, Any]]
    verification: Verification
    model_says: tuple[int, int] | None
    model_stored: tuple[int, int] | None

    @property
    def compared(self) -> list[tuple[str, tuple[int, int], tuple[int, int]]]:
        """Operation id, what the SDKs answered, what ClickHouse holds as reported: for all calls whose callers were shown counts."""
        rows = []
        for name, tokens in self.answered.items():
            if tokens is not None:
                row = self.stored.get(name, {})
                rows.append((name, tokens, (int(row.get("input_tokens") or 0), int(row.get("output_tokens") or 0))))
        return rows

    @property
    def equal(self) -> bool:
        """Whether every one of them is equal to the token, and the model's own totals too."""
        return all(said == held for _, said, held in self.compared) and self.model_says == self.model_stored


def start_and_run(say: Progress, *, live: list[str], show: Callable[[Outcome], None], keep: bool) -> Outcome:
    """Start the parts, run the example, let `show` print what came out, and stop everything; with `keep` only at Ctrl-C or SIGTERM."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tokentrail-demo-")))
        demo = Demo(folder)
        say("1/5 ClickHouse, embedded in a process of this machine")
        server = stack.enter_context(ServerProcess.started(folder / "clickhouse", log=folder / "serve.log"))
        demo.dsn, demo.clickhouse_url, demo.otlp_url = server.addresses.dsn, server.addresses.http, server.addresses.otlp
        demo.pids["tokentrail serve"] = server.addresses.pid
        say("2/5 the official OpenTelemetry Collector, from the manifest in collector-config/")
        _start_collector(demo, stack, say)
        say("3/5 a small real language model")
        model = _start_model(demo, stack, say)
        say("4/5 examples/quickstart.py: openai, groq, ollama; sync, async, streams, one abandoned, one that fails")
        # one server for each, so that each provider is known by its own address
        replays = {name: stack.enter_context(ReplayServer(delay=CHUNK_DELAY, providers=[name])) for name in LIVE_PROVIDERS if name not in live}
        answered = _run_example(demo, replays, model)
        say("5/5 from the journal to ClickHouse")
        outcome = _look(demo, answered, model)
        show(outcome)
        if keep:
            _wait_for_a_signal()
        return outcome


def _start_collector(demo: Demo, stack: contextlib.ExitStack, say: Progress) -> None:
    built = collector.obtain(say)
    if isinstance(built, Unavailable):
        demo.collector = f"not used: {built.reason}; the OTLP receiver of `tokentrail serve` takes its place"
        say(f"    {demo.collector}")
        return
    try:
        running = collector.run(built.program, "gateway", folder=demo.folder / "collector", settings={"CLICKHOUSE": demo.clickhouse_url})
    except StartFailed as error:
        demo.collector = f"not used: {error}; the OTLP receiver of `tokentrail serve` takes its place"
        say(f"    {demo.collector}")
        return
    stack.callback(running.terminate)
    demo.otlp_url = running.otlp_http_url
    demo.collector = str(built.program)
    demo.pids["Collector"] = running.pid


def _start_model(demo: Demo, stack: contextlib.ExitStack, say: Progress) -> local_model.LocalModel | None:
    installed = local_model.obtain(say)
    if isinstance(installed, Unavailable):
        demo.model = f"skipped: {installed.reason}"
        say(f"    {demo.model}")
        return None
    try:
        running = local_model.run(installed, folder=demo.folder / "model")
    except StartFailed as error:
        demo.model = f"skipped: {error}"
        say(f"    {demo.model}")
        return None
    stack.callback(running.terminate)
    demo.model = running.base_url
    demo.pids["llama-server"] = running.pid
    return running


def example_path() -> Path:
    """The example: in the installed wheel beside this file, in a checkout in examples/."""
    here = Path(__file__).resolve().parent
    for place in (here / "quickstart.py", here.parents[2] / "examples" / "quickstart.py"):
        if place.is_file():
            return place
    raise FileNotFoundError("examples/quickstart.py is neither in the installed package nor in a checkout: tokentrail is not installed completely")


def _run_example(demo: Demo, replays: Mapping[str, ReplayServer], model: local_model.LocalModel | None) -> dict[str, tuple[int, int] | None]:
    tally = demo.folder / "answered.json"
    environment = dict(os.environ)
    hosts = {}
    for name, replay in replays.items():
        address, key = _VARIABLES[name]
        environment[address] = replay.url(name)
        if key:
            environment[key] = "replayed"
        hosts[f"127.0.0.1:{replay.port}"] = name
    environment |= {
        "QUICKSTART_TALLY": str(tally),
        "OTEL_EXPORTER_OTLP_ENDPOINT": demo.otlp_url,
        "TOKENTRAIL_JOURNAL_DIR": str(demo.folder / "journal"),
        "TOKENTRAIL_ENVIRONMENT": "demo",
        "TOKENTRAIL_SHIP_INTERVAL": "0.2",
        "PYTHONUNBUFFERED": "1",
    }
    for unwanted in (
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "TOKENTRAIL_ENDPOINT",
        "TOKENTRAIL_DISABLED",
        "OTEL_SDK_DISABLED",
    ):
        environment.pop(unwanted, None)
    runs = ["openai", "groq", "ollama", "manual"]
    if model is not None:
        environment["LOCAL_MODEL_URL"] = model.base_url
        hosts[model.url.removeprefix("http://")] = LOCAL_PROVIDER
        runs.append("local")
    environment["TOKENTRAIL_PROVIDER_HOSTS"] = ",".join(f"{host}={name}" for host, name in hosts.items())
    finished = subprocess.run([sys.executable, str(example_path()), *runs], env=environment, timeout=600, check=False)  # noqa: S603 - our own example
    if finished.returncode != 0:
        raise ExampleFailed(f"the example ended with exit code {finished.returncode}: what it said stands above")
    return {name: None if tokens is None else (tokens[0], tokens[1]) for name, tokens in json.loads(tally.read_text()).items()}


def _look(demo: Demo, answered: Mapping[str, tuple[int, int] | None], model: local_model.LocalModel | None) -> Outcome:
    client = connect(demo.dsn)
    try:
        deadline = time.monotonic() + ARRIVAL_SECONDS
        while True:
            verification = verify(client)
            if any(writer.closed for writer in verification.writers) or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        rows = client.query(
            "SELECT operation_id, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens, sum(calls) AS calls"
            " FROM usage WHERE source = 'reported' GROUP BY operation_id"
        ).dicts()
        says = stored = None
        if model is not None:
            served = model.served_tokens()
            says = (served.input, served.output)
            held = client.query(
                "SELECT sum(input_tokens), sum(output_tokens) FROM usage WHERE source = 'reported' AND provider = {provider:String}",
                {"provider": LOCAL_PROVIDER},
            ).rows[0]
            stored = (int(held[0] or 0), int(held[1] or 0))
        return Outcome(demo, answered, {row["operation_id"]: row for row in rows}, verification, says, stored)
    finally:
        client.close()


def _wait_for_a_signal() -> None:
    stop = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    stop.wait()
