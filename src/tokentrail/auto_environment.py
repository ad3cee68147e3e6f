"""Chooses tokentrail's distro: `opentelemetry-instrument` imports this module first (entry point group `opentelemetry_environment_variables`).

Where two distros are installed, OpenTelemetry takes the first distro in the order of a folder's listing. `opentelemetry-distro` alone requires the
gRPC exporter, and without that exporter no instrumentation is loaded, tokentrail's neither. So this module sets tokentrail's distro, unless the user
has set a distro (variable or option); tokentrail's distro configures the other distro as OpenTelemetry would (`tokentrail.instrumentation.distro`).
"""

from __future__ import annotations

import os

os.environ.setdefault("OTEL_PYTHON_DISTRO", "tokentrail")
