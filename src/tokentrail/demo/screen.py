"""The demo's output: lines, a live line while the Collector is built, tables without truncated names, commands that work as printed."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress as LiveProgress
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from rich.text import Text

from tokentrail.clickhouse.client import connect
from tokentrail.demo.outcome import Demo, Outcome
from tokentrail.ledger.report import report
from tokentrail.local.progress import Progress
from tokentrail.wording import counted

__all__ = ["DemoScreen", "program"]

NO_TERMINAL = 160
"""Width of a table if standard output is not a terminal."""
WIDE = 140
"""Width from which on every value has its own column. In a narrower table provider and model share one column, and the sources of the counts stand
in the lines below."""

ROWS = "SELECT ts, tenant_id, model, input_tokens, output_tokens, source FROM usage LIMIT 5"
"""A query whose answer fits a terminal: the view has some fifty columns."""


def program() -> str:
    """Returns a command for `tokentrail` that works in any folder: the name if the shell finds this same program, else the absolute path."""
    called = Path(sys.argv[0])
    if called.name != "tokentrail":
        return f"{shlex.quote(sys.executable)} -m tokentrail"
    found = shutil.which("tokentrail")
    if found is not None and called.exists() and Path(found).samefile(called):
        return "tokentrail"
    return shlex.quote(str(called.absolute()))


class DemoScreen:
    """Writes to the terminal, or to a file in its place."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, markup=False, emoji=False)
        if not self.console.is_terminal and "COLUMNS" not in os.environ:
            self.console.width = NO_TERMINAL
        self._began = time.monotonic()

    def say(self, line: str) -> None:
        """Prints a line. A sentence is wrapped between words; an indented line is to be copied whole, so the terminal itself wraps that line."""
        self.console.print(Text(line), soft_wrap=line.startswith("  ") or not self.console.is_terminal)

    @contextlib.contextmanager
    def building(self) -> Iterator[Progress]:
        """Shows the step and its time below all other lines; without a terminal, prints a line for each step and after 1, 2, 4, … minutes."""
        if not self.console.is_terminal:
            yield Progress(self.say)
            return
        columns = (SpinnerColumn(), TextColumn("{task.description}", table_column=Column(overflow="fold"), markup=False), TimeElapsedColumn())
        with LiveProgress(*columns, console=self.console, transient=True) as live:
            task = live.add_task("the official Collector", total=None)
            yield Progress(lambda step: live.update(task, description=step), reminders=False)

    def show(self, outcome: Outcome) -> None:
        """Prints the ledger's table, and its comparison with the counts of the SDKs and the model."""
        client = connect(outcome.demo.dsn)
        try:
            rows = report(client, ["tenant_id", "operation", "provider", "model"])
            totals = report(client, [])[0]
        finally:
            client.close()
        self.say("")
        title = f"tokens by tenant, operation, provider and model, through {outcome.demo.through}"
        self.console.print(usage_table(title, rows, wide=self.console.width >= WIDE))
        self.say(
            f"{counted(totals['calls'], 'call')}: {totals['reported_calls']} reported by the provider, {totals['estimated_calls']} estimated, "
            f"{totals['unknown_calls']} unknown; {totals['partial_calls']} cut short, {totals['error_calls']} failed"
        )
        for line in _compared(outcome):
            self.say(line)
        self.say(f"after {time.monotonic() - self._began:.0f} s\n")

    def show_kept(self, demo: Demo) -> None:
        """Prints the addresses of all parts, and commands for queries."""
        here = program()
        self.say(f"ClickHouse  {demo.clickhouse_url}")
        self.say(f"dashboard   {demo.clickhouse_url}/dashboard")
        self.say(f"OTLP/HTTP   {demo.otlp_url}")
        for name, pid in demo.pids.items():
            self.say(f"{name}: process {pid}")
        self.say("\nlook around, from another terminal:")
        self.say(f"  {here} report --dsn {demo.dsn} --by tenant_id,model")
        self.say(f'  {here} sql --dsn {demo.dsn} "{ROWS}"')
        self.say(f"  {here} verify --dsn {demo.dsn}")
        self.say(f"\nEverything runs until Ctrl-C here, or:\n  kill {os.getpid()}")

    def show_dashboard(self, demo: Demo) -> None:
        """Prints the dashboard's address, and how to end the demo."""
        self.say("all of it in a browser, until Enter or Ctrl-C here ends the demo:")
        self.say(f"  {demo.clickhouse_url}/dashboard\n")

    def show_next(self) -> None:
        """Prints the next steps after a demo that has ended."""
        here = program()
        from_make = "MAKELEVEL" in os.environ and Path("Makefile").is_file()
        self.say("next, the same left running, to look around in a browser, with SQL and reports:")
        self.say("  KEEP=1 make demo" if from_make else f"  {here} demo --keep")
        self.say("your own services on this machine: ClickHouse, an OTLP receiver and the dashboard in one process:")
        self.say(f"  {here} serve")
        self.say("and then, from another terminal, what they spent, the ledger itself, the proof that nothing is missing:")
        self.say(f"  {here} report --by tenant_id,model")
        self.say(f'  {here} sql "{ROWS}"')
        self.say(f"  {here} verify")


