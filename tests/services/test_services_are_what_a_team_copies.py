"""The four services are short, show the whole public API, run their own tests, and stand in a compose file that fits them."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

import tokentrail
from tests.support import compose_check
from tests.support.require import require
from tests.support.terminal import in_process
from tests.support.wheel import ROOT
from tokentrail.deploy.collector import config_folder
from tokentrail.local.cache import Progress, Unavailable
from tokentrail.settings import Settings

SERVICES = ROOT / "examples" / "services"
NAMES = ("agent", "embedding", "ingestion", "query")
PROGRAMS = sorted(path for name in NAMES for path in (SERVICES / name).glob("*.py"))
NOT_SHOWN = {
    "OPERATION_GENERATION": "none of the four generates a free text",
    "estimate_prompt_tokens": "deprecated, in favour of count_tokens",
    "instrument": "decorators and middlewares arm the hooks",
    "uninstrument": "no service takes its hooks away",
}
LONGEST = 200


def used(path: Path) -> Iterator[str]:
    """Yield what a program takes from tokentrail: names that it imports and calls."""
    tree = ast.parse(path.read_text("utf-8"))
    loaded = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "tokentrail":
            yield from (name.name for name in node.names if name.name in loaded)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "tokentrail":
            yield node.attr


def test_together_they_show_every_public_name() -> None:
    shown = {name for path in PROGRAMS for name in used(path)}
    assert set(tokentrail.__all__) - shown == NOT_SHOWN.keys()


def test_each_is_short() -> None:
    for name in NAMES:
        programs = [path for path in PROGRAMS if path.parent.name == name and not path.name.startswith("test_")]
        assert 1 <= len(programs) <= 2, name
        assert all(len(path.read_text("utf-8").splitlines()) < LONGEST for path in programs), name
        assert len((SERVICES / name / "README.md").read_text("utf-8").splitlines()) <= 12, name


def test_the_agent_knows_no_provider() -> None:
    text = (SERVICES / "agent" / "app.py").read_text("utf-8")
    assert not re.search(r"\b(openai|groq|ollama|track_token_usage|track_response)\b", text)


def test_lint_finds_nothing() -> None:
    ran = in_process("lint", "--counts-nothing", str(SERVICES / "agent"), str(SERVICES))
    assert ran.code == 0, ran.out


@pytest.mark.slow
@pytest.mark.parametrize("name", ["query", "embedding"])
def test_its_own_tests_pass(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(SERVICES / name)]
    environment = os.environ | {"TOKENTRAIL_JOURNAL_DIR": str(tmp_path / "journal")}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stdout
    assert " passed" in ran.stdout


def composed() -> dict[str, Any]:
    given: dict[str, Any] = yaml.safe_load((SERVICES / "compose.yaml").read_text("utf-8"))
    return given


def test_compose_fits_the_services() -> None:
    given, settings = composed(), {field.name for field in fields(Settings)}
    services = given["services"]
    assert services.keys() >= set(NAMES)
    for name in NAMES:
        service = services[name]
        assert service["build"]["args"]["SERVICE"] == name
        text = "\n".join(path.read_text("utf-8") for path in PROGRAMS if path.parent.name == name)
        for variable, value in service["environment"].items():
            if variable.startswith("TOKENTRAIL_"):
                assert variable.removeprefix("TOKENTRAIL_").lower() in settings
            elif not variable.startswith("OTEL_") and variable not in ("GROQ_API_KEY", "OPENAI_API_KEY", "OLLAMA_HOST"):
                assert f'"{variable}"' in text, f"{name} does not read {variable}"
            asked = re.match(r"http://(?:[^@/]*@)?([a-z]+):\d+", str(value))
            assert asked is None or asked[1] in services, value
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in given["volumes"] or (SERVICES / source).exists(), source
        if "build" in service:
            assert (SERVICES / service["build"]["context"] / service["build"]["dockerfile"]).is_file()


def test_the_image_gets_what_the_package_is_built_from() -> None:
    copied = {name for line in re.findall(r"^COPY (.*) \S+$", (SERVICES / "Dockerfile").read_text("utf-8"), re.MULTILINE) for name in line.split()}
    sources = re.findall(r'^"([^"]+)" = "tokentrail/', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert sources
    assert set(sources) | {"src", "README.md", "LICENSE", "pyproject.toml", "constraints.txt"} <= copied
    assert all((ROOT / name).exists() for name in copied if "$" not in name)


@pytest.mark.parametrize("file", [SERVICES / "compose.yaml", config_folder() / "compose.yaml"], ids=["services", "collector"])
def test_compose_takes_the_file(file: Path) -> None:
    program = compose_check.obtain(Progress(print))
    if isinstance(program, Unavailable):
        require("compose", str(program))
    secrets = dict.fromkeys(("TOKENTRAIL_PASSWORD", "TOKENTRAIL_GRAFANA_PASSWORD", "GROQ_API_KEY", "OPENAI_API_KEY"), "planted")
    assert compose_check.problem(program, file, secrets) == ""
    assert "the password of ClickHouse's user tokentrail" in compose_check.problem(program, file, secrets | {"TOKENTRAIL_PASSWORD": ""})


def test_compose_says_what_is_wrong(tmp_path: Path) -> None:
    program = compose_check.obtain(Progress(print))
    if isinstance(program, Unavailable):
        require("compose", str(program))
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(yaml.safe_dump({"services": {"query": {"image": "x", "stop_grace_periods": "1s"}}}))
    assert "stop_grace_periods" in compose_check.problem(program, wrong, {})
