"""A real bash completes commands, options, questions, parameters and dimensions, without the modules that work is done with, and without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.live import AtTerminal
from tests.support.terminal import TOKENTRAIL, in_process
from tokentrail.clickhouse.lists import FILTERS
from tokentrail.ledger.query import questions

BASH = shutil.which("bash")
HEAVY = ("clickhouse_connect", "chdb", "numpy", "mcp", "pydantic", "opentelemetry.sdk", "uvicorn", "openai", "genai_prices")
COMPLETE = """
source <(tokentrail completion bash)
COMP_LINE=$1 COMP_POINT=${#1}
IFS=$' \\t\\n' read -r -a COMP_WORDS <<< "$1"
_tokentrail_completion tokentrail
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH on which `tokentrail` is found."""
    program = tmp_path / "tokentrail"
    program.write_text("#!/bin/sh\nexec " + " ".join(f"'{word}'" for word in TOKENTRAIL) + ' "$@"\n')
    program.chmod(0o755)
    return f"{tmp_path}{os.pathsep}{os.environ['PATH']}"


def completed(path: str, line: str, **environment: str) -> list[str]:
    assert BASH, "bash is not installed"
    ran = subprocess.run(
        [BASH, "--norc", "-c", COMPLETE, "bash", line],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "PATH": path, "TOKENTRAIL_CLICKHOUSE_DSN": "http://no-such-host.invalid/x", **environment},
    )
    assert "Traceback" not in ran.stderr, ran.stderr
    return ran.stdout.split()


def test_a_real_bash_completes(path: str) -> None:
    assert "report" in completed(path, "tokentrail ")
    assert completed(path, "tokentrail qua") == ["quarantine"]
    assert completed(path, "tokentrail prices ") == ["list", "load", "update"]
    assert "--timezone" in completed(path, "tokentrail report --ti")
    assert set(completed(path, "tokentrail query ")) == set(questions())
    assert completed(path, "tokentrail query lat") == ["latency", "latency_over_time", "latest_calls"]
    assert completed(path, "tokentrail report --by provider,mod") == ["provider,model", "provider,model_family"]
    assert completed(path, "tokentrail report --format mark") == ["markdown"]
    assert completed(path, "tokentrail top --window 1") == ["1m", "15m", "1h", "1d"]
    assert completed(path, "tokentrail report --sort cal") == ["calls"]
    assert {*(f"{name}=" for name in FILTERS), "metadata."} == set(completed(path, "tokentrail report --where "))
    assert completed(path, "tokentrail nosuch --x") == []


def test_a_word_that_bash_cuts_at_its_sign_is_completed_whole(path: str) -> None:
    """COMP_WORDBREAKS holds = and :, and bash puts a completion in place of what stands behind the last of them."""
    assert completed(path, "tokentrail query tokens -p ti") == []
    assert "by=" in completed(path, "tokentrail query tokens -p ")
    assert completed(path, "tokentrail query tokens -p by=mod") == ["model", "model_family"]
    assert completed(path, "tokentrail query tokens_over_time -p step=") == ["minute", "hour", "day", "week", "month"]
    assert completed(path, "tokentrail report --sort calls:") == ["asc", "desc"]


@pytest.mark.parametrize(
    "line", ["tokentrail ", "tokentrail report --by mo", "tokentrail query tokens -p by=", "tokentrail mcp --", "tokentrail top --"]
)
def test_no_heavy_module_is_imported(line: str) -> None:
    code = f"import sys; from tokentrail.cli import main; main(); sys.stderr.write(' '.join(name for name in {HEAVY!r} if name in sys.modules))"
    given = {**os.environ, "COMP_LINE": line, "COMP_POINT": str(len(line)), "_TOKENTRAIL_COMPLETE": "bash_complete"}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, env=given)
    assert ran.stdout.strip()
    assert ran.stderr == ""


@pytest.mark.parametrize(
    ("shell", "part"),
    [
        ("bash", "complete -o nosort -F _tokentrail_completion tokentrail"),
        ("zsh", "#compdef tokentrail"),
        ("fish", "complete --no-files --command tokentrail"),
    ],
)
def test_each_shell_gets_its_script(shell: str, part: str) -> None:
    ran = in_process("completion", shell)
    assert (ran.code, ran.err) == (0, "")
    assert part in ran.out
    assert "_TOKENTRAIL_COMPLETE" in ran.out
    assert in_process("completion", "tcsh").code == 2


@pytest.mark.parametrize(
    ("shell", "words", "at", "expected"),
    [
        ("zsh", "tokentrail report --format mark", "3", ["plain", "markdown", "_"]),
        ("fish", "tokentrail query tokens -p by=ten", "by=ten", ["plain,by=tenant_id"]),
    ],
)
def test_the_other_shells_get_what_their_scripts_ask_for(shell: str, words: str, at: str, expected: list[str]) -> None:
    given = {**os.environ, "COMP_WORDS": words, "COMP_CWORD": at, "_TOKENTRAIL_COMPLETE": f"{shell}_complete"}
    ran = subprocess.run(TOKENTRAIL, capture_output=True, text=True, timeout=60, check=True, env=given)
    assert ran.stdout.split() == expected


@pytest.mark.parametrize("shell", ["zsh", "fish"])
@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("tokentrail qua", "quarantine"),
        ("tokentrail query tokens -p by=ten", "by=tenant_id"),
        ("tokentrail report --sort calls:a", "calls:asc"),
        ("tokentrail report --where metad", "metadata."),
    ],
)
def test_a_real_zsh_and_a_real_fish_complete(
    shell: str, typed: str, completed: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shell at a terminal, set up as the command's help says, and the key Tab."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed (apt-get install {shell})")
    for name, value in {"PATH": path, "HOME": tmp_path, "ZDOTDIR": tmp_path, "XDG_CONFIG_HOME": tmp_path / ".config"}.items():
        monkeypatch.setenv(name, str(value))
    if shell == "zsh":
        (tmp_path / ".zshrc").write_text('autoload -Uz compinit; compinit -u\neval "$(tokentrail completion zsh)"\nPS1="ready> "\n')
    else:
        completions = tmp_path / ".config/fish/completions"
        completions.mkdir(parents=True)
        (completions / "tokentrail.fish").write_text(in_process("completion", "fish").out)
        (completions.parent / "config.fish").write_text("function fish_prompt; echo 'ready> '; end\n")
    with AtTerminal(program=[program, "-i"]) as terminal:
        terminal.until("ready> ")
        terminal.press(f"{typed}\t")
        terminal.until(completed)
