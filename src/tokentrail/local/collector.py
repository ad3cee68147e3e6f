"""The official OpenTelemetry Collector: built once by its own builder from this project's manifest, and started with this project's configurations.

Production does not use this module: there the released contrib image, or a binary built in CI from the same manifest, runs the same files.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tokentrail.deploy.collector import config_folder
from tokentrail.local.building import run_step
from tokentrail.local.cache import Progress, Unavailable, made_already, made_once, remove_tree
from tokentrail.local.child import Child, StartFailed, last_words
from tokentrail.local.go_toolchain import Go, find_go
from tokentrail.local.ports import answers, free_port

BUILDER = "go.opentelemetry.io/collector/cmd/builder@v0.161.0"
PROGRAM = "tokentrail-collector"
PREFIX = "TOKENTRAIL_COLLECTOR_"


@dataclass(frozen=True, slots=True)
class Built:
    """A Collector that runs on this machine."""

    program: Path
    manifest_hash: str


class Collector(Child):
    """A running Collector and its addresses."""

    def __init__(self, program: Path, config: Path, *, folder: Path, settings: Mapping[str, str], overrides: tuple[str, ...]) -> None:
        self.folder = folder
        self.otlp_http_url = f"http://127.0.0.1:{free_port()}"
        self.otlp_grpc = f"127.0.0.1:{free_port()}"
        self.ledger_http_url = f"http://127.0.0.1:{free_port()}"
        self.ledger_grpc = f"127.0.0.1:{free_port()}"
        metrics_port = free_port()
        self.metrics_url = f"http://127.0.0.1:{metrics_port}/metrics"
        health = f"127.0.0.1:{free_port()}"
        own = {
            "OTLP_HTTP": self.otlp_http_url.removeprefix("http://"),
            "OTLP_GRPC": self.otlp_grpc,
            "LEDGER_HTTP": self.ledger_http_url.removeprefix("http://"),
            "LEDGER_GRPC": self.ledger_grpc,
            "METRICS_PORT": str(metrics_port),
            "HEALTH": health,
            "QUEUE": str(folder / "queue"),
        }
        command = [str(program), "--config", str(config)]
        for override in overrides:
            command += ["--config", f"yaml:{override}"]
        super().__init__(
            f"the Collector ({config.stem})",
            command,
            environment=_environment() | {PREFIX + name: value for name, value in (own | dict(settings)).items()},
            log=folder / f"{config.stem}.log",
            ready=lambda: answers(f"http://{health}/"),
        )


def obtain(progress: Progress) -> Built | Unavailable:
    """Returns the Collector of the manifest from the cache. The first call builds the Collector: some minutes, with the Go module proxy."""
    digest = _digest()
    folder = made_once("collector", digest, lambda staging: _build(staging, progress), progress)
    if isinstance(folder, Unavailable):
        return Unavailable("the official Collector", folder.reason)
    return Built(folder / PROGRAM, digest)


def built_already() -> Built | None:
    """Returns the Collector of the manifest if the Collector is in the cache."""
    digest = _digest()
    folder = made_already("collector", digest)
    return None if folder is None else Built(folder / PROGRAM, digest)


def run(
    program: Path,
    role: str,
    *,
    folder: Path,
    settings: Mapping[str, str] | None = None,
    overrides: tuple[str, ...] = (),
    timeout_s: float = 30.0,
) -> Collector:
    """Starts the Collector as "gateway" or "agent" on free loopback ports, with queue and log in `folder`. Returns the healthy Collector.

    `settings` are the variables of collector-config/README.md without their prefix, such as {"CLICKHOUSE": "http://127.0.0.1:8123"}; `overrides` are
    merged over the file, such as "exporters::clickhouse/ledger::timeout: 5s". Raises StartFailed with the end of the Collector's log.
    """
    config = config_folder() / f"{role}.yaml"
    if not config.is_file():
        raise StartFailed(f"there is no configuration {role}.yaml in {config.parent}")
    folder.mkdir(parents=True, exist_ok=True)
    collector = Collector(program, config, folder=folder, settings=settings or {}, overrides=overrides)
    collector.start(timeout_s=timeout_s)
    return collector


def _environment() -> dict[str, str]:
    """Returns this process's environment without a Collector's variables: the variables of the user's shell belong to another Collector."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def _digest() -> str:
    manifest = (config_folder() / "manifest.yaml").read_bytes()
    machine = f"{platform.system()}-{platform.machine()}".lower()
    return hashlib.sha256(b"\0".join([manifest, BUILDER.encode(), machine.encode()])).hexdigest()[:16]


def _build(staging: Path, progress: Progress) -> Unavailable | None:
    """Builds the program into `staging`, and removes everything else: only the build needs Go, its caches and the sources."""
    scratch = staging / "scratch"
    scratch.mkdir()
    go = find_go(scratch, progress)
    if isinstance(go, Unavailable):
        return go
    failed = _run_builder(go, scratch, progress)
    if failed is None:
        (scratch / "build" / PROGRAM).rename(staging / PROGRAM)
        failed = _refuses_its_configurations(staging / PROGRAM)
    remove_tree(scratch)
    return failed


def _run_builder(go: Go, scratch: Path, progress: Progress) -> Unavailable | None:
    shutil.copy(config_folder() / "manifest.yaml", scratch)
    environment = go.environment(scratch, installs_into=scratch) | {"CGO_ENABLED": "0"}
    log = scratch / "build.log"
    step = f"building the Collector 1/2: its builder (Go {go.version}, {go.origin})"
    failed = run_step(step, [str(go.program), "install", BUILDER], log=log, progress=progress, environment=environment)
    if failed is not None:
        return failed
    step = "building the Collector 2/2: all of it (about 4 minutes on 2 cores)"
    command = [str(scratch / "builder"), "--config", "manifest.yaml"]
    return run_step(step, command, log=log, progress=progress, environment=environment, folder=scratch)


def _refuses_its_configurations(program: Path) -> Unavailable | None:
    """Runs `validate` of the new binary on every configuration: a binary that lacks a component or key must not get into the cache."""
    for config in ("gateway.yaml", "agent.yaml"):
        log = program.with_suffix(".validate.log")
        with log.open("wb") as output:
            command = [str(program), "validate", "--config", str(config_folder() / config)]
            code = subprocess.run(command, stdout=output, stderr=output, env=_environment(), timeout=60, check=False).returncode  # noqa: S603
        if code != 0:
            return Unavailable("the official Collector", f"the built binary refuses {config}: {last_words(log)}")
        log.unlink()
    return None
