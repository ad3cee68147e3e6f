"""What importing and arming tokentrail costs: CPU of a fresh interpreter, without what the interpreter and the SDKs cost by themselves.

    python benchmarks/import_cost.py [--rounds 15] [--json]

Each figure is the least of several rounds (user and system time of the child process), less the least of what it is compared with: noise only adds.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """A program, the program that it is compared with, and the goal in milliseconds (DESIGN 11), if there is one."""

    name: str
    program: str
    beside: str
    goal: float | None = None


BARE = "pass"
OPENAI = "import openai; openai.OpenAI(api_key='none').chat.completions; openai.AsyncOpenAI(api_key='none').chat.completions"
CASES = (
    Case("import tokentrail", "import tokentrail", BARE, 50),
    Case("from tokentrail import track_tokens", "from tokentrail import track_tokens", BARE),
    Case("instrument(), no SDK imported", "import tokentrail; tokentrail.instrument()", BARE),
    Case("instrument() and openai, beside openai", f"import tokentrail; tokentrail.instrument(); {OPENAI}", OPENAI, 100),
    Case(
        "the same and a first usage in the journal, beside openai",
        f"import tokentrail; tokentrail.instrument(); {OPENAI}; "
        "tokentrail.track_token_usage(token_type='llm', operation='query', provider='p', model='m', input_tokens=1)",
        OPENAI,
    ),
)


def cpu_ms(program: str) -> float:
    """User and system time of a fresh interpreter that runs it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        environ = os.environ | {"TOKENTRAIL_SHIP": "false", "TOKENTRAIL_JOURNAL_DIR": folder}
        subprocess.run([sys.executable, "-c", program], check=True, env=environ)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1e3 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def measure(rounds: int) -> dict[str, float]:
    """The least CPU time of each program; the rounds take turns, so that a busy minute of the machine meets all of them."""
    programs = {program for case in CASES for program in (case.program, case.beside)}
    least = dict.fromkeys(sorted(programs), float("inf"))
    for _ in range(rounds):
        for program in least:
            least[program] = min(least[program], cpu_ms(program))
    return least


def main() -> None:
    """Print a line a case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    least = measure(options.rounds)
    found = [(case, least[case.program] - least[case.beside]) for case in CASES]
    if options.json:
        print(json.dumps([{"case": case.name, "cpu_ms": round(cost, 1), "goal_ms": case.goal} for case, cost in found], indent=2))
        return
    print(f"bare interpreter: {least[BARE]:.0f} ms; with openai: {least[OPENAI]:.0f} ms")
    for case, cost in found:
        print(f"{case.name}: {cost:.0f} ms of CPU" + (f" (goal: at most {case.goal:.0f})" if case.goal else ""))


if __name__ == "__main__":
    main()
