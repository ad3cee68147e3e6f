"""Groq's SDK: chat and embeddings, in OpenAI's shape, and all other paths of OpenAI that Groq answers (`client.post("/openai/v1/responses")`).

Groq's streams state their usage without a request for usage, in `x_groq` of the last chunk.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from tokentrail.instrumentation.contract import Integration
from tokentrail.integrations.openai import openai_routes
from tokentrail.integrations.transports.probes import probe_stainless
from tokentrail.integrations.transports.stainless import hooks_of

__all__ = ["INTEGRATION"]

INTEGRATION: Final = Integration(
    name="groq",
    package="groq",
    supports=">=0.11,<2",
    hooks=hooks_of("groq._base_client", "groq", openai_routes("/openai/v1")),
    clashes=("opentelemetry-instrumentation-groq", "openinference-instrumentation-groq", "openlit"),
    probe=partial(probe_stainless, "groq", "Groq"),
)
