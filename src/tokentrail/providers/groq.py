"""Groq's SDK: chat and embeddings, in OpenAI's shape, and whatever else of OpenAI's paths Groq answers (`client.post("/openai/v1/responses")`).

Its streams state their usage unasked, in `x_groq` of the last chunk.
"""

from __future__ import annotations

from typing import Final

from tokentrail.providers import Provider
from tokentrail.providers.openai import JOBS, PATHS
from tokentrail.providers.routes import Routes
from tokentrail.providers.stainless import hooks_of

__all__ = ["PROVIDER"]

PROVIDER: Final = Provider(
    name="groq",
    package="groq",
    hooks=hooks_of("groq._base_client", "groq", Routes(PATHS, jobs=JOBS, prefix="/openai/v1")),
    clashes=("opentelemetry-instrumentation-groq", "openinference-instrumentation-groq", "openlit"),
)
