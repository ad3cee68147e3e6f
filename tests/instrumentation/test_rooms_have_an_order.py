"""The rooms around an integration have an order: imports run down, and whoever knows the contract has loaded nothing else."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import tokentrail

SOURCE = Path(tokentrail.__file__).parent
FLOORS = (
    "tokentrail.instrumentation.contract",
    "tokentrail.providers",
    "tokentrail.recording",
    "tokentrail.instrumentation",
    "tokentrail.integrations.shapes",
    "tokentrail.integrations.transports",
    "tokentrail.integrations",
)
"""From the ground up. A module stands on the floor of the longest name that it begins with."""
ALLOWED = {
    "tokentrail.instrumentation.contract": (),
    "tokentrail.integrations.shapes": ("tokentrail.instrumentation.contract", "tokentrail.integrations.shapes"),
}
"""What these may import of tokentrail, and nothing else of it."""


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(SOURCE.rglob("*.py")):
        steps = path.relative_to(SOURCE.parent).with_suffix("").parts
        yield ".".join(steps[:-1] if steps[-1] == "__init__" else steps), path


KNOWN = dict(modules())


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Every module of tokentrail that a file imports, wherever in it."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "tokentrail":
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                yield inner if inner in KNOWN else node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.partition(".")[0] == "tokentrail")


def is_in(module: str, room: str) -> bool:
    return module == room or module.startswith(f"{room}.")


def floor_of(module: str) -> int | None:
    rooms = [room for room in FLOORS if is_in(module, room)]
    return FLOORS.index(max(rooms, key=len)) if rooms else None


STANDING = [(module, path, floor) for module, path in KNOWN.items() if (floor := floor_of(module)) is not None]


@pytest.mark.parametrize(("module", "path", "floor"), STANDING, ids=[module for module, *_ in STANDING])
def test_no_room_imports_from_above(module: str, path: Path, floor: int) -> None:
    above = [found for found in imports(path) if (other := floor_of(found)) is not None and other > floor]
    assert above == []
    for room, allowed in ALLOWED.items():
        if is_in(module, room):
            assert [found for found in imports(path) if not any(is_in(found, one) for one in allowed)] == []


def test_every_room_with_a_list_of_its_own_is_there() -> None:
    assert [room for room in ALLOWED if not any(is_in(module, room) for module in KNOWN)] == []


def test_integrations_do_not_import_each_other_but_for_an_api_that_several_speak() -> None:
    pairs = {
        (module.rpartition(".")[2], found.rpartition(".")[2])
        for module, path in KNOWN.items()
        if module.rpartition(".")[0] == "tokentrail.integrations"
        for found in imports(path)
        if found.rpartition(".")[0] == "tokentrail.integrations" and not found.endswith((".shapes", ".transports"))
    }
    like_openai = {
        (name, "openai_endpoints")
        for name in (
            "azure_ai_inference",
            "cerebras",
            "fireworks",
            "huggingface_hub",
            "ibm_watsonx_ai",
            "openai",
            "openrouter",
            "together",
            "writer",
        )
    }
    spoken_by_litellm = {("litellm", name) for name in ("anthropic", "botocore", "cohere", "google_genai", "mistralai", "ollama", "openai_endpoints")}
    assert pairs == like_openai | spoken_by_litellm | {("aiobotocore", "botocore"), ("fireworks", "anthropic"), ("groq", "openai")}


def test_every_floor_is_there() -> None:
    assert {floor for *_, floor in STANDING} == set(range(len(FLOORS)))


def test_the_contract_loads_nothing_else() -> None:
    program = (
        "import sys, tokentrail.instrumentation.contract; print(*sorted(name for name in sys.modules if name.partition('.')[0] == 'tokentrail'))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.split() == [
        "tokentrail",
        "tokentrail.instrumentation",
        "tokentrail.instrumentation.contract",
        "tokentrail.process",
        "tokentrail.process.forks",
    ]
