"""Runs llama.cpp's server in its own process: `python llama_server.py MODEL ALIAS TEMPLATE CONTEXT PORT`, with xllamacpp on the module path.

A script, not a module of the package: the script runs with the wheels' folder as module path, and imports nothing of tokentrail.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import xllamacpp


def main(model: str, alias: str, template: str, context: int, port: int) -> None:
    """Serves until SIGTERM or Ctrl-C."""
    given = xllamacpp.CommonParams()
    given.model.path = model
    given.model_alias = {alias}
    given.chat_template = Path(template).read_text(encoding="utf-8")
    given.use_jinja = True
    given.hostnames = ["127.0.0.1"]
    given.port = port
    # One thread: as fast as two threads for a model of this size, and not slowed down when another process uses a core. One slot, so that the cache
    # always holds the previous prompt.
    given.cpuparams.n_threads = given.cpuparams_batch.n_threads = 1
    given.n_parallel = 1
    given.n_gpu_layers = 0
    given.cache_ram_mib = 0
    given.n_ctx = given.n_batch = given.n_ubatch = context
    given.embedding = True
    given.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    given.endpoint_metrics = True
    given.ui = False
    given.offline = True
    server = xllamacpp.Server(given)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    del server


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})  # before the server starts its threads
    given_model, given_alias, given_template, given_context, given_port = sys.argv[1:]
    main(given_model, given_alias, given_template, int(given_context), int(given_port))