def usage_table(title: str, rows: list[dict[str, Any]], *, wide: bool) -> Table:
    """Formats the table: long texts are folded, never truncated."""
    names = ["tenant", "operation", "provider", "model"] if wide else ["tenant", "operation", "provider, model"]
    measures = {"input": "input_tokens", "output": "output_tokens", "cached": "cache_read_tokens", "reasoning": "reasoning_tokens", "calls": "calls"}
    if not wide:
        del measures["cached"], measures["reasoning"]
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left", padding=(0, 1, 0, 0), pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    for name in measures:
        table.add_column(name, justify="right", no_wrap=True)
    if wide:
        table.add_column("counted", overflow="fold")
    for row in rows:
        who = [row["provider"], row["model"]] if wide else [f"{row['provider']} {row['model']}"]
        cells = [row["tenant_id"], row["operation"], *who, *(_number(row[name]) for name in measures.values())]
        cells += [_how(row)] if wide else []
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _number(value: object) -> str:
    return "-" if value is None else f"{value:,}"


def _how(row: Mapping[str, Any]) -> str:
    """Returns the sources of a row's counts: `2 reported, 1 estimated; 1 cut short`."""
    counted = [f"{row[f'{word}_calls']} {word}" for word in ("reported", "estimated", "unknown") if row[f"{word}_calls"]]
    ended = [f"{row[name]} {word}" for name, word in (("partial_calls", "cut short"), ("error_calls", "failed")) if row[name]]
    return "; ".join(", ".join(part) for part in (counted, ended) if part)


def _compared(outcome: Outcome) -> Iterator[str]:
    said = [sum(column) for column in zip(*(tokens for _, tokens, _ in outcome.compared), strict=True)]
    held = [sum(column) for column in zip(*(tokens for _, _, tokens in outcome.compared), strict=True)]
    different = [name for name, tokens, stored in outcome.compared if tokens != stored]
    verdict = "equal to the token" if not different else f"DIFFERENT in: {', '.join(different)}"
    yield (
        f"calls whose callers were shown counts: the SDKs answered {said[0]:,} in + {said[1]:,} out, "
        f"ClickHouse holds {held[0]:,} in + {held[1]:,} out: {verdict}"
    )
    if outcome.model_counted is not None and outcome.model_stored is not None:
        word = "equal" if outcome.model_counted == outcome.model_stored else "DIFFERENT"
        yield (
            f"the local model's own counters say {outcome.model_counted[0]:,} in + {outcome.model_counted[1]:,} out, "
            f"ClickHouse holds {outcome.model_stored[0]:,} in + {outcome.model_stored[1]:,} out: {word}"
        )
    proof = outcome.verification
    events = sum(writer.events for writer in proof.writers)
    if proof.ok:
        yield f"verify: nothing is missing ({counted(len(proof.writers), 'writer')}, {counted(events, 'numbered event')})"
    for finding in proof.findings:
        yield f"verify: {finding}"
