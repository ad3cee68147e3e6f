"""What `opentelemetry-instrument` imports before it starts the application (entry point group `opentelemetry_environment_variables`).

Where two distros are installed, OpenTelemetry takes the first one that a folder's listing names. `opentelemetry-distro` alone asks for the gRPC
exporter, and without that exporter all instrumentations are given up, tokentrail's too. So tokentrail's distro is named here, unless the user names
one (variable or option); the other distro is configured by it as if tokentrail's were not there (`tokentrail.instrumentation.distro`).
"""

from __future__ import annotations

import os

os.environ.setdefault("OTEL_PYTHON_DISTRO", "tokentrail")
