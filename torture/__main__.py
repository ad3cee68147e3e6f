"""Runs the experiments: `python -m torture --only kills --rounds 100 --seed 7`."""

from __future__ import annotations

import argparse
import importlib
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from tokentrail.process.signals import ended_by_signals
from torture.outcome import Outcome, as_json, print_table
from torture.stage import Stage

EXPERIMENTS = ("kills", "ends", "collector", "clickhouse", "disks", "damage", "clocks", "sidecars", "backlog", "shards")


def arguments() -> argparse.Namespace:
    """Returns what was asked for; misuse ends the program with one sentence and code 2."""
    parser = argparse.ArgumentParser(prog="python -m torture", description="Try to break the promise: nothing lost, nothing twice.")
    parser.add_argument("--only", default="", help=f"experiments, with commas between them: {', '.join(EXPERIMENTS)} (all)")
    parser.add_argument("--rounds", type=int, default=0, help="rounds of each experiment (each one's own number)")
    parser.add_argument("--first", type=int, default=1, help="number of the first round: with --rounds 1 a single round is repeated")
    parser.add_argument("--seed", type=int, default=None, help="seed of all chance (chosen, and printed)")
    parser.add_argument("--events", type=int, default=0, help="events that wait in the experiment backlog (a million)")
    parser.add_argument("--json", default="", metavar="FILE", help="write the outcomes to this file")
    given = parser.parse_args()
    given.only = given.only.replace(",", " ").split() or list(EXPERIMENTS)
    unknown = [name for name in given.only if name not in EXPERIMENTS]
    if unknown:
        parser.error(f"no experiment is called {unknown[0]!r}; there are {', '.join(EXPERIMENTS)}")
    if given.rounds < 0 or given.first < 1 or given.events < 0:
        parser.error("rounds and events are counted from 1")
    return given


def run(name: str, folder: Path, given: argparse.Namespace, console: Console) -> Outcome:
    """Runs one experiment to its end; whatever goes wrong is an outcome."""
    began = time.monotonic()

    def say(text: str) -> None:
        console.print(f"{name} {time.monotonic() - began:5.0f} s  {text}", markup=False, highlight=False)

    stage = Stage(name, folder, seed=given.seed, rounds=given.rounds, first=given.first, events=given.events, say=say)
    asked = "".join(f" {word}={number}" for word, number in (("ROUNDS", given.rounds), ("EVENTS", given.events)) if number)
    say(f"begins; again with: make torture ONLY={name} SEED={given.seed}{asked}")
    try:
        importlib.import_module(f"torture.experiments.{name}").run(stage)
    except Exception as error:  # one experiment that cannot go on must not hide what the others find
        stage.outcome.fail(f"did not come to its end: {type(error).__name__}: {error}")
    finally:
        stage.close()
    stage.outcome.seconds = time.monotonic() - began
    say(stage.outcome.verdict)
    return stage.outcome


def main() -> int:
    """Returns the exit code: 1 if a promise was broken."""
    given = arguments()
    console = Console(width=None if sys.stdout.isatty() else 150)
    if given.seed is None:
        given.seed = random.SystemRandom().randrange(10**6)
    outcomes: list[Outcome] = []
    with ended_by_signals():
        for name in given.only:
            folder = Path(tempfile.mkdtemp(prefix=f"tokentrail-torture-{name}-"))
            try:
                outcomes.append(run(name, folder, given, console))
            finally:
                if outcomes and outcomes[-1].experiment == name and outcomes[-1].broken:
                    console.print(f"kept to look at: {folder}", highlight=False)
                else:
                    shutil.rmtree(folder, ignore_errors=True)
    print_table(outcomes, console)
    if given.json:
        Path(given.json).write_text(as_json(outcomes, given.seed) + "\n")
    return 1 if any(outcome.broken for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
