from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs import HERE, run

SAY = "from tokentrail.process.current import current; from tokentrail.telemetry.resource import resource_attributes\nprint(resource_attributes(current.settings, current.runtime.diagnostics)['service.name'], flush=True)\n"
POOL = """
import multiprocessing, sys
from tokentrail.process.current import current
from tokentrail.telemetry.resource import resource_attributes
def say():
    print(resource_attributes(current.settings, current.runtime.diagnostics)["service.name"], flush=True)
if __name__ == "__main__":
    say()
    child = multiprocessing.get_context({method!r}).Process(target=say)
    child.start()
    child.join()
"""


def names(*command: str, cwd: Path, stdin: str | None = None, **environment: str) -> list[str]:
    given = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    given |= {"PYTHONPATH": str(HERE), **environment}
    done = subprocess.run(command, cwd=cwd, input=stdin, env=given, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project: a script, a package with a program in it, nested packages, and a console script."""
    for name in ("app.py", "shop/worker.py", "shop/__main__.py", "shop/back/__main__.py", "tools/__main__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(SAY)
    for package in ("shop", "shop/back"):
        (tmp_path / package / "__init__.py").touch()
    command = tmp_path / "nightly-report"
    command.write_text(f"#!{sys.executable}\n{SAY}")
    command.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["app.py"], "app"),
        (["{here}/app.py", "--password", "hunter2"], "app"),
        (["-m", "app"], "app"),
        (["-m", "shop.worker", "x"], "shop.worker"),
        (["-m", "shop"], "shop"),
        (["-m", "shop.back"], "shop.back"),
        (["{here}/shop/back/__main__.py"], "shop.back"),
        (["tools"], "tools"),
        (["-c", SAY, "secret"], "python"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else value,
)
def test_the_programs_name_is_the_services(folder: Path, arguments: list[str], name: str) -> None:
    assert names(sys.executable, *(argument.format(here=folder) for argument in arguments), cwd=folder) == [name]


def test_a_console_script_has_its_own_name(folder: Path) -> None:
    assert names(str(folder / "nightly-report"), "--password", "hunter2", cwd=folder) == ["nightly-report"]


def test_what_is_typed_or_piped_in_has_no_name(folder: Path) -> None:
    assert names(sys.executable, "-", cwd=folder, stdin=SAY) == ["python"]


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
@pytest.mark.parametrize(
    ("file", "arguments", "name"),
    [
        ("pool.py", ["pool.py"], "pool"),
        ("shop/pool.py", ["-m", "shop.pool"], "shop.pool"),
    ],
)
def test_a_pools_children_have_their_parents_name(folder: Path, method: str, file: str, arguments: list[str], name: str) -> None:
    (folder / file).write_text(POOL.format(method=method))
    assert names(sys.executable, *arguments, cwd=folder) == [name, name]


def test_a_spawned_child_of_a_packages_program_has_its_name_too(folder: Path) -> None:
    (folder / "shop" / "said.py").write_text(POOL.partition("if __name__")[0])
    (folder / "shop" / "back" / "__main__.py").write_text(
        "import multiprocessing\nfrom shop.said import say\nif __name__ == '__main__':\n    say()\n"
        "    child = multiprocessing.get_context('spawn').Process(target=say)\n    child.start()\n    child.join()\n"
    )
    assert names(sys.executable, "-m", "shop.back", cwd=folder) == ["shop.back", "shop.back"]


def test_whatever_gives_a_name_comes_before_the_programs(folder: Path) -> None:
    script = [sys.executable, "app.py"]
    assert names(*script, cwd=folder, OTEL_SERVICE_NAME="search") == ["search"]
    assert names(*script, cwd=folder, TOKENTRAIL_SERVICE_NAME="search") == ["search"]
    assert names(*script, cwd=folder, OTEL_RESOURCE_ATTRIBUTES="service.name=search") == ["search"]


SDK = """
import json
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from tokentrail.process.current import current
from tokentrail.telemetry.resource import resource_attributes
provider = TracerProvider(resource=Resource.create({given}))
trace.set_tracer_provider(provider)
print(json.dumps([resource_attributes(current.settings, current.runtime.diagnostics)["service.name"], provider.resource.attributes["service.name"]]))
"""


def test_an_sdk_that_was_named_names_the_service_and_one_that_was_not_does_not() -> None:
    pytest.importorskip("opentelemetry.sdk", reason="the OpenTelemetry SDK (tokentrail[auto]) is not installed")
    assert run(SDK.format(given={"service.name": "search"})) == ["search", "search"]
    events, spans = run(SDK.format(given={}))
    assert (events, spans.startswith("unknown_service")) == ("python", True)  # the SDK's own resource stays as it is
