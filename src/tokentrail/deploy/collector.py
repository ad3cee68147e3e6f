"""The configurations of the official OpenTelemetry Collector: where the files are, and where a gateway that is started with them listens."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["FILES", "config_folder", "gateway_url"]

FILES = ("README.md", "agent.yaml", "compose.yaml", "gateway.yaml", "grafana-datasource.yaml", "manifest.yaml")
"""What the folder holds; a test compares it with the checkout."""


def config_folder() -> Path:
    """Return the folder of `FILES`: inside the installed wheel, or at the root of a checkout."""
    here = Path(__file__).resolve().parent
    for place in (here / "collector-config", here.parents[2] / "collector-config"):
        if (place / "manifest.yaml").is_file():
            return place
    raise FileNotFoundError("the Collector's files are neither in the installed package nor in a checkout: tokentrail is not installed completely")


def gateway_url() -> str:
    """Return the OTLP/HTTP address that gateway.yaml listens on where no variable says otherwise: what applications on the same host set."""
    found = re.search(r"\$\{env:TOKENTRAIL_COLLECTOR_OTLP_HTTP:-([^}]+)\}", (config_folder() / "gateway.yaml").read_text("utf-8"))
    if found is None:
        raise ValueError("gateway.yaml names no default for TOKENTRAIL_COLLECTOR_OTLP_HTTP")
    return f"http://{found[1]}"
