"""The configurations of the official OpenTelemetry Collector: the folder of the files, and the default address of a gateway."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["FILES", "config_folder", "gateway_url"]

FILES = ("README.md", "agent.yaml", "compose.yaml", "gateway.yaml", "grafana-datasource.yaml", "manifest.yaml", "prometheus-rules.yaml")
"""The files of the folder; a test compares this list with the checkout."""


def config_folder() -> Path:
    """Returns the folder of `FILES`: inside the installed wheel, or at the root of a checkout."""
    here = Path(__file__).resolve().parent
    for place in (here / "collector-config", here.parents[2] / "collector-config"):
        if (place / "manifest.yaml").is_file():
            return place
    raise FileNotFoundError("the Collector's files are neither in the installed package nor in a checkout: tokentrail is not installed completely")


def gateway_url() -> str:
    """Returns the default OTLP/HTTP address of gateway.yaml, which applications on the same host use as their endpoint."""
    found = re.search(r"\$\{env:TOKENTRAIL_COLLECTOR_OTLP_HTTP:-([^}]+)\}", (config_folder() / "gateway.yaml").read_text("utf-8"))
    if found is None:
        raise ValueError("gateway.yaml names no default for TOKENTRAIL_COLLECTOR_OTLP_HTTP")
    return f"http://{found[1]}"
