"""Runs `tokentrail demo`: all parts run on this machine, every part is real, and at the end the counts are verified.

The first run goes through the OTLP receiver of the embedded server, so that the first results come at once; meanwhile the Collector is built. The
second run goes through the Collector, into another database. If the Collector was built before, there is only the run through the Collector.
At a terminal the server stays until Enter, so that the dashboard can be looked at.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from tokentrail.clickhouse.client import connect
from tokentrail.demo.example import LIVE_PROVIDERS, LOCAL_PROVIDER, run_example
from tokentrail.demo.outcome import Demo, Outcome, Tokens
from tokentrail.embedded.process import ServerProcess
from tokentrail.ledger.verify import verify
from tokentrail.local import collector, local_model
from tokentrail.local.background import BackgroundBuild
from tokentrail.local.cache import Progress, Unavailable
from tokentrail.local.child import StartFailed
from tokentrail.local.collector import Built
from tokentrail.process.signals import Stop, ended_by_signals
from tokentrail.testing.replay import ReplayServer

__all__ = ["Screen", "start_and_run"]

RECEIVER, COLLECTOR = "the embedded OTLP receiver", "the official Collector"
ARRIVAL_SECONDS = 60.0
CHUNK_DELAY = 0.005


class Screen(Protocol):
    """The output of the demo."""

    def say(self, line: str) -> None:
        """Prints a line."""

    def building(self) -> contextlib.AbstractContextManager[Progress]:
        """Shows the progress of the Collector's build until the end of the block, below the lines printed meanwhile."""

    def show(self, outcome: Outcome) -> None:
        """Prints the result of one run of the example."""

    def show_kept(self, demo: Demo) -> None:
        """Prints the addresses of all parts."""

    def show_dashboard(self, demo: Demo) -> None:
        """Prints the dashboard's address, and how to end the demo."""


class Parts:
    """The common parts of both runs of the example: the providers that are really called, and the model."""

    def __init__(self, folder: Path, live: Sequence[str], model: local_model.LocalModel | None, screen: Screen) -> None:
        self.folder = folder
        self.live = live
        self.model = model
        self.screen = screen

    def run(self, stack: contextlib.ExitStack, built: Built | None) -> Outcome:
        """Runs the example once with a new ClickHouse; the parts in `stack` keep running. Raises StartFailed if the Collector does not start."""
        folder = self.folder / ("receiver" if built is None else "collector")
        folder.mkdir()
        demo = Demo(folder, RECEIVER if built is None else COLLECTOR)
        self.screen.say("starting ClickHouse, embedded in a process of this machine" + (f", and {COLLECTOR}" if built else ""))
        server = stack.enter_context(ServerProcess.started(folder / "clickhouse", log=folder / "serve.log"))
        demo.dsn, demo.clickhouse_url, demo.otlp_url = server.addresses.dsn, server.addresses.http, server.addresses.otlp
        demo.pids["tokentrail serve"] = server.addresses.pid
        if self.model is not None:
            demo.pids["local model"] = self.model.pid
        if built is not None:
            running = collector.run(built.program, "gateway", folder=folder / "gateway", settings={"CLICKHOUSE": demo.clickhouse_url})
            stack.callback(running.terminate)
            demo.otlp_url = running.otlp_http_url
            demo.pids["Collector"] = running.pid
        # one server per provider, so that each provider has its own address; new servers in each run, so that both runs get the same answers
        replayed = [name for name in LIVE_PROVIDERS if name not in self.live]
        replays = {name: stack.enter_context(ReplayServer(delay=CHUNK_DELAY, providers=[name])) for name in replayed}
        before = _served(self.model)
        self.screen.say(f"examples/quickstart.py, through {demo.through}: openai, groq, ollama; sync, async, streams, one abandoned, one that fails")
        answered = run_example(demo, replays, self.model, self.screen.say)
        after = _served(self.model)
        counted = None if before is None or after is None else (after[0] - before[0], after[1] - before[1])
        return _compare_with_ledger(demo, answered, counted)


