"""Runs examples/quickstart.py as a child process, with its SDKs configured for the replay servers and the local model."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tokentrail.demo.outcome import Demo, Tokens
from tokentrail.local import local_model
from tokentrail.local.child import Child
from tokentrail.testing.replay import ReplayServer

__all__ = ["LIVE_PROVIDERS", "LOCAL_PROVIDER", "ExampleFailed", "example_path", "run_example"]

LIVE_PROVIDERS = {"openai": "OPENAI_API_KEY", "groq": "GROQ_API_KEY", "ollama": ""}
"""Providers of the example, and the variable with the key that the real provider needs."""
LOCAL_PROVIDER = "llama_cpp"
_VARIABLES = {"openai": ("OPENAI_BASE_URL", "OPENAI_API_KEY"), "groq": ("GROQ_BASE_URL", "GROQ_API_KEY"), "ollama": ("OLLAMA_HOST", "")}
_UNWANTED = (
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "TOKENTRAIL_ENDPOINT",
    "TOKENTRAIL_DISABLED",
    "OTEL_SDK_DISABLED",
)
"""Variables of the user's shell that would send the example's data elsewhere."""
DEADLINE_SECONDS = 600.0


class ExampleFailed(RuntimeError):  # noqa: N818 - `raise ExampleFailed` reads as a sentence
    """The example did not run to its end."""


def example_path() -> Path:
    """Returns the path of the example: in the installed wheel beside this file, in a checkout in examples/."""
    here = Path(__file__).resolve().parent
    for place in (here / "quickstart.py", here.parents[2] / "examples" / "quickstart.py"):
        if place.is_file():
            return place
    raise FileNotFoundError("examples/quickstart.py is neither in the installed package nor in a checkout: tokentrail is not installed completely")


def run_example(
    demo: Demo, replays: Mapping[str, ReplayServer], model: local_model.LocalModel | None, say: Callable[[str], None]
) -> dict[str, Tokens | None]:
    """Runs the example to its end. Returns the counts of the SDKs' answers, by operation id. `say` prints each line of the example."""
    tally = demo.folder / "answered.json"
    runs = ["openai", "groq", "ollama", "manual", *(["local"] if model else [])]
    command = [sys.executable, str(example_path()), *runs]
    with Child("the example", command, environment=_environment(demo, tally, replays, model), log=demo.folder / "example.log") as example:
        example.start()
        try:
            for line in example.follow(DEADLINE_SECONDS):
                say(line)
        except TimeoutError as late:
            raise ExampleFailed(str(late)) from None
    if example.code != 0:
        raise ExampleFailed(f"the example ended with exit code {example.code}: what it said stands above")
    return {name: None if tokens is None else (tokens[0], tokens[1]) for name, tokens in json.loads(tally.read_text()).items()}


def _environment(demo: Demo, tally: Path, replays: Mapping[str, ReplayServer], model: local_model.LocalModel | None) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
    hosts = {}
    for name, replay in replays.items():
        address, key = _VARIABLES[name]
        environment[address] = replay.url(name)
        if key:
            environment[key] = "replayed"
        hosts[f"127.0.0.1:{replay.port}"] = name
    if model is not None:
        environment["LOCAL_MODEL_URL"] = model.base_url
        hosts[model.url.removeprefix("http://")] = LOCAL_PROVIDER
    return environment | {
        "QUICKSTART_TALLY": str(tally),
        "OTEL_EXPORTER_OTLP_ENDPOINT": demo.otlp_url,
        "TOKENTRAIL_JOURNAL_DIR": str(demo.folder / "journal"),
        "TOKENTRAIL_ENVIRONMENT": "demo",
        "TOKENTRAIL_SHIP_INTERVAL": "0.2",
        "TOKENTRAIL_PROVIDER_HOSTS": ",".join(f"{host}={name}" for host, name in hosts.items()),
        "PYTHONUNBUFFERED": "1",
    }
