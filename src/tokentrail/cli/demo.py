"""`tokentrail demo`."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from tokentrail.cli.errors import Misuse
from tokentrail.clickhouse.client import connect
from tokentrail.clickhouse.report import report
from tokentrail.demo.show import LIVE_PROVIDERS, ExampleFailed, Outcome, start_and_run
from tokentrail.embedded.errors import CannotStart

__all__ = ["command"]

_NEEDED = ("chdb", "lz4", "uvicorn", "openai", "groq", "ollama", "opentelemetry.sdk")
"""What the parts import: the server is a process of its own, and the example too."""


@click.command(name="demo")
@click.option("--keep", is_flag=True, envvar="KEEP", help="Leave everything running until Ctrl-C, to look around. [env: KEEP=1]")
@click.option("--live", default="", envvar="LIVE", metavar="openai,groq,ollama", help="Call the real provider instead of the replay. [env: LIVE]")
def command(keep: bool, live: str) -> None:
    """Run an example service against everything on this machine, without a key, and show what the ledger holds.

    Starts the embedded ClickHouse, the official Collector (built once), a small real model and a server that replays recorded provider answers;
    runs examples/quickstart.py; compares what the SDKs answered with what ClickHouse holds. Exit code 1 if they differ.

    \b
    Example:  tokentrail demo
              KEEP=1 tokentrail demo
              OPENAI_API_KEY=… LIVE=openai tokentrail demo
    """
    missing = [module for module in _NEEDED if not _is_there(module)]
    if missing:
        raise Misuse(f'`tokentrail demo` needs {", ".join(missing)}, which is not installed: pip install "tokentrail[demo]".')
    wanted = [name.strip() for name in live.split(",") if name.strip()]
    for name in wanted:
        if name not in LIVE_PROVIDERS:
            raise Misuse(f"LIVE={live}: {name!r} is not one of {', '.join(LIVE_PROVIDERS)}.")
        variable = LIVE_PROVIDERS[name]
        if variable and not os.environ.get(variable):
            raise Misuse(f"LIVE={live} calls the real {name}, and {variable} is not set.")
    console = Console(width=max(Console().width, 120))
    began = time.monotonic()
    try:
        outcome = start_and_run(
            lambda line: console.print(line, highlight=False, markup=False),
            live=wanted,
            show=lambda seen: _show(console, seen, keep, began),
            keep=keep,
        )
    except CannotStart as error:
        raise Misuse(str(error)) from None
    except ExampleFailed as error:
        raise click.ClickException(str(error)) from None
    click.get_current_context().exit(0 if outcome.equal and outcome.verification.ok else 1)


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _number(value: object) -> str:
    return "-" if value is None else f"{value:,}"


def _how(row: Mapping[str, Any]) -> str:
    """How a row's calls were counted: `2 reported, 1 estimated; 1 cut short`."""
    counted = [f"{row[f'{word}_calls']} {word}" for word in ("reported", "estimated", "unknown") if row[f"{word}_calls"]]
    ended = [f"{row[name]} {word}" for name, word in (("partial_calls", "cut short"), ("error_calls", "failed")) if row[name]]
    return "; ".join(", ".join(part) for part in (counted, ended) if part)


def _show(console: Console, seen: Outcome, keep: bool, began: float) -> None:
    client = connect(seen.demo.dsn)
    try:
        rows = report(client, ["tenant_id", "operation", "provider", "model"])
        totals = report(client, [])[0]
    finally:
        client.close()
    table = Table("tenant", "operation", "provider", "model", title="tokens by tenant, operation, provider and model")
    for name in ("input", "output", "cached", "reasoning", "calls"):
        table.add_column(name, justify="right")
    table.add_column("counted")
    for row in rows:
        measures = ("input_tokens", "output_tokens", "cache_read_tokens", "reasoning_tokens", "calls")
        table.add_row(row["tenant_id"], row["operation"], row["provider"], row["model"], *(_number(row[name]) for name in measures), _how(row))
    console.print(table)
    console.print(
        f"{totals['calls']} calls: {totals['reported_calls']} reported by the provider, {totals['estimated_calls']} estimated, "
        f"{totals['unknown_calls']} unknown; {totals['partial_calls']} cut short, {totals['error_calls']} failed",
        highlight=False,
    )
    _compare(console, seen)
    console.print(f"done in {time.monotonic() - began:.0f} s", highlight=False)
    _next_steps(console, seen, keep)


def _compare(console: Console, seen: Outcome) -> None:
    said = [sum(column) for column in zip(*(tokens for _, tokens, _ in seen.compared), strict=True)]
    held = [sum(column) for column in zip(*(tokens for _, _, tokens in seen.compared), strict=True)]
    different = [name for name, tokens, stored in seen.compared if tokens != stored]
    verdict = "equal to the token" if not different else f"DIFFERENT in: {', '.join(different)}"
    console.print(
        f"reported rows: the SDKs answered {said[0]:,} in + {said[1]:,} out, ClickHouse holds {held[0]:,} in + {held[1]:,} out: {verdict}",
        highlight=False,
    )
    if seen.model_says is not None and seen.model_stored is not None:
        word = "equal" if seen.model_says == seen.model_stored else "DIFFERENT"
        console.print(
            f"the local model's own counters say {seen.model_says[0]:,} in + {seen.model_says[1]:,} out, "
            f"ClickHouse holds {seen.model_stored[0]:,} in + {seen.model_stored[1]:,} out: {word}",
            highlight=False,
        )
    proof = seen.verification
    events = sum(writer.events for writer in proof.writers)
    if proof.ok:
        console.print(f"verify: nothing is missing ({len(proof.writers)} writers, {events} numbered events)", highlight=False)
    for finding in proof.findings:
        console.print(f"verify: {finding}", highlight=False, markup=False)


def _next_steps(console: Console, seen: Outcome, keep: bool) -> None:
    if keep:
        lines = [
            f"ClickHouse  {seen.demo.clickhouse_url}",
            f"OTLP/HTTP   {seen.demo.otlp_url}",
            *(f"{name}: process {pid}" for name, pid in seen.demo.pids.items()),
            "",
            f"  tokentrail report --dsn {seen.demo.dsn} --by tenant_id,model",
            f'  tokentrail sql --dsn {seen.demo.dsn} "SELECT * FROM usage LIMIT 5"',
            f"  tokentrail verify --dsn {seen.demo.dsn}",
            "",
            f"Everything runs until Ctrl-C here, or: kill {os.getpid()}",
        ]
    else:
        lines = [
            "next:",
            "  KEEP=1 make demo  (or: tokentrail demo --keep)     look around: SQL, reports, addresses",
            "  tokentrail serve                                   your own services on this machine; then",
            "  tokentrail report --by tenant_id,model             what they spent",
            '  tokentrail sql "SELECT * FROM usage"               the ledger itself',
            "  tokentrail verify                                  the proof that nothing is missing",
        ]
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