def start_and_run(screen: Screen, *, live: list[str], keep: bool) -> bool:
    """Starts the parts, runs the example, shows the results, and stops everything: with `keep` at Ctrl-C or SIGTERM, at a terminal at Enter too.

    Returns whether all counts are right.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(ended_by_signals())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tokentrail-demo-", ignore_cleanup_errors=True)))
        built = collector.built_already()
        waiting = stack.enter_context(contextlib.ExitStack())
        build = None
        if built is None:
            build = waiting.enter_context(BackgroundBuild(waiting.enter_context(screen.building())))
        model = _start_model(folder, stack, screen)
        parts = Parts(folder, live, model, screen)
        run = stack.enter_context(contextlib.ExitStack())
        if build is None:
            outcomes = [_run_built(parts, run, built)]
        else:
            outcomes = [parts.run(run, None)]
            screen.show(outcomes[0])
            second = _run_again(parts, run, build, waiting)
            outcomes += [] if second is None else [second]
        if build is None or len(outcomes) > 1:
            screen.show(outcomes[-1])
        if keep:
            screen.show_kept(outcomes[-1].demo)
            with Stop() as stop, stop.on_signals():
                stop.wait()
        elif _is_watched():
            screen.show_dashboard(outcomes[-1].demo)
            _wait_for_enter()
        return all(outcome.ok for outcome in outcomes)


def _is_watched() -> bool:
    """Whether a person sits before the demo: input and output are a terminal, and the demo is in its foreground."""
    try:
        return sys.stdin.isatty() and sys.stdout.isatty() and os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError, AttributeError):  # closed
        return False


def _wait_for_enter() -> None:
    """Waits for a line of input, its end, or a signal."""

    def read() -> None:
        os.read(sys.stdin.fileno(), 4096)
        stop.ask()

    with Stop() as stop, stop.on_signals():
        threading.Thread(target=read, name="tokentrail-stdin", daemon=True).start()
        stop.wait()


def _run_built(parts: Parts, run: contextlib.ExitStack, built: Built | None) -> Outcome:
    """Runs the example through the Collector; through the embedded receiver if the Collector does not start."""
    try:
        return parts.run(run, built)
    except StartFailed as failed:
        parts.screen.say(f"{COLLECTOR} is not used: {failed}; {RECEIVER} takes its place")
        run.close()
        return parts.run(run, None)


def _run_again(parts: Parts, run: contextlib.ExitStack, build: BackgroundBuild, waiting: contextlib.ExitStack) -> Outcome | None:
    """Waits for the Collector's build and runs the example through the Collector. Without a Collector prints a sentence and returns None."""
    if build.under_way:
        parts.screen.say(f"next: the same through {COLLECTOR}, which is still being built (once; Ctrl-C stops it)")
    built = build.wait()
    waiting.close()
    if isinstance(built, Unavailable):
        parts.screen.say(f"{built}")
        parts.screen.say(f"So there is no second run: what stands above went through {RECEIVER}.")
        return None
    second = contextlib.ExitStack()
    try:
        outcome = parts.run(second, built)
    except StartFailed as failed:
        second.close()
        parts.screen.say(f"{COLLECTOR} is not used: {failed}")
        return None
    except BaseException:
        second.close()
        raise
    run.close()
    run.push(second)
    return outcome


def _start_model(folder: Path, stack: contextlib.ExitStack, screen: Screen) -> local_model.LocalModel | None:
    installed = local_model.obtain(Progress(screen.say))
    if isinstance(installed, Unavailable):
        screen.say(f"{installed}; the example goes without")
        return None
    try:
        running = local_model.run(installed, folder=folder / "model")
    except StartFailed as failed:
        screen.say(f"the local model is not available here: {failed}; the example goes without")
        return None
    stack.callback(running.terminate)
    return running


def _served(model: local_model.LocalModel | None) -> Tokens | None:
    if model is None:
        return None
    served = model.served_tokens()
    return served.input, served.output


def _compare_with_ledger(demo: Demo, answered: Mapping[str, Tokens | None], model_counted: Tokens | None) -> Outcome:
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
        stored = None
        if model_counted is not None:
            held = client.query(
                "SELECT sum(input_tokens), sum(output_tokens) FROM usage WHERE source = 'reported' AND provider = {provider:String}",
                {"provider": LOCAL_PROVIDER},
            ).rows[0]
            stored = (int(held[0] or 0), int(held[1] or 0))
        return Outcome(demo, answered, {row["operation_id"]: row for row in rows}, verification, model_counted, stored)
    finally:
        client.close()
