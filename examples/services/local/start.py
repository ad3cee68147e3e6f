"""Starts the four services with all that they need, prints the addresses and first questions, and stops everything at Ctrl-C (`make services`).

Providers for which there is a key (`GROQ_API_KEY`, `OPENAI_API_KEY`) or an address (`OLLAMA_HOST`) are really asked, the others are a stand-in on
this machine. What was counted stays in the folder of `--data`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import sys
import tempfile
from pathlib import Path

from parts import KEYS, NAMES, Parts, real_providers

from tokentrail.embedded.errors import CannotStart
from tokentrail.local import collector
from tokentrail.local.cache import Progress, Unavailable
from tokentrail.local.child import StartFailed, exit_description
from tokentrail.local.ports import free_port
from tokentrail.process.signals import Stop, ended_by_signals

PORTS = {"query": 8001, "embedding": 8002, "ingestion": 8003, "agent": 8004, "providers": 8090, "clickhouse": 8123, "otlp": 4318}
CURL = "curl -N -H 'X-Tenant-ID: acme' -H 'Content-Type: application/json'"
FIRST = """
first questions (each answers at once; the agent's answer streams):
  {curl} {ingestion}/documents -d '{{"text": "Every token is counted once. The journal keeps what was not sent yet."}}'
  {curl} {query}/query -d '{{"question": "Which planet is the largest?"}}'
  {curl} {agent}/ask -d '{{"question": "What does the journal keep?"}}'
{fallback}
then:
  {clickhouse}/dashboard          every token, live
  tokentrail report --by tenant_id,operation,provider --dsn {dsn}
  tokentrail sql --dsn {dsn} "SELECT SpanName, ServiceName FROM otel_traces WHERE TraceId = (SELECT trace_id FROM usage ORDER BY ts DESC LIMIT 1)"

Ctrl-C stops everything. Logs: {logs}"""
FALLBACK = """  {curl} {query}/query -d '{{"question": "[limit] Groq limits the rate, Ollama answers."}}'
"""


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="starts the four services of examples/services, and what they need")
    parser.add_argument("--data", type=Path, default=Path(".services"), help="folder of ledger, journal and logs (default: %(default)s)")
    parser.add_argument("--free-ports", action="store_true", help="any free ports, in place of 8001 to 8004, 8090, 8123 and 4318")
    parser.add_argument("--ready-file", type=Path, help="a file for the addresses and process ids as JSON, written when all parts answer")
    return parser.parse_args()


def taken(ports: dict[str, int]) -> str:
    """Say which port another program has; "" for none."""
    for name, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                return f"port {port}, for {name}, cannot be used ({error.strerror}): end the program that has it, or take --free-ports"
    return ""


def unusable(folder: Path, ready_file: Path | None) -> str:
    """Say which folder cannot be written to; "" for none."""
    if ready_file is not None and not ready_file.parent.is_dir():
        return f"{ready_file.parent}, the folder of --ready-file, is not there"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return f"{folder} cannot be written to ({error.strerror}): choose another folder with --data"
    return ""


def watch(parts: Parts, stop: Stop) -> None:
    """Wait for the stop, and say once of each part if it ends before."""
    told: set[int] = set()
    while not stop.wait(1.0):
        for part in parts.ended():
            if part.pid not in told:
                told.add(part.pid)
                say(f"{part.name} has ended {exit_description(part.code or 0)}; the others go on without it. Its log: {part.log}")


def started(parts: Parts, real: list[str]) -> None:
    """Print where everything is."""
    for name in NAMES:
        say(f"  {name:<12}{parts.url[name]}")
    say(f"  {'ClickHouse':<12}{parts.url['clickhouse']}   {'Collector' if parts.collector else 'OTLP':<12}{parts.url['otlp']}")
    asked = [f"{name} ({'real' if name in real else 'stand-in'})" for name in KEYS]
    say(f"  {'providers':<12}{', '.join(asked)}")
    fallback = "" if "groq" in real else FALLBACK.format(curl=CURL, **parts.url)
    say(FIRST.format(curl=CURL, dsn=parts.dsn, logs=parts.logs, fallback=fallback, **parts.url))


def ready(parts: Parts, path: Path) -> None:
    """Write where everything is, for a program that waits for it."""
    pids = {name: child.pid for name, child in parts.children.items()}
    written = path.with_suffix(".part")
    written.write_text(json.dumps({"url": parts.url, "dsn": parts.dsn, "pids": pids}), encoding="utf-8")
    written.replace(path)


def main() -> int:
    """Start, wait for a signal, stop. Returns the exit code."""
    given = options()
    real = real_providers(os.environ)
    if refused := ("" if given.free_ports else taken(PORTS)) or unusable(given.data, given.ready_file):
        say(refused)
        return 2
    with contextlib.ExitStack() as stack:
        stack.enter_context(ended_by_signals())
        built = collector.obtain(Progress(say))
        if isinstance(built, Unavailable):
            say(f"{built}; the receiver of `tokentrail serve` takes its place")
        say("starting ClickHouse, the Collector and the services (some ten seconds)")
        ports = (lambda _name: free_port()) if given.free_ports else PORTS.__getitem__
        try:
            parts = stack.enter_context(Parts(given.data.absolute(), None if isinstance(built, Unavailable) else built, real=real, ports=ports))
        except (StartFailed, CannotStart, OSError) as error:
            say(f"{error}")
            return 2
        started(parts, real)
        if given.ready_file:
            ready(parts, given.ready_file)
        with Stop() as stop, stop.on_signals():
            watch(parts, stop)
            say("\nstopping: the services first, then what they left in the journal, the Collector, ClickHouse")
            stack.close()
            say("stopped")
    return 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
