"""What README and docs/recordings.md show is run as it stands there, against the recordings, and prints real counts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tokentrail.testing import Recording, ReplayServer

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
pytest_plugins = ["pytester"]

CALLED = """
class Somebody:
    org = id = "acme"
print("answer:", {function}("some text", Somebody()))
"""


def examples(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def run(program: str, folder: Path, server: ReplayServer | None = None) -> str:
    """Run it as its reader does: a process of its own, pointed at the server by the SDK's own variables. What it printed."""
    path = folder / "example.py"
    path.write_text(program)
    there = {} if server is None else {"OPENAI_BASE_URL": server.url("openai"), "OPENAI_API_KEY": "none"}
    environ = dict(os.environ) | there | {"TOKENTRAIL_JOURNAL_DIR": str(folder / "journal"), "TOKENTRAIL_SHIP": "false"}
    done = subprocess.run([sys.executable, str(path)], env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


def answers(server: ReplayServer) -> list[Recording]:
    return [server.recordings[served.recording or ""] for served in server.served]


def test_the_first_example_of_the_readme(tmp_path: Path) -> None:
    example = examples("README.md")[0]
    with ReplayServer() as server:
        said = run(example + CALLED.format(function="summarize"), tmp_path, server)
        block, summary = answers(server)
    totals = block.expected_totals
    assert totals is not None
    words, answer = said.splitlines()
    assert words == f"{totals['input_total']} {totals['output_total']} reported"
    assert totals["input_total"] > 0
    assert totals["output_total"] > 0
    assert summary.expected_totals is not None
    assert answer not in ("answer: None", "answer: "), "a summary in words"


def test_the_spanish_example_of_the_readme(tmp_path: Path) -> None:
    (example,) = [text for text in examples("README.md") if "responder" in text]
    counted = """
from tokentrail.testing import collect_usages
with collect_usages() as usages:
    responder("hola", Somebody())
print(usages.input_tokens, usages.output_tokens, usages[0].source, usages[0].tenant_id)
"""
    with ReplayServer() as server:
        said = run(example + CALLED.format(function="responder") + counted, tmp_path, server)
        answered = answers(server)[-1].expected_totals
    assert answered is not None
    assert said.splitlines()[-1] == f"{answered['input_total']} {answered['output_total']} reported acme"


def test_the_examples_of_the_page_of_recordings(tmp_path: Path) -> None:
    first, faults, _ = examples("docs/recordings.md")
    assert "prompt_tokens=9," in run(first, tmp_path)
    said = re.search(r"# (\d+) requests, (\d+) tokens", faults)
    assert said is not None
    assert run(faults, tmp_path).split() == list(said.groups())


@pytest.mark.parametrize("page", ["docs/recordings.md", "docs/services.md"])
def test_the_tests_that_pages_show_pass(page: str, pytester: pytest.Pytester) -> None:
    (example,) = [text for text in examples(page) if "def test_" in text]
    pytester.makepyfile(example)
    pytester.runpytest_subprocess("-p", "no:cacheprovider", "-q").assert_outcomes(passed=1)
