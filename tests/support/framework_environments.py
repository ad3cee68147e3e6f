"""Environments of frameworks and of other instrumentations, which need other versions than the checkout's tests: one each, in the user's cache.

An environment has the packages of this interpreter, and of its own what pip finds missing or of another version. The checkout comes by PYTHONPATH.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from tests.support.require import require
from tokentrail.local.cache import Progress, Unavailable, made_once

HERE = Path(__file__).parents[2]
SECONDS = 300.0

FRAMEWORKS: dict[str, tuple[str, ...]] = {
    "aisuite": ("aisuite[openai,anthropic]",),
    "any_llm": ("any-llm-sdk[openai,anthropic]",),
    "crewai": ("crewai",),
    "dspy": ("dspy",),
    "haystack": ("haystack-ai",),
    "instructor": ("instructor",),
    "langchain": ("langchain", "langchain-openai", "langchain-anthropic", "langchain-google-genai", "langchain-aws"),
    "litellm": ("litellm==1.110.2",),
    "llama_index": (
        "llama-index-llms-openai",
        "llama-index-llms-anthropic",
        "anthropic<1",
    ),  # LlamaIndex' own range is wider, and fails with newer ones
    "openai_agents": ("openai-agents",),
    "pydantic_ai": ("pydantic-ai-slim[openai,anthropic,google,bedrock,groq]",),
}
"""By the name of a program in `tests/frameworks/programs`: what pip installs."""
OLDEST_LITELLM = ("litellm==1.110.0",)
LITELLM_PROXY = (
    *FRAMEWORKS["litellm"],
    *("apscheduler", "backoff", "cryptography", "email-validator", "expression", "fastapi", "fastapi-sso", "mcp", "orjson", "pyjwt"),
    *("python-multipart", "redis", "semver", "soundfile", "websockets"),
)
"""What the proxy's own code imports; its extra asks for a package that is on no public index."""
PEERS: dict[str, tuple[str, ...]] = {
    "langfuse": ("langfuse",),
    "logfire": ("logfire",),
    "logfire on clients": ("logfire",),
    "openinference": tuple(f"openinference-instrumentation-{name}" for name in ("openai", "anthropic", "google-genai", "bedrock", "groq")),
    "openlit": ("openlit",),
    "openllmetry": tuple(
        f"opentelemetry-instrumentation-{name}" for name in ("openai", "anthropic", "google-generativeai", "bedrock", "cohere", "groq", "ollama")
    ),
    "opentelemetry": ("opentelemetry-instrumentation-google-genai", "opentelemetry-instrumentation-botocore"),
    "opentelemetry-genai": ("opentelemetry-instrumentation-genai-openai", "opentelemetry-instrumentation-genai-anthropic"),
    "opentelemetry-openai-v2": ("opentelemetry-instrumentation-openai-v2", "opentelemetry-util-genai<1"),
}
"""By the name of another instrumentation (`tests/frameworks/peers.py`): what pip installs."""


def environment(packages: tuple[str, ...]) -> Path:
    """The Python of an environment with these packages, made by the first call; the test is skipped, or fails, where none can be made."""
    shared = sysconfig.get_paths()["purelib"]
    version = hashlib.sha256(json.dumps([sys.version, shared, packages]).encode()).hexdigest()[:16]
    made = made_once("frameworks", version, lambda staging: _make(staging, shared, packages), Progress(print))
    if isinstance(made, Unavailable):
        require("frameworks", made.reason)
    return made / "bin" / "python"


def _make(staging: Path, shared: str, packages: tuple[str, ...]) -> Unavailable | None:
    python = staging / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(staging)], check=True, timeout=SECONDS)
    [own] = staging.glob("lib/python*/site-packages")
    (own / "shared.pth").write_text(f"{shared}\n", encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-compile", *packages]
    done = subprocess.run(pip, check=False, capture_output=True, text=True, timeout=SECONDS)
    return Unavailable("frameworks", f"pip cannot install {', '.join(packages)}: {done.stderr.strip()[-300:]}") if done.returncode else None


def run_in(packages: tuple[str, ...], module: str, *arguments: str, journal: Path) -> Any:
    """Runs a module of the tests in an environment; what it prints is JSON on its last line."""
    done = started_in(packages, module, *arguments, journal=journal)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def started_in(packages: tuple[str, ...], module: str, *arguments: str, journal: Path, seconds: float = SECONDS) -> subprocess.CompletedProcess[str]:
    """Runs a module in an environment."""
    given = {
        **os.environ,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(HERE / "src"), str(HERE), os.environ.get("PYTHONPATH")))),
        "TOKENTRAIL_ESTIMATE": "false",
        "TOKENTRAIL_JOURNAL_DIR": str(journal),
        "TOKENTRAIL_SHIP": "false",
    }
    command = [str(environment(packages)), "-m", module, *arguments]
    return subprocess.run(command, env=given, cwd=HERE, capture_output=True, text=True, timeout=seconds, check=False)
