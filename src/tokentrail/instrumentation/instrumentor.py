"""For `opentelemetry-instrument python app.py`, and for those who call `TokentrailInstrumentor().instrument()` as with any instrumentation."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from tokentrail.instrumentation import registry

__all__ = ["TokentrailInstrumentor"]


class TokentrailInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """All integrations at once: what is not installed is never imported, so nothing is required here."""

    def instrumentation_dependencies(self) -> Collection[str]:
        """Name no package: the hooks wait for whatever the application imports."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        registry.instrument(kwargs.get("integrations"))

    def _uninstrument(self, **kwargs: Any) -> None:
        registry.uninstrument(kwargs.get("integrations"))
