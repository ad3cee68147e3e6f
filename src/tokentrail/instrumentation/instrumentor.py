"""The OpenTelemetry instrumentor: for `opentelemetry-instrument python app.py` and `TokentrailInstrumentor().instrument()`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from tokentrail.instrumentation import registry

__all__ = ["TokentrailInstrumentor"]


class TokentrailInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Instruments all integrations. No SDK is imported, so no package is required."""

    def instrumentation_dependencies(self) -> Collection[str]:
        """Returns no package: each hook waits for the application's import of its module."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        registry.instrument(kwargs.get("integrations"))

    def _uninstrument(self, **kwargs: Any) -> None:
        registry.uninstrument(kwargs.get("integrations"))
